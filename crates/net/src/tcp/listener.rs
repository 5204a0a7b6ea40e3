//! A socket that accepts connections.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use crate::ask::{Awaitable, Direction, Wanted, sealed};
use crate::driver::{Readiness, Socket};
use crate::registered::Registered;
use crate::source::Source;
use crate::tcp::TcpStream;

/// A TCP socket that accepts connections.
///
/// For an accept loop with limits and a graceful end see [`Server`](crate::Server).
///
/// ```
/// use net::{TcpListener, TcpStream};
///
/// # net::EventLoop::new()?.run_until(async {
/// let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
/// let client = TcpStream::connect(listener.local_addr()?).await?;
/// let (served, peer) = listener.accept().await?;
/// assert_eq!(peer, client.local_addr()?);
/// # drop(served);
/// # std::io::Result::Ok(())
/// # })??;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct TcpListener {
    io: Registered,
}

impl TcpListener {
    /// Listens on `address`; port 0 lets the system choose one. The backlog is the longest that
    /// the system allows. On Unix, connections of an earlier listener that linger do not keep the
    /// address busy (SO_REUSEADDR).
    ///
    /// # Errors
    ///
    /// [`AddrInUse`](io::ErrorKind::AddrInUse) and others of bind(2);
    /// [`NoLoop`](crate::NoLoop) outside a loop;
    /// [`Unsupported`](io::ErrorKind::Unsupported) on a manual clock.
    pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
        let io = Registered::new(Socket::listen(address)?, Readiness::EMPTY)?;
        Ok(TcpListener { io })
    }

    /// Waits for a connection.
    ///
    /// # Errors
    ///
    /// Those of accept(2): some tell of one connection that failed before it was accepted, others
    /// of a process that has no descriptor left. [`Server`](crate::Server) tells them apart.
    /// [`AlreadyWaiting`](crate::AlreadyWaiting) while another task accepts.
    pub fn accept(&self) -> impl Future<Output = io::Result<(TcpStream, SocketAddr)>> + '_ {
        self.io.when_readable(|source| self.take(source))
    }

    /// Accepts a connection that is already there; for generators that asked for
    /// [`Ask::read`](crate::Ask::read).
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when there is none; otherwise as
    /// [`TcpListener::accept`].
    pub fn try_accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.io.attempt(Direction::Read, |source| self.take(source))
    }

    /// The address it listens on.
    ///
    /// # Errors
    ///
    /// Those of getsockname(2).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.source.socket.local_addr()
    }

    pub(crate) fn registered(&self) -> &Registered {
        &self.io
    }

    fn take(&self, source: &Source) -> io::Result<(TcpStream, SocketAddr)> {
        let (socket, peer) = source.socket.accept()?;
        let io = Registered::with(Rc::clone(&self.io.core), socket, Readiness::WRITE)?;
        Ok((TcpStream::new(io), peer))
    }
}

impl sealed::Sealed for TcpListener {}

impl Awaitable for TcpListener {
    fn wanted(&self, direction: Direction) -> Wanted {
        self.io.wanted(direction)
    }
}
