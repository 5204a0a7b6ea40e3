//! A non-blocking socket of the operating system.

use std::io;
use std::net::{Shutdown, SocketAddr};
#[cfg(unix)]
use std::os::fd::{AsFd, BorrowedFd};
#[cfg(windows)]
use std::os::windows::io::{AsSocket, BorrowedSocket};

use rustix::net::{RecvFlags, SendFlags};
use socket2::{Domain, Protocol, SockAddr, Type};

use crate::source::Source;

/// A socket that never blocks.
#[derive(Debug)]
pub(crate) struct Socket(pub(super) socket2::Socket);

impl Socket {
    /// A TCP socket that listens on `address` with the longest backlog the system allows.
    ///
    /// On Unix the address may be taken again while connections of an earlier listener linger; on
    /// Windows that option would let two programs share a port, so it is left off.
    pub(crate) fn listen(address: SocketAddr) -> io::Result<Socket> {
        let socket = tcp(address)?;
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(i32::MAX)?;
        Ok(Socket(socket))
    }

    /// A TCP socket that has begun to connect; it is writable once that has ended, and
    /// [`Socket::connected`] tells how.
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Socket> {
        let socket = tcp(address)?;
        match socket.connect(&address.into()) {
            Err(error) if !in_progress(&error) => Err(error),
            _ => Ok(Socket(socket)),
        }
    }

    /// How an attempt to connect ended.
    ///
    /// # Errors
    ///
    /// The attempt's own; [`WouldBlock`](io::ErrorKind::WouldBlock) while it goes on.
    pub(crate) fn connected(&self) -> io::Result<()> {
        if let Some(error) = self.0.take_error()? {
            return Err(error);
        }
        match self.0.peer_addr() {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                Err(io::ErrorKind::WouldBlock.into())
            }
            named => named.map(drop),
        }
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn accept(&self) -> io::Result<(Socket, SocketAddr)> {
        let flags = rustix::net::SocketFlags::NONBLOCK | rustix::net::SocketFlags::CLOEXEC;
        let (socket, peer) = rustix::net::acceptfrom_with(&self.0, flags)?;
        let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok());
        Ok((Socket(socket.into()), peer.ok_or(io::ErrorKind::ConnectionAborted)?))
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(crate) fn accept(&self) -> io::Result<(Socket, SocketAddr)> {
        let (socket, peer) = self.0.accept()?;
        socket.set_nonblocking(true)?;
        Ok((Socket(socket), peer.as_socket().ok_or(io::ErrorKind::ConnectionAborted)?))
    }

    /// Whether a connection waits to be accepted; accept(2) does not tell while the process has no
    /// descriptor left. Where it cannot be told, yes.
    pub(crate) fn has_backlog(&self) -> bool {
        #[cfg(unix)]
        {
            use rustix::event::{PollFd, PollFlags, Timespec, poll};
            let now = Timespec { tv_sec: 0, tv_nsec: 0 };
            let mut listener = [PollFd::new(&self.0, PollFlags::IN)];
            poll(&mut listener, Some(&now)) != Ok(0)
        }
        #[cfg(not(unix))]
        true
    }

    #[inline]
    pub(crate) fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match rustix::net::recv(&self.0, buffer, RecvFlags::empty()) {
            Ok((_, length)) => Ok(length),
            Err(errno) => Err(failed(errno)),
        }
    }

    #[inline]
    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        match rustix::net::send(&self.0, bytes, QUIET) {
            Ok(length) => Ok(length),
            Err(errno) => Err(failed(errno)),
        }
    }

    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.0.shutdown(how)
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        named(self.0.local_addr()?)
    }

    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        named(self.0.peer_addr()?)
    }
}

#[cfg(unix)]
impl AsFd for Source {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.0.as_fd()
    }
}

#[cfg(windows)]
impl AsSocket for Source {
    fn as_socket(&self) -> BorrowedSocket<'_> {
        self.socket.0.as_socket()
    }
}

/// Apart, or else the error is worked out before it is known whether there is one.
#[cold]
#[inline(never)]
fn failed(errno: rustix::io::Errno) -> io::Error {
    errno.into()
}

fn tcp(address: SocketAddr) -> io::Result<socket2::Socket> {
    let socket =
        socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn in_progress(error: &io::Error) -> bool {
    #[cfg(unix)]
    let begun = error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error());
    #[cfg(windows)]
    let begun = false;
    begun || error.kind() == io::ErrorKind::WouldBlock
}

fn named(address: SockAddr) -> io::Result<SocketAddr> {
    address.as_socket().ok_or_else(|| io::Error::other("the socket has no internet address"))
}

/// A peer that is gone is an error, not a signal. Where the flag is missing, the option
/// SO_NOSIGPIPE or the system itself sees to it.
#[cfg(not(any(target_vendor = "apple", windows)))]
const QUIET: SendFlags = SendFlags::NOSIGNAL;
#[cfg(any(target_vendor = "apple", windows))]
const QUIET: SendFlags = SendFlags::empty();

/// What an error of accept(2) means for the listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AcceptFailure {
    /// One connection failed before it was accepted; the next may be well.
    Connection,
    /// The process or the system has no descriptor or memory left for now.
    Exhausted,
    /// The listener itself is of no use any more.
    Listener,
}

impl AcceptFailure {
    #[cfg(unix)]
    pub(crate) fn of(error: &io::Error) -> AcceptFailure {
        use rustix::io::Errno;
        if error.kind() == io::ErrorKind::ConnectionAborted {
            return AcceptFailure::Connection;
        }
        match Errno::from_io_error(error) {
            Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM | Errno::NOSPC) => {
                AcceptFailure::Exhausted
            }
            Some(Errno::BADF | Errno::INVAL | Errno::NOTSOCK | Errno::FAULT) | None => {
                AcceptFailure::Listener
            }
            // The manual page lists many more that the network may cause, and advises to treat
            // them like EAGAIN: the next connection may be well.
            Some(_) => AcceptFailure::Connection,
        }
    }

    #[cfg(windows)]
    pub(crate) fn of(error: &io::Error) -> AcceptFailure {
        const WSAEMFILE: i32 = 10024;
        const WSAECONNRESET: i32 = 10054;
        const WSAENOBUFS: i32 = 10055;
        match error.raw_os_error() {
            Some(WSAEMFILE | WSAENOBUFS) => AcceptFailure::Exhausted,
            Some(WSAECONNRESET) => AcceptFailure::Connection,
            _ => AcceptFailure::Listener,
        }
    }
}
