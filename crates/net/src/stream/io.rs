//! What is done with a connection, and what that says about its readiness.

use std::io::{self, IoSlice, IoSliceMut};

use crate::ask::Direction;
use crate::chunk::{self, CHUNK_SIZE, Chunk};
use crate::family::Family;
use crate::registered::Registered;
use crate::source::Source;

/// How many buffers one vectored read or write takes, where more are given: `IOV_MAX` of Linux, macOS
/// and the BSDs, for which more would be an error.
pub const MAX_BUFFERS: usize = 1024;

impl Registered {
    #[inline]
    pub(super) fn chunk<K: Family>(&self) -> impl Future<Output = io::Result<Option<Chunk>>> + '_ {
        self.when_readable(|source| {
            let mut buffer = chunk::take();
            match source.socket.recv(&mut buffer.bytes[..]) {
                Ok(length @ 1..) => {
                    source.received::<K>(length, CHUNK_SIZE);
                    Ok(Some(Chunk::new(buffer, length)))
                }
                other => {
                    chunk::give_unused(buffer);
                    other.map(|_| None)
                }
            }
        })
    }

    #[inline]
    pub(super) fn read<'a, K: Family>(
        &'a self,
        buffer: &'a mut [u8],
    ) -> impl Future<Output = io::Result<usize>> + 'a {
        self.when_readable(|source| source.recv::<K>(buffer))
    }

    #[inline]
    pub(super) fn write<'a>(
        &'a self,
        bytes: &'a [u8],
    ) -> impl Future<Output = io::Result<usize>> + 'a {
        self.when_writable(|source| source.send(bytes))
    }

    pub(super) fn read_vectored<'a, K: Family>(
        &'a self,
        buffers: &'a mut [IoSliceMut<'_>],
    ) -> impl Future<Output = io::Result<usize>> + 'a {
        self.when_readable(|source| source.recv_vectored::<K>(buffers))
    }

    pub(super) fn write_vectored<'a>(
        &'a self,
        buffers: &'a [IoSlice<'_>],
    ) -> impl Future<Output = io::Result<usize>> + 'a {
        self.when_writable(|source| source.send_vectored(buffers))
    }

    #[inline]
    pub(super) fn write_all<'a>(
        &'a self,
        mut bytes: &'a [u8],
    ) -> impl Future<Output = io::Result<()>> + 'a {
        self.when_writable(move |source| {
            let sent = source.socket.send(bytes)?;
            if sent == bytes.len() {
                return Ok(());
            }
            // What did not fit waits for room.
            source.forget_overdue(Direction::Write);
            bytes = bytes.get(sent..).unwrap_or_default();
            Err(io::ErrorKind::WouldBlock.into())
        })
    }

    pub(super) fn try_read<K: Family>(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.attempt(Direction::Read, |source| source.recv::<K>(buffer))
    }

    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.attempt(Direction::Write, |source| source.send(bytes))
    }
}

impl Source {
    /// Receives, and notes whether more can be there.
    #[inline]
    pub(super) fn recv<K: Family>(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let received = self.socket.recv(buffer)?;
        self.received::<K>(received, buffer.len());
        Ok(received)
    }

    pub(super) fn recv_vectored<K: Family>(
        &self,
        buffers: &mut [IoSliceMut<'_>],
    ) -> io::Result<usize> {
        let taken = buffers.len().min(MAX_BUFFERS);
        let buffers = &mut buffers[..taken];
        let received = self.socket.recv_vectored(buffers)?;
        self.received::<K>(received, buffers.iter().map(|buffer| buffer.len()).sum());
        Ok(received)
    }

    /// Notes whether more can be there where there was room for `room` bytes.
    #[inline]
    fn received<K: Family>(&self, length: usize, room: usize) {
        if K::SHORT_READ_IS_EMPTY && length != 0 && length < room {
            self.short_read();
        }
    }

    /// Sends, and notes whether there can be room for more.
    #[inline]
    pub(super) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.socket.send(bytes)?;
        if sent < bytes.len() {
            self.used_up(Direction::Write);
        }
        Ok(sent)
    }

    pub(super) fn send_vectored(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let buffers = &buffers[..buffers.len().min(MAX_BUFFERS)];
        let sent = self.socket.send_vectored(buffers)?;
        if sent < buffers.iter().map(|buffer| buffer.len()).sum() {
            self.used_up(Direction::Write);
        }
        Ok(sent)
    }
}
