//! The halves of a connection, for two tasks.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::rc::Rc;

use crate::ask::{Awaitable, Direction, Wanted, sealed};
use crate::chunk::Chunk;
use crate::family::{Family, Inet};
use crate::stream::Stream;

/// The half of a [`Stream`] that reads.
#[derive(Debug)]
pub struct ReadHalf<K: Family = Inet>(pub(super) Rc<Stream<K>>);

/// The half of a [`Stream`] that writes. Dropping it does not end the stream:
/// [`WriteHalf::shutdown`] does.
#[derive(Debug)]
pub struct WriteHalf<K: Family = Inet>(pub(super) Rc<Stream<K>>);

/// Two halves that were not split from one connection; both come back.
#[derive(Debug)]
pub struct ReuniteError<K: Family = Inet>(pub ReadHalf<K>, pub WriteHalf<K>);

impl<K: Family> ReadHalf<K> {
    pub(super) fn new(stream: Rc<Stream<K>>) -> ReadHalf<K> {
        ReadHalf(stream)
    }

    pub(super) fn stream(&self) -> &Stream<K> {
        &self.0
    }

    /// As [`Stream::chunk`].
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn chunk(&mut self) -> impl Future<Output = io::Result<Option<Chunk>>> + '_ {
        self.0.io.chunk::<K>()
    }

    /// As [`Stream::read`].
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn read<'a>(
        &'a mut self,
        buffer: &'a mut [u8],
    ) -> impl Future<Output = io::Result<usize>> + 'a {
        self.0.io.read::<K>(buffer)
    }

    /// As [`Stream::read_vectored`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn read_vectored<'a>(
        &'a mut self,
        buffers: &'a mut [IoSliceMut<'_>],
    ) -> impl Future<Output = io::Result<usize>> + 'a {
        self.0.io.read_vectored::<K>(buffers)
    }

    /// As [`Stream::peek`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn peek<'a>(
        &'a mut self,
        buffer: &'a mut [u8],
    ) -> impl Future<Output = io::Result<usize>> + 'a {
        self.0.io.when_readable(|source| source.socket.peek(buffer))
    }

    /// As [`Stream::readable`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn readable(&mut self) -> impl Future<Output = io::Result<()>> + '_ {
        self.0.io.when_readable(|_| Ok(()))
    }

    /// As [`Stream::try_read`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.io.try_read::<K>(buffer)
    }

    /// Makes one connection of the two halves again.
    ///
    /// # Errors
    ///
    /// Gives both back when they come from two connections.
    pub fn reunite(self, writer: WriteHalf<K>) -> Result<Stream<K>, ReuniteError<K>> {
        if !Rc::ptr_eq(&self.0, &writer.0) {
            return Err(ReuniteError(self, writer));
        }
        drop(writer);
        match Rc::try_unwrap(self.0) {
            Ok(stream) => Ok(stream),
            Err(_) => unreachable!("a connection has two halves, and both are here"),
        }
    }
}

impl<K: Family> WriteHalf<K> {
    pub(super) fn new(stream: Rc<Stream<K>>) -> WriteHalf<K> {
        WriteHalf(stream)
    }

    pub(super) fn stream(&self) -> &Stream<K> {
        &self.0
    }

    /// As [`Stream::write`].
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn write<'a>(
        &'a mut self,
        bytes: &'a [u8],
    ) -> impl Future<Output = io::Result<usize>> + 'a {
        self.0.io.write(bytes)
    }

    /// As [`Stream::write_all`].
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn write_all<'a>(
        &'a mut self,
        bytes: &'a [u8],
    ) -> impl Future<Output = io::Result<()>> + 'a {
        self.0.io.write_all(bytes)
    }

    /// As [`Stream::write_vectored`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn write_vectored<'a>(
        &'a mut self,
        buffers: &'a [IoSlice<'_>],
    ) -> impl Future<Output = io::Result<usize>> + 'a {
        self.0.io.write_vectored(buffers)
    }

    /// As [`Stream::writable`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn writable(&mut self) -> impl Future<Output = io::Result<()>> + '_ {
        self.0.io.when_writable(|_| Ok(()))
    }

    /// As [`Stream::try_write`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.io.try_write(bytes)
    }

    /// Ends what this side writes; the other half reads on.
    ///
    /// # Errors
    ///
    /// Those of shutdown(2).
    pub fn shutdown(&mut self) -> io::Result<()> {
        self.0.io.source.socket.shutdown(Shutdown::Write)
    }
}

impl<K: Family> fmt::Display for ReuniteError<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the halves come from two different connections")
    }
}

impl<K: Family> std::error::Error for ReuniteError<K> {}

impl<K: Family> sealed::Sealed for ReadHalf<K> {}

impl<K: Family> Awaitable for ReadHalf<K> {
    fn wanted(&self, direction: Direction) -> Wanted {
        self.0.io.wanted(direction)
    }
}

impl<K: Family> sealed::Sealed for WriteHalf<K> {}

impl<K: Family> Awaitable for WriteHalf<K> {
    fn wanted(&self, direction: Direction) -> Wanted {
        self.0.io.wanted(direction)
    }
}
