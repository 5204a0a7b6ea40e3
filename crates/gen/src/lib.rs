//! Resumable state machines on stable Rust.

#![no_std]

mod future;
mod resumable;

pub use future::FromFuture;
pub use resumable::{Resumable, Step};
