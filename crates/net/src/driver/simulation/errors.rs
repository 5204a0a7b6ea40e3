//! The errors of the system that have no [`ErrorKind`](std::io::ErrorKind).

use std::io;

use rustix::io::Errno;

/// EMFILE: the process has no descriptor left.
pub(super) const NO_DESCRIPTOR: Errno = Errno::MFILE;

/// ENOBUFS: the kernel has no memory left.
pub(super) const NO_BUFFERS: Errno = Errno::NOBUFS;

/// EAFNOSUPPORT: the address is of another family than the socket's.
pub(super) const OTHER_FAMILY: Errno = Errno::AFNOSUPPORT;

/// EDESTADDRREQ: a datagram without an address, from a socket that is not connected.
pub(super) const NO_DESTINATION: Errno = Errno::DESTADDRREQ;

/// EMSGSIZE: a datagram is too long.
pub(super) const TOO_LONG: Errno = Errno::MSGSIZE;

/// EPROTOTYPE: what is bound there carries something else.
#[cfg(unix)]
pub(super) const WRONG_KIND: Errno = Errno::PROTOTYPE;

pub(super) fn failed(errno: Errno) -> io::Error {
    errno.into()
}
