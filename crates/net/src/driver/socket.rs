//! A non-blocking socket of the operating system.

use std::io::{self, IoSlice, IoSliceMut, Read};
use std::net::Shutdown;
#[cfg(unix)]
use std::os::fd::{AsFd, BorrowedFd};
#[cfg(windows)]
use std::os::windows::io::{AsSocket, BorrowedSocket};

use rustix::net::{RecvFlags, SendFlags};
use socket2::{Domain, Type};

use super::address::{from_system, to_system};
use crate::family::Address;
use crate::source::Source;

/// A socket that never blocks, or a duplicate of another descriptor that does not.
#[derive(Debug)]
pub(crate) struct Socket(pub(super) socket2::Socket);

impl Socket {
    /// A stream socket that listens on `address` with the longest backlog the system allows.
    ///
    /// On Unix an internet address may be taken again while connections of an earlier listener
    /// linger; on Windows that option would let two programs share a port, so it is left off.
    pub(super) fn listen(address: &Address) -> io::Result<Socket> {
        let socket = open(address, Type::STREAM)?;
        #[cfg(unix)]
        if let Address::Inet(_) = address {
            socket.set_reuse_address(true)?;
        }
        socket.bind(&to_system(address)?)?;
        socket.listen(i32::MAX)?;
        Ok(Socket(socket))
    }

    /// A stream socket that has begun to connect; it is writable once that has ended, and
    /// [`Socket::connected`] tells how.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) where the backlog of a Unix listener is full, and
    /// the system does not tell when it no longer is.
    pub(super) fn connect(address: &Address) -> io::Result<Socket> {
        let socket = open(address, Type::STREAM)?;
        let address = to_system(address)?;
        loop {
            match socket.connect(&address) {
                // Where the attempt goes on all the same, the next call says so.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if !in_progress(&error) => return Err(error),
                _ => return Ok(Socket(socket)),
            }
        }
    }

    /// A datagram socket with the address `address`.
    pub(super) fn bind(address: &Address) -> io::Result<Socket> {
        let socket = open(address, Type::DGRAM)?;
        socket.bind(&to_system(address)?)?;
        Ok(Socket(socket))
    }

    /// A Unix datagram socket without an address.
    #[cfg(unix)]
    pub(super) fn unbound() -> io::Result<Socket> {
        let socket = socket2::Socket::new(Domain::UNIX, Type::DGRAM, None)?;
        socket.set_nonblocking(true)?;
        Ok(Socket(socket))
    }

    /// Two Unix sockets that are connected to each other.
    #[cfg(unix)]
    pub(super) fn pair(kind: Kind) -> io::Result<(Socket, Socket)> {
        let kind = match kind {
            Kind::Stream => Type::STREAM,
            Kind::Datagram => Type::DGRAM,
        };
        let (one, other) = socket2::Socket::pair(Domain::UNIX, kind, None)?;
        one.set_nonblocking(true)?;
        other.set_nonblocking(true)?;
        Ok((Socket(one), Socket(other)))
    }

    /// A duplicate of any descriptor: both name the same open file.
    #[cfg(unix)]
    pub(super) fn duplicate(descriptor: BorrowedFd<'_>) -> io::Result<Socket> {
        Ok(Socket(descriptor.try_clone_to_owned()?.into()))
    }

    /// Sees to it that the open file does not block, and says whether it did.
    #[cfg(unix)]
    pub(crate) fn set_nonblocking(&self) -> io::Result<bool> {
        let blocked = !self.0.nonblocking()?;
        if blocked {
            self.0.set_nonblocking(true)?;
        }
        Ok(blocked)
    }

    /// Lets the open file block again.
    #[cfg(unix)]
    pub(crate) fn set_blocking(&self) -> io::Result<()> {
        self.0.set_nonblocking(false)
    }

    #[cfg(not(feature = "sim"))]
    fn system(&self) -> &Socket {
        self
    }

