//! The contract of the selector, a function for each behaviour, on every backend of this machine.
//!
//! Where a test needs what Unix alone has (pipes, descriptors of files, urgent bytes that can be
//! waited for, readiness that follows at once), it is left out on Windows.

#[cfg(unix)]
mod child;
mod datagram;
mod edge;
mod faults;
mod level;
#[cfg(all(unix, not(target_os = "illumos")))]
mod lists;
mod many;
#[cfg(unix)]
mod model;
mod notifier;
mod oneshot;
mod registration;
mod sockets;
mod time;
mod util;
