//! HTTP/1.1 on an event loop: `Hello world` for browsers and load generators.
//!
//! A request head is parsed where it was received, its body is read and discarded, and every path
//! is answered 200 with the greeting; RFC 9110 and RFC 9112 say how. [`serve`] is a handler for any
//! [`Server`](crate::Server):
//!
//! ```
//! use net::programs::http;
//! use net::{Server, TcpStream};
//!
//! # net::EventLoop::new()?.run_until(async {
//! let server = Server::bind("127.0.0.1:0".parse().unwrap())?;
//! let address = server.local_addr()?;
//! net::spawn(server.serve(http::serve));
//!
//! let mut client = TcpStream::connect(address).await?;
//! client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
//! let answer = client.chunk().await?.unwrap();
//! assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
//! assert!(answer.ends_with(b"\r\n\r\nHello world\n"));
//! # std::io::Result::Ok(())
//! # })??;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # What it does
//!
//! - Connections are kept, in HTTP/1.0 if asked; requests may come one behind the other, and are
//!   answered in order, with one write for all that came in one read.
//! - GET and POST are answered 200, HEAD without the greeting, OPTIONS with the methods; other methods
//!   405 or 501, and the connection is kept.
//! - Bodies come by length or in chunks, with extensions and trailers; who waits for 100 (Continue)
//!   gets it.
//! - What cannot be parsed, or could be read in two ways, is answered 400; other versions than 1.0
//!   and 1.1, 505. After these, and beyond a limit, the connection is closed, but not before the client
//!   has had a chance to read the answer.
//!
//! # Limits
//!
//! [`MAX_HEAD`] and [`MAX_HEADERS`] (414 or 431), [`MAX_BODY`] (413), [`REQUEST_TIME`] (408),
//! [`LINGER_BYTES`] and [`LINGER_TIME`]. An idle connection holds no buffer, and costs about 450 bytes.
//! One in the middle of a head holds what came of it besides, at most [`MAX_HEAD`] bytes; one whose
//! client does not read its answers, or is waited for after the last, at most two buffers of
//! [`CHUNK_SIZE`](crate::CHUNK_SIZE).

mod answer;
mod body;
mod connection;
mod date;
mod head;
mod service;
#[cfg(test)]
mod tests;

use std::io;
use std::time::Duration;

use crate::family::Family;
use crate::stream::Stream;
pub use service::Service;

/// Bytes of a request's head at most, from the method to the empty line. Beyond it a target alone
/// is answered 414, and a head 431.
pub const MAX_HEAD: usize = 8192;

/// Header fields of a request at most; beyond it, it is answered 431.
pub const MAX_HEADERS: usize = 64;

/// Bytes of a request's body at most, with the sizes, extensions and trailers of its chunks; beyond
/// it, it is answered 413.
pub const MAX_BODY: u64 = 1 << 20;

/// How long a request may take from its first byte to its last, unless
/// [`request_time`](Service::request_time) says otherwise; then it is answered 408. A request that
/// comes whole in one read sets no timer.
pub const REQUEST_TIME: Duration = Duration::from_secs(30);

/// Bytes that are read after the last answer to a client that is still sending.
pub const LINGER_BYTES: usize = 1 << 20;

/// How long such a client may take to end.
pub const LINGER_TIME: Duration = Duration::from_secs(2);

/// Answers the requests of one connection, for any [`Server`](crate::Server): see the
/// [module](self).
///
/// # Errors
///
/// The future resolves to those of the connection.
///
/// # Panics
///
/// When the future is polled outside a loop.
pub fn serve<K: Family>(
    stream: Stream<K>,
    peer: K::Address,
) -> impl Future<Output = io::Result<()>> {
    // Not an `async fn`, which would hold the stream twice.
    Service::default().serve(stream, peer)
}
