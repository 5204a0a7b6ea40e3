//! The servers that hello and echo are compared with: what they have in common.
//!
//! Each is written as a good user of its library would write it: no tricks, and nothing slow on
//! purpose. What the connections of hello and echo have, these have too: reads of 4096 bytes, as
//! many descriptors as are allowed, and no socket options.

mod answer;
mod arguments;
mod epoll;
mod start;

pub use answer::{Answer, Canned, Echo, Hello};
pub use arguments::{Arguments, Service};
pub use epoll::serve;
pub use start::{ANYWHERE, Unavailable, announce, main, on_threads};

/// Answers every read of hello, and every request of HTTP.
pub const HELLO: &[u8] = b"Hello world\n";

/// How much is read at a time, in bytes.
pub const READ_SIZE: usize = 4096;

/// What went wrong, for whoever runs the program to read.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
