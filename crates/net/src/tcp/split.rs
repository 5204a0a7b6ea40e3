//! The halves of a connection, for two tasks.

use std::fmt;
use std::io;
use std::net::Shutdown;
use std::rc::Rc;

use crate::ask::{Awaitable, Direction, Wanted, sealed};
use crate::chunk::Chunk;
use crate::registered::Registered;
use crate::tcp::TcpStream;

/// The half of a [`TcpStream`] that reads.
#[derive(Debug)]
pub struct ReadHalf(Rc<Registered>);

/// The half of a [`TcpStream`] that writes. Dropping it does not end the stream:
/// [`WriteHalf::shutdown`] does.
#[derive(Debug)]
pub struct WriteHalf(Rc<Registered>);

/// Two halves that were not split from one connection; both come back.
#[derive(Debug)]
pub struct ReuniteError(pub ReadHalf, pub WriteHalf);

impl ReadHalf {
    pub(super) fn new(io: Rc<Registered>) -> ReadHalf {
        ReadHalf(io)
    }

    /// As [`TcpStream::chunk`].
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn chunk(&mut self) -> impl Future<Output = io::Result<Option<Chunk>>> + '_ {
        self.0.chunk()
    }

    /// As [`TcpStream::read`].
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn read<'a>(
        &'a mut self,
        buffer: &'a mut [u8],
    ) -> impl Future<Output = io::Result<usize>> + 'a {
        self.0.read(buffer)
    }

    /// As [`TcpStream::try_read`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }

    /// Makes one connection of the two halves again.
    ///
    /// # Errors
    ///
    /// Gives both back when they come from two connections.
    pub fn reunite(self, writer: WriteHalf) -> Result<TcpStream, ReuniteError> {
        if !Rc::ptr_eq(&self.0, &writer.0) {
            return Err(ReuniteError(self, writer));
        }
        drop(writer);
        match Rc::try_unwrap(self.0) {
            Ok(io) => Ok(TcpStream::new(io)),
            Err(_) => unreachable!("a connection has two halves, and both are here"),
        }
    }
}

impl WriteHalf {
    pub(super) fn new(io: Rc<Registered>) -> WriteHalf {
        WriteHalf(io)
    }

    /// As [`TcpStream::write`].
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn write<'a>(
        &'a mut self,
        bytes: &'a [u8],
    ) -> impl Future<Output = io::Result<usize>> + 'a {
        self.0.write(bytes)
    }

    /// As [`TcpStream::write_all`].
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn write_all<'a>(
        &'a mut self,
        bytes: &'a [u8],
    ) -> impl Future<Output = io::Result<()>> + 'a {
        self.0.write_all(bytes)
    }

    /// As [`TcpStream::try_write`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    /// Ends what this side writes; the other half reads on.
    ///
    /// # Errors
    ///
    /// Those of shutdown(2).
    pub fn shutdown(&mut self) -> io::Result<()> {
        self.0.source.socket.shutdown(Shutdown::Write)
    }
}

impl fmt::Display for ReuniteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the halves come from two different connections")
    }
}

impl std::error::Error for ReuniteError {}

impl sealed::Sealed for ReadHalf {}

impl Awaitable for ReadHalf {
    fn wanted(&self, direction: Direction) -> Wanted {
        self.0.wanted(direction)
    }
}

impl sealed::Sealed for WriteHalf {}

impl Awaitable for WriteHalf {
    fn wanted(&self, direction: Direction) -> Wanted {
        self.0.wanted(direction)
    }
}
