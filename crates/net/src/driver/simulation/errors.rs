//! The errors of the system that have no [`ErrorKind`](std::io::ErrorKind).

use std::io;

use rustix::io::Errno;

/// EMFILE: the process has no descriptor left.
pub(super) const NO_DESCRIPTOR: Errno = Errno::MFILE;

/// ENOBUFS: the kernel has no memory left.
pub(super) const NO_BUFFERS: Errno = Errno::NOBUFS;

pub(super) fn failed(errno: Errno) -> io::Error {
    errno.into()
}
