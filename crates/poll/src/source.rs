//! What can be registered, on each platform.

#[cfg(unix)]
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
#[cfg(windows)]
use std::os::windows::io::{AsRawSocket, AsSocket, BorrowedSocket, RawSocket};

/// Anything with a descriptor that can be waited for; there is nothing to implement.
///
/// On Unix that is every [`AsFd`]: sockets, pipes, terminals, by value, borrowed, or in a `Box`,
/// `Rc` or `Arc`. On Windows it is every `AsSocket`.
#[cfg(unix)]
pub trait Source: AsFd {}

#[cfg(unix)]
impl<T: AsFd + ?Sized> Source for T {}

/// Anything with a socket that can be waited for; there is nothing to implement.
///
/// On Unix that is every `AsFd`. On Windows it is every [`AsSocket`], by value, borrowed, or in a
/// `Box`, `Rc` or `Arc`.
#[cfg(windows)]
pub trait Source: AsSocket {}

#[cfg(windows)]
impl<T: AsSocket + ?Sized> Source for T {}

/// What the kernel is given.
#[cfg(unix)]
pub(crate) type Descriptor<'a> = BorrowedFd<'a>;
#[cfg(windows)]
pub(crate) type Descriptor<'a> = BorrowedSocket<'a>;

/// What is remembered of a descriptor, to notice when a source names another one.
#[cfg(unix)]
pub(crate) type Number = RawFd;
#[cfg(windows)]
pub(crate) type Number = RawSocket;

/// The descriptor of `source`.
#[cfg(unix)]
pub(crate) fn descriptor<S: Source>(source: &S) -> Descriptor<'_> {
    source.as_fd()
}

/// The socket of `source`.
#[cfg(windows)]
pub(crate) fn descriptor<S: Source>(source: &S) -> Descriptor<'_> {
    source.as_socket()
}

/// The number of `descriptor`.
#[cfg(unix)]
pub(crate) fn number(descriptor: Descriptor<'_>) -> Number {
    descriptor.as_raw_fd()
}

/// The number of `descriptor`.
#[cfg(windows)]
pub(crate) fn number(descriptor: Descriptor<'_>) -> Number {
    descriptor.as_raw_socket()
}
