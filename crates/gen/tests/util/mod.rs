//! Shared by the tests.

#![allow(dead_code)] // not every test file needs every helper

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;

use generator::{Generator, Step};

/// Runs `f`, which must panic, and returns what it panicked with.
pub(crate) fn panic_of<T>(f: impl FnOnce() -> T) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(f)) else {
        panic!("this should have panicked")
    };
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload.downcast::<&str>().expect("a text").to_string(),
    }
}

pub(crate) const FOREIGN: &str = "a `Co` was awaited outside the body of its own generator";
pub(crate) const CLOSED: &str = "a closed generator was resumed";
pub(crate) const TWO: &str = "two yields at once";
pub(crate) const OTHER: &str =
    "a generator body awaited something other than a yield of its own `Co`";

/// Asserts that `text` begins with `start`.
#[track_caller]
pub(crate) fn assert_starts(text: &str, start: &str) {
    assert!(text.starts_with(start), "{text:?} should start with {start:?}");
}

/// Counts how often it and its clones were dropped.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drops(Rc<Cell<usize>>);

impl Drops {
    pub(crate) fn count(&self) -> usize {
        self.0.get()
    }

    /// Something that is counted when it is dropped.
    pub(crate) fn token(&self) -> Token {
        Token(self.0.clone())
    }
}

#[derive(Debug, PartialEq)]
pub(crate) struct Token(Rc<Cell<usize>>);

impl Drop for Token {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

/// Starts a generator that must yield first.
#[track_caller]
pub(crate) fn started<G: Generator<R> + ?Sized, R>(generator: Pin<&mut G>) -> G::Yield {
    match generator.start() {
        Ok(Step::Yielded(value)) => value,
        Ok(Step::Complete(_)) => panic!("returned at once"),
        Err(refused) => panic!("{refused}"),
    }
}
