//! What the programs `hello` and `echo` do with a connection, for any [`Server`](crate::Server).

use std::io;

use crate::family::Family;
use crate::stream::Stream;

/// The note's server: answers `Hello world` and a newline to every read of up to
/// [`CHUNK_SIZE`](crate::CHUNK_SIZE) bytes, until the other side has no more to say.
///
/// # Errors
///
/// Those of the connection.
#[expect(clippy::manual_async_fn, reason = "there the peer's address lives as long as the task")]
pub fn hello<K: Family>(
    mut stream: Stream<K>,
    _peer: K::Address,
) -> impl Future<Output = io::Result<()>> {
    async move {
        while stream.chunk().await?.is_some() {
            stream.write_all(b"Hello world\n").await?;
        }
        Ok(())
    }
}

/// Sends back every byte that comes, until the other side has no more to say. Reads no further
/// than one chunk ahead of what the other side takes in.
///
/// # Errors
///
/// Those of the connection.
#[expect(clippy::manual_async_fn, reason = "there the peer's address lives as long as the task")]
pub fn echo<K: Family>(
    mut stream: Stream<K>,
    _peer: K::Address,
) -> impl Future<Output = io::Result<()>> {
    async move {
        while let Some(chunk) = stream.chunk().await? {
            stream.write_all(&chunk).await?;
        }
        Ok(())
    }
}
