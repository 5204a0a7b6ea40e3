//! Resumable state machines on stable Rust.

#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;

mod airlock;
mod co;
mod future;
mod generator;
mod iter;
mod number;
mod pin;
mod protocol;
mod refused;
mod resumable;

pub use co::Co;
pub use future::{FromFuture, ToFuture};
pub use generator::Gen;
pub use iter::{FromIter, Iter};
pub use protocol::{Generator, State, Throw};
pub use refused::Refused;
pub use resumable::{Resumable, Step};
