//! Which descriptors are ready? Python's `select` and `selectors` for Rust, with nothing unsafe
//! left to the caller.
//!
//! A [`Selector`] waits until one of many sockets, pipes or terminals can be read or written. It
//! does so through `select`, `poll`, `epoll`, kqueue, IOCP or event ports, chosen at run time,
//! behind one contract. It owns what it waits for, so that no descriptor closes under it, and
//! names each registration by a [`Key`] that goes stale instead of meaning somebody else. Beside
//! it stands [`select()`], the plain function for three lists.
//!
//! # How to use it
//!
//! Two pipes, and what to call each when it has something:
//!
//! ```
//! # #[cfg(unix)]
//! # fn main() -> std::io::Result<()> {
//! use std::io::{Read, Write};
//!
//! use poll::{Events, Interest, Selector};
//!
//! let (kitchen, mut cook) = std::io::pipe()?;
//! let (door, mut visitor) = std::io::pipe()?;
//!
//! let mut selector = Selector::new()?;
//! selector.register(kitchen, Interest::READ, "kitchen")?;
//! selector.register(door, Interest::READ, "door")?;
//!
//! visitor.write_all(b"knock")?;
//! drop(visitor);
//! cook.write_all(b"dinner")?;
//!
//! let mut events = Events::new();
//! let mut heard = Vec::new();
//! while heard.len() < 2 {
//!     selector.select(&mut events, None)?;
//!     for event in &events {
//!         // The events borrow nothing, so the selector is free to change meanwhile.
//!         let (mut source, name) = selector.unregister(event.key)?;
//!         let mut buffer = [0; 16];
//!         let count = source.read(&mut buffer)?;
//!         heard.push(format!("{name}: {}", String::from_utf8_lossy(&buffer[..count])));
//!     }
//! }
//! heard.sort();
//! assert_eq!(heard, ["door: knock", "kitchen: dinner"]);
//! # Ok(())
//! # }
//! # #[cfg(not(unix))]
//! # fn main() {}
//! ```
//!
//! A loop over sockets keeps them non-blocking, reads or writes until
//! [`WouldBlock`](std::io::ErrorKind::WouldBlock), and asks for [`Interest::WRITE`] only while it
//! has something left to write. [`Mode`] says how often a source is reported, [`Notifier`] wakes
//! the loop from other threads, and [`Counters`] tell what it did.
//!
//! # What it promises
//!
//! On every platform: a registration is reported for what it asked and nothing else; errors and
//! hangups raise the directions that were asked for; priority data never counts as something to
//! read; no event is without a flag; a disarmed registration is silent; waits never end early,
//! and resume after signals; every descriptor of its own is closed on exec.
//!
//! | | Linux, Android | macOS, BSD | illumos | Windows |
//! |---|---|---|---|---|
//! | [`Backend::available`], best first | epoll, native, poll, select | native, poll, select | native, poll | native |
//! | native is | epoll | kqueue | event ports | IOCP |
//! | sources | `AsFd` | `AsFd` | `AsFd` | `AsSocket` |
//! | [`Mode::Edge`] | epoll, native | native | none | none |
//! | [`Interest::PRIORITY`] | all | poll, select | all | all |
//! | error and hangup flags | all but select | poll | all | all |
//! | read-hangup flag | epoll, poll | poll on FreeBSD | poll | none |
//! | both directions in one event | yes | not native | yes | yes |
//! | system calls for a wait | 1; native 5 | 1; native a few | 1 | 1 |
//! | [`select()`] for three lists | yes | yes | absent | absent |
//! | [`Notifier`] | eventfd | pipe; native its own | pipe; native its own | its own |
//! | checked by | tests; Android by types | types | types | tests under wine |
//!
//! The tests under wine are those of the contract that need nothing of Unix: sockets, in level and
//! one-shot mode. Types alone say that the code compiles (for macOS, FreeBSD, illumos, and
//! Android); what these systems then do follows their manuals. On illumos and Windows the native
//! backend may report an urgent byte as something to read.
//!
//! # What it refuses
//!
//! - Regular files and directories: they have no readiness. Hand them to a thread.
//! - The same descriptor twice in one selector; register a duplicate.
//! - To be used by a child after `fork` without `exec`: parent and child would share one set of
//!   registrations in the kernel. Make a new selector in the child.
//! - To run callbacks, to read and write, to keep timers: that is for the loop above it.

mod backend;
mod counters;
mod deadline;
mod error;
mod events;
mod interest;
mod key;
#[cfg(all(unix, not(target_os = "illumos")))]
mod lists;
mod notifier;
mod numbers;
mod readiness;
mod registration;
mod selector;
mod slots;
mod source;

pub use backend::Backend;
pub use counters::Counters;
pub use error::{Refusal, RegisterError, StaleKey};
pub use events::{Event, Events};
pub use interest::{Interest, Mode};
pub use key::Key;
#[cfg(all(unix, not(target_os = "illumos")))]
pub use lists::select;
pub use notifier::Notifier;
pub use readiness::Readiness;
pub use registration::Registration;
pub use selector::Selector;
pub use source::Source;

/// The examples of the README run as tests.
#[cfg(all(doctest, unix, not(target_os = "illumos")))]
#[doc = include_str!("../README.md")]
struct Readme;
