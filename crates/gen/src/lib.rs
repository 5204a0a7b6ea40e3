//! Generators on stable Rust: functions that pause, give a value out, and go on with a value that is sent in.
//!
//! # What is it?
//!
//! A [`Resumable`] is a state machine that takes a value at every resume, yields values, and returns one at its end.
//! [`Gen`] makes one from an ordinary `async` body: the compiler turns the body into the state machine, and
//! awaiting [`Co::yield_`] is the point where it pauses. [`Generator`] and [`Throw`] are Python's protocol on top:
//! start, send, throw, close, the state, delegation ([PEP 342], [PEP 380]).
//!
//! Bridges lead both ways: an iterator is a generator by [`from_iter`] and a generator with nothing to send is an
//! iterator; a future is a state machine by [`FromFuture`] and a state machine is a future by [`ToFuture`].
//!
//! [PEP 342]: https://peps.python.org/pep-0342/
//! [PEP 380]: https://peps.python.org/pep-0380/
//!
//! # How do I use it?
//!
//! The running average, once in Python and once here:
//!
//! ```python
//! def average():
//!     count, sum, average = 0, 0, None
//!     while True:
//!         x = yield average
//!         count += 1
//!         sum += x
//!         average = round(sum / count, 2)
//! ```
//!
//! ```
//! use generator::{Co, Gen, Generator, State};
//!
//! async fn average(co: Co<Option<f64>, f64>) {
//!     let (mut count, mut sum, mut average) = (0.0, 0.0, None);
//!     loop {
//!         let x = co.yield_(average).await; // gives out the average, takes x
//!         count += 1.0;
//!         sum += x;
//!         average = Some((sum / count * 100.0_f64).round() / 100.0);
//!     }
//! }
//!
//! let mut gener = Box::pin(Gen::new(average));
//! assert_eq!(gener.state(), State::Created); //              getgeneratorstate(gener)
//! assert_eq!(gener.as_mut().send(4.0).unwrap_err().into_value(), 4.0); // not started: given back
//!
//! gener.as_mut().start()?; //                                next(gener)
//! let four = gener.as_mut().send(4.0)?.yielded(); //         gener.send(4)
//! let four_and_a_half = gener.as_mut().send(5.0)?.yielded(); // gener.send(5)
//! assert_eq!(four, Some(Some(4.0)));
//! assert_eq!(four_and_a_half, Some(Some(4.5)));
//! assert_eq!(gener.state(), State::Suspended);
//!
//! gener.as_mut().close(); //                                 gener.close()
//! assert_eq!(gener.state(), State::Closed);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What does it promise on each platform?
//!
//! The same everywhere. The crate is `no_std` and has no dependency. The default feature `alloc` adds one thing,
//! iteration over a `Pin<Box<Gen>>`; without it no allocator is needed. A program can make 2⁶³
//! generators where pointers have 64 bits and 2³¹ where they have 32, and panics at the next one. Targets
//! without an atomic compare-and-swap are not supported.
//!
//! * Nothing is allocated, by no operation. A generator is its body and one number of eight bytes.
//! * A resume that is inlined costs what the same machine written by hand costs: 5 instructions to count by one.
//!   Behind `dyn`, with a value sent in and one out, it is 43 against 25 (x86-64, `examples/count.rs`).
//! * Misuse is defined: it ends in an error that gives the value back, or in a panic that says what was wrong
//!   and leaves the generator closed. A closed generator that is resumed panics; as an iterator it is at its end.
//! * A panic in the body passes through and closes the generator.
//!
//! # What does it refuse to do?
//!
//! * Await anything but its own yields. A plain generator has nobody to wake it, so its body panics when another
//!   future is not ready at once. Tasks that wait for futures are futures: see [`FromFuture`].
//! * Yield from elsewhere: not out of another generator's body, another executor, or a combinator with its own
//!   waker; and one value per resume, so not twice at once in a `join!`.
//! * Leave its thread. [`Gen`] and [`Co`] are neither `Send` nor `Sync`.
//! * Resume itself. A resume borrows the generator exclusively, so what Python reports as "generator already
//!   executing" does not compile, or fails in the cell that was to get around that.
//! * Let the body refuse to be closed, as Python's can by catching `GeneratorExit`.

#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;

mod airlock;
mod co;
mod future;
mod generator;
mod iter;
mod misuse;
mod number;
mod pin;
mod protocol;
mod refused;
// The example of the README runs with the others, here as nowhere it would be shown twice.
#[cfg_attr(doctest, doc = include_str!("../README.md"))]
mod resumable;

pub use co::Co;
pub use future::{FromFuture, ToFuture};
pub use generator::Gen;
pub use iter::{Iter, from_iter};
pub use protocol::{Generator, State, Throw};
pub use refused::Refused;
pub use resumable::{Resumable, Step};