    /// Says that datagrams go to `address` from now on, and come from there alone.
    pub(crate) fn connect_to(&self, address: &Address) -> io::Result<()> {
        self.0.connect(&to_system(address)?)
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
    pub(crate) fn accept(&self) -> io::Result<(Socket, Address)> {
        let flags = rustix::net::SocketFlags::NONBLOCK | rustix::net::SocketFlags::CLOEXEC;
        let (socket, peer) = rustix::net::acceptfrom_with(&self.0, flags)?;
        let socket = Socket(socket.into());
        match peer.and_then(super::address::of_peer) {
            Some(peer) => Ok((socket, peer)),
            None => socket.peer_addr().map(|peer| (socket, peer)),
        }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(crate) fn accept(&self) -> io::Result<(Socket, Address)> {
        let (socket, peer) = self.0.accept()?;
        socket.set_nonblocking(true)?;
        Ok((Socket(socket), from_system(&peer)?))
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
        self.recv_with(buffer, RecvFlags::empty())
    }

    #[inline]
    fn recv_with(&self, buffer: &mut [u8], flags: RecvFlags) -> io::Result<usize> {
        match rustix::net::recv(&self.0, buffer, flags) {
            Ok((_, length)) => Ok(length),
            // This side has closed the direction, which reads as the end everywhere else.
            #[cfg(windows)]
            Err(rustix::io::Errno::SHUTDOWN) => Ok(0),
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

    /// As [`Socket::recv`], and what is received stays to be received again.
    pub(crate) fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.recv_with(buffer, RecvFlags::PEEK)
    }

    /// Fills one buffer after the other; see recvmsg(2).
    pub(crate) fn recv_vectored(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        (&self.0).read_vectored(buffers)
    }

    /// Sends one buffer after the other; see sendmsg(2).
    pub(crate) fn send_vectored(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.send_vectored_with_flags(buffers, QUIET.bits() as _).map_err(with_kind)
    }

    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.0.shutdown(how)
    }

    pub(crate) fn local_addr(&self) -> io::Result<Address> {
        from_system(&self.0.local_addr()?)
    }

    pub(crate) fn peer_addr(&self) -> io::Result<Address> {
        from_system(&self.0.peer_addr()?)
    }
}

#[cfg(unix)]
impl AsFd for Source {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.system().0.as_fd()
    }
}

#[cfg(windows)]
impl AsSocket for Source {
    fn as_socket(&self) -> BorrowedSocket<'_> {
        self.socket.system().0.as_socket()
    }
}

/// What a pair of Unix sockets carries.
#[cfg(unix)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Stream,
    Datagram,
}

/// Apart, or else the error is worked out before it is known whether there is one.
#[cold]
#[inline(never)]
fn failed(errno: rustix::io::Errno) -> io::Error {
    with_kind(errno.into())
}

/// The error under the kind that it has on Unix, where std knows none: on Windows a direction that
/// this side has closed has an error of its own.
fn with_kind(error: io::Error) -> io::Error {
    #[cfg(windows)]
    if error.raw_os_error() == Some(rustix::io::Errno::SHUTDOWN.raw_os_error()) {
        return io::Error::new(io::ErrorKind::BrokenPipe, error);
    }
    error
}

fn open(address: &Address, kind: Type) -> io::Result<socket2::Socket> {
    let domain = match address {
        Address::Inet(address) => Domain::for_address(*address),
        #[cfg(unix)]
        Address::Local(_) => Domain::UNIX,
    };
    let socket = socket2::Socket::new(domain, kind, None)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Whether an attempt to connect goes on, or has succeeded. On Unix, "would block" says that nothing
/// has begun: the backlog of a Unix socket is full, or the system has no room for the route.
fn in_progress(error: &io::Error) -> bool {
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        let errno = Errno::from_io_error(error);
        matches!(errno, Some(Errno::INPROGRESS | Errno::ALREADY | Errno::ISCONN))
    }
    #[cfg(windows)]
    {
        error.kind() == io::ErrorKind::WouldBlock
    }
}

/// A peer that is gone is an error, not a signal. Where the flag is missing, the option
/// SO_NOSIGPIPE or the system itself sees to it.
#[cfg(not(any(target_vendor = "apple", windows)))]
pub(super) const QUIET: SendFlags = SendFlags::NOSIGNAL;
#[cfg(any(target_vendor = "apple", windows))]
pub(super) const QUIET: SendFlags = SendFlags::empty();

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
        const WSAECONNABORTED: i32 = 10053;
        const WSAECONNRESET: i32 = 10054;
        const WSAENOBUFS: i32 = 10055;
        const WSAENOTCONN: i32 = 10057;
        match error.raw_os_error() {
            Some(WSAEMFILE | WSAENOBUFS) => AcceptFailure::Exhausted,
            // Of a connection that was reset before, Windows says the second and wine the third.
            Some(WSAECONNABORTED | WSAECONNRESET | WSAENOTCONN) => AcceptFailure::Connection,
            _ => AcceptFailure::Listener,
        }
    }
}

/// Whether an attempt to connect failed for the lack of a way to the host: of a route, or of the
/// whole address family.
pub(crate) fn is_unreachable(error: &io::Error) -> bool {
    use io::ErrorKind::{AddrNotAvailable, HostUnreachable, NetworkUnreachable};
    #[cfg(unix)]
    let is_no_family = error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error());
    #[cfg(windows)]
    let is_no_family = error.raw_os_error() == Some(10047); // WSAEAFNOSUPPORT
    is_no_family || matches!(error.kind(), AddrNotAvailable | HostUnreachable | NetworkUnreachable)
}
