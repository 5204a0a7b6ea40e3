//! A resume allocates nothing, and a generator is little larger than the same machine written by hand.

#![allow(unsafe_code)] // a counting allocator cannot do without

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::pin::Pin;

use generator::{Gen, Generator, Step, Throw};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`, and `alloc` was the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(f: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    f();
    ALLOCATIONS.get() - before
}

type Strider = Pin<Box<dyn Generator<Result<u64, u8>, Yield = u64, Return = u64>>>;

fn strider(end: u64) -> Strider {
    Box::pin(Gen::new(|co| async move {
        let mut number = 0;
        while number < end {
            let sent: Result<u64, u8> = co.yield_(number).await;
            number += sent.unwrap_or(1000);
        }
        number
    }))
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(black_box(Box::new(1)))), 1);
}

#[test]
fn a_boxed_generator_is_one_allocation_and_its_resumes_are_none() {
    let mut g = None;
    assert_eq!(allocations(|| g = Some(black_box(strider(10_000)))), 1);
    let mut g = g.expect("made");
    let resumes = || {
        assert_eq!(g.as_mut().start().unwrap(), Step::Yielded(0));
        assert_eq!(g.as_mut().throw(1), Ok(Step::Yielded(1000)));
        while let Step::Yielded(_) = g.as_mut().resume(Ok(1)) {}
        assert!(g.as_mut().send(Ok(1)).is_err());
    };
    assert_eq!(allocations(resumes), 0);
    assert_eq!(allocations(|| drop(g)), 0);
}

#[test]
fn an_unboxed_generator_allocates_nothing_at_all() {
    let run = || {
        let outer = std::pin::pin!(Gen::new(|co| async move {
            let inner = Gen::new(|co| async move { co.yield_(1).await });
            co.delegate(inner).await;
            co.yield_(2).await;
        }));
        assert_eq!(outer.sum::<i32>(), 3);
    };
    assert_eq!(allocations(run), 0);
}

/// The machine that [`strider`] and its like are measured against.
#[allow(dead_code)] // only its size is looked at
enum Counter {
    Ready { end: u64 },
    Suspended { next: u64, end: u64 },
    Returned,
}

/// What a generator may weigh over the same machine written by hand, in bytes.
const SURPLUS: usize = 48;

#[test]
fn a_generator_is_at_most_48_bytes_larger_than_the_enum() {
    #[track_caller]
    fn check<F: Future<Output = u64>, R>(generator: &Gen<F, u64, R>) {
        let over = size_of_val(generator) - size_of::<Counter>();
        assert!(over <= SURPLUS, "{over} bytes over the enum");
    }
    let end = black_box(3);
    check(&Gen::<_, u64, u64>::new(|co| async move {
        let mut number = 0;
        while number < end {
            number += co.yield_(number).await;
        }
        number
    }));
    check(&Gen::<_, u64, u64>::new(async move |co| {
        let mut number = 0;
        while number < end {
            number += co.yield_(number).await;
        }
        number
    }));
    check(&Gen::<_, u64, ()>::new(|co| async move {
        for number in 0..end {
            co.yield_(number).await;
        }
        end
    }));
}
