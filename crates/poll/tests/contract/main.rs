//! The contract of the selector, a function for each behaviour, on every backend of this machine.
#![cfg(unix)]

mod edge;
mod faults;
mod level;
mod lists;
mod model;
mod notifier;
mod oneshot;
mod registration;
mod time;
mod util;
