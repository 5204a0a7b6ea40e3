//! What the programs `hello` and `echo` do with a connection, for any [`Server`](crate::Server).

use std::io;
use std::net::SocketAddr;

use crate::tcp::TcpStream;

/// The note's server: answers `Hello world` and a newline to every read of up to
/// [`CHUNK_SIZE`](crate::CHUNK_SIZE) bytes, until the other side has no more to say.
///
/// # Errors
///
/// Those of the connection.
pub async fn hello(mut stream: TcpStream, _peer: SocketAddr) -> io::Result<()> {
    while stream.chunk().await?.is_some() {
        stream.write_all(b"Hello world\n").await?;
    }
    Ok(())
}

/// Sends back every byte that comes, until the other side has no more to say. Reads no further
/// than one chunk ahead of what the other side takes in.
///
/// # Errors
///
/// Those of the connection.
pub async fn echo(mut stream: TcpStream, _peer: SocketAddr) -> io::Result<()> {
    while let Some(chunk) = stream.chunk().await? {
        stream.write_all(&chunk).await?;
    }
    Ok(())
}
