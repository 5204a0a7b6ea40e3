//! Streams and their halves for everything that reads and writes through `futures-io`.
//!
//! Whoever calls a poll function may come again, or another task may, or nobody. So the wait that a
//! call leaves stays in the source ([`Registered::poll_readable`]), belongs to who polled last, and
//! gives way to any other wait.
//!
//! [`Registered::poll_readable`]: crate::registered::Registered::poll_readable

use std::io::{IoSlice, IoSliceMut, Result};
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

use crate::family::Family;
use crate::stream::{ReadHalf, Stream, WriteHalf};

/// Each type, and the way from it to its connection.
macro_rules! reads {
    ($($end:ty, $($io:tt).+;)*) => {$(
        /// With the feature `futures-io`. A read costs what [`Stream::read`] costs, and counts as
        /// one operation. The task that polled last is the one that is brought back; an operation
        /// that is awaited afterwards takes its place.
        impl<K: Family> AsyncRead for $end {
            #[inline]
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffer: &mut [u8],
            ) -> Poll<Result<usize>> {
                self.$($io).+.poll_readable(cx, |source| source.recv::<K>(buffer))
            }

            fn poll_read_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffers: &mut [IoSliceMut<'_>],
            ) -> Poll<Result<usize>> {
                self.$($io).+.poll_readable(cx, |source| source.recv_vectored::<K>(buffers))
            }
        }
    )*};
}

macro_rules! writes {
    ($($end:ty, $($io:tt).+;)*) => {$(
        /// With the feature `futures-io`; waits as its reads do. Nothing is held back, so that there is
        /// nothing to flush. Closing ends what this side writes, as shutdown(2) does.
        impl<K: Family> AsyncWrite for $end {
            #[inline]
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bytes: &[u8],
            ) -> Poll<Result<usize>> {
                self.$($io).+.poll_writable(cx, |source| source.send(bytes))
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffers: &[IoSlice<'_>],
            ) -> Poll<Result<usize>> {
                self.$($io).+.poll_writable(cx, |source| source.send_vectored(buffers))
            }

            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
                Poll::Ready(self.$($io).+.source.socket.shutdown(Shutdown::Write))
            }
        }
    )*};
}

reads! {
    Stream<K>, io;
    ReadHalf<K>, 0.io;
}

writes! {
    Stream<K>, io;
    WriteHalf<K>, 0.io;
}
