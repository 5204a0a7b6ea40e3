//! Pipes, terminals and the like for everything that reads and writes through `futures-io`.

use std::io::{Read, Result, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

use crate::pollable::Pollable;

/// With the feature `futures-io`; waits as a [`Stream`](crate::Stream) does.
impl<T: Read + Unpin> AsyncRead for Pollable<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<Result<usize>> {
        let Pollable { duplicate, source } = &mut *self;
        duplicate.io.poll_readable(cx, |_| source.read(buffer))
    }
}

/// With the feature `futures-io`; waits as a [`Stream`](crate::Stream) does. Closing flushes and no
/// more: a pipe ends when it is dropped.
impl<T: Write + Unpin> AsyncWrite for Pollable<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        let Pollable { duplicate, source } = &mut *self;
        duplicate.io.poll_writable(cx, |_| source.write(bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let Pollable { duplicate, source } = &mut *self;
        duplicate.io.poll_writable(cx, |_| source.flush())
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_flush(cx)
    }
}
