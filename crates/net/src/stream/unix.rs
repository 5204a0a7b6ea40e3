//! What a connection over a Unix socket has of its own.

use std::io;

use crate::core::current;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use crate::driver::PeerCredentials;
use crate::driver::{Kind, Readiness};
use crate::registered::Registered;
use crate::stream::UnixStream;

impl UnixStream {
    /// Two ends of a connection that has no address.
    ///
    /// # Errors
    ///
    /// Those of socketpair(2); [`NoLoop`](crate::NoLoop) outside a loop.
    ///
    /// ```
    /// # net::EventLoop::new()?.run_until(async {
    /// let (mut near, mut far) = net::UnixStream::pair()?;
    /// near.write_all(b"across the room").await?;
    /// assert_eq!(far.chunk().await?.as_deref(), Some(&b"across the room"[..]));
    /// # std::io::Result::Ok(())
    /// # })??;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let core = current()?;
        let (near, far) = core.driver.pair(Kind::Stream)?;
        let near = Registered::with(core.clone(), near, Readiness::WRITE)?;
        Ok((UnixStream::new(near), UnixStream::new(Registered::with(core, far, Readiness::WRITE)?)))
    }

    /// Which process is at the other end. Linux only.
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn peer_credentials(&self) -> io::Result<PeerCredentials> {
        self.io.source.socket.peer_credentials()
    }
}
