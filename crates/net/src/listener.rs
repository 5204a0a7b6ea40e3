//! A socket that accepts connections.

use std::io;
use std::marker::PhantomData;
use std::rc::Rc;

use crate::ask::{Awaitable, Direction, Wanted, sealed};
use crate::core::current;
use crate::driver::{Readiness, Socket};
use crate::family::{Family, Inet, named};
use crate::registered::Registered;
use crate::source::Source;
use crate::stream::Stream;

/// A TCP socket that accepts connections.
pub type TcpListener = Listener<Inet>;

/// A Unix socket that accepts connections.
#[cfg(unix)]
pub type UnixListener = Listener<crate::family::Local>;

/// A socket that accepts connections: a [`TcpListener`] or a [`UnixListener`](crate::UnixListener).
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
pub struct Listener<K: Family> {
    io: Registered,
    family: PhantomData<K>,
}

impl<K: Family> Listener<K> {
    /// Listens on `address`; port 0 lets the system choose one. The backlog is the longest that
    /// the system allows. On Unix, connections of an earlier listener that linger do not keep an
    /// internet address busy (SO_REUSEADDR). The file of a Unix socket is made here and stays when
    /// the listener is dropped, as unix(7) has it: who made it removes it.
    ///
    /// # Errors
    ///
    /// [`AddrInUse`](io::ErrorKind::AddrInUse), also where the file of a Unix socket is there
    /// already, and others of bind(2);
    /// [`NoLoop`](crate::NoLoop) outside a loop;
    /// [`Unsupported`](io::ErrorKind::Unsupported) on a manual clock.
    pub fn bind(address: K::Address) -> io::Result<Listener<K>> {
        let core = current()?;
        let socket = core.driver.listen(&address.into())?;
        let io = Registered::with(core, socket, Readiness::EMPTY)?;
        Ok(Listener { io, family: PhantomData })
    }

    /// Waits for a connection.
    ///
    /// # Errors
    ///
    /// Those of accept(2): some tell of one connection that failed before it was accepted, others
    /// of a process that has no descriptor left. [`Server`](crate::Server) tells them apart.
    /// [`AlreadyWaiting`](crate::AlreadyWaiting) while another task accepts.
    pub fn accept(&self) -> impl Future<Output = io::Result<(Stream<K>, K::Address)>> + '_ {
        self.io.when_readable(|source| self.take_in(take::<K>(source)?))
    }

    /// Accepts a connection that is already there; for generators that asked for
    /// [`Ask::read`](crate::Ask::read).
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when there is none; otherwise as
    /// [`Listener::accept`].
    pub fn try_accept(&self) -> io::Result<(Stream<K>, K::Address)> {
        self.io.attempt(Direction::Read, |source| self.take_in(take::<K>(source)?))
    }

    /// As [`Listener::accept`], for a connection that no loop watches yet.
    pub(crate) fn accept_socket(
        &self,
    ) -> impl Future<Output = io::Result<(Socket, K::Address)>> + '_ {
        self.io.when_readable(take::<K>)
    }

    /// As [`Listener::try_accept`], for a connection that no loop watches yet.
    pub(crate) fn try_accept_socket(&self) -> io::Result<(Socket, K::Address)> {
        self.io.attempt(Direction::Read, take::<K>)
    }

    /// The address it listens on.
    ///
    /// # Errors
    ///
    /// Those of getsockname(2).
    pub fn local_addr(&self) -> io::Result<K::Address> {
        named::<K>(self.io.source.socket.local_addr()?)
    }

    pub(crate) fn registered(&self) -> &Registered {
        &self.io
    }

    fn take_in(&self, (socket, peer): (Socket, K::Address)) -> io::Result<(Stream<K>, K::Address)> {
        Ok((Stream::accepted(Rc::clone(&self.io.core), socket)?, peer))
    }
}

/// Takes a connection out of the backlog.
fn take<K: Family>(source: &Source) -> io::Result<(Socket, K::Address)> {
    let (socket, peer) = source.socket.accept()?;
    Ok((socket, named::<K>(peer)?))
}

impl<K: Family> sealed::Sealed for Listener<K> {}

impl<K: Family> Awaitable for Listener<K> {
    fn wanted(&self, direction: Direction) -> Wanted {
        self.io.wanted(direction)
    }
}
