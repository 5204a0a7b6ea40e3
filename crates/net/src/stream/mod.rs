//! A connection.

mod connect;
mod deadlines;
#[cfg(feature = "futures-io")]
mod futures_io;
mod halves;
mod io;
mod tcp;
#[cfg(unix)]
mod unix;

use std::io::{ErrorKind, IoSlice, IoSliceMut, Result};
use std::marker::PhantomData;
use std::net::Shutdown;
use std::rc::Rc;
use std::time::Duration;

use crate::ask::{Awaitable, Direction, Wanted, sealed};
use crate::chunk::Chunk;
use crate::core::{Core, current};
use crate::driver::{Readiness, Socket};
use crate::family::{Family, Inet, named};
use crate::registered::Registered;
use crate::time::pause;
pub use connect::{CONNECT_ATTEMPTS, CONNECT_DELAY, ConnectError};
pub use halves::{ReadHalf, ReuniteError, WriteHalf};
pub use io::MAX_BUFFERS;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use unix::PeerCredentials;

/// A TCP connection.
pub type TcpStream = Stream<Inet>;

/// A connection over a Unix socket.
#[cfg(unix)]
pub type UnixStream = Stream<crate::family::Local>;

/// A connection: a [`TcpStream`] or a [`UnixStream`](crate::UnixStream).
///
/// Dropping it closes it. Reading and writing take `&mut self`; [`Stream::split`] makes two
/// halves for two tasks. Dropping a pending read or write loses nothing but, for
/// [`Stream::write_all`], the count of what was already sent.
///
/// ```
/// use net::TcpStream;
///
/// async fn echo(mut stream: TcpStream) -> std::io::Result<()> {
///     while let Some(chunk) = stream.chunk().await? {
///         stream.write_all(&chunk).await?;
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct Stream<K: Family> {
    io: Registered,
    family: PhantomData<K>,
}

/// How long connecting to a Unix listener with a full backlog, and sending to a Unix datagram socket
/// with a full queue, wait before they try again: the system gives no news of room.
pub const UNIX_PAUSE: Duration = Duration::from_millis(10);

impl<K: Family> Stream<K> {
    pub(crate) fn new(io: Registered) -> Stream<K> {
        Stream { io, family: PhantomData }
    }

    /// A connection that was accepted, in the loop that is to watch it.
    pub(crate) fn accepted(core: Rc<Core>, socket: Socket) -> Result<Stream<K>> {
        Registered::with(core, socket, Readiness::WRITE).map(Stream::new)
    }

    pub(crate) fn registered(&self) -> &Registered {
        &self.io
    }

    /// Connects to `address`. Where the backlog of a Unix listener is full, which only Linux tells
    /// apart from a refusal, or the system has no room for another route, it tries again every
    /// [`UNIX_PAUSE`] until there is room.
    ///
    /// # Errors
    ///
    /// The attempt's own, such as [`ConnectionRefused`](ErrorKind::ConnectionRefused), and
    /// [`NotFound`](ErrorKind::NotFound) for the path of a Unix socket that is not there;
    /// [`InvalidInput`](ErrorKind::InvalidInput) for a path or name that is none, or too long;
    /// [`NoLoop`](crate::NoLoop) outside a loop;
    /// [`Unsupported`](ErrorKind::Unsupported) on a manual clock.
    pub async fn connect(address: K::Address) -> Result<Stream<K>> {
        let core = current()?;
        let address = address.into();
        let socket = loop {
            match core.driver.connect(&address) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    pause(&core, UNIX_PAUSE).await?;
                }
                begun => break begun?,
            }
        };
        let io = Registered::with(core, socket, Readiness::EMPTY)?;
        io.when_writable(|source| source.socket.connected()).await?;
        Ok(Stream::new(io))
    }

    /// Reads at most [`CHUNK_SIZE`](crate::CHUNK_SIZE) bytes into a buffer of the loop's pool;
    /// `None` at the end of the stream. No buffer is held while it waits, so that an idle
    /// connection costs none.
    ///
    /// # Errors
    ///
    /// Those of recv(2), such as [`ConnectionReset`](ErrorKind::ConnectionReset).
    #[inline]
    pub fn chunk(&mut self) -> impl Future<Output = Result<Option<Chunk>>> + '_ {
        self.io.chunk::<K>()
    }

    /// Reads into `buffer`; 0 at the end of the stream. An empty buffer waits as any other does,
    /// and then takes nothing.
    ///
    /// # Errors
    ///
    /// As [`Stream::chunk`].
    #[inline]
    pub fn read<'a>(
        &'a mut self,
        buffer: &'a mut [u8],
    ) -> impl Future<Output = Result<usize>> + 'a {
        self.io.read::<K>(buffer)
    }

    /// Reads into `buffers`, one after the other, in one call, as readv(2) does; beyond
    /// [`MAX_BUFFERS`] the rest of them stays as it is.
    ///
    /// # Errors
    ///
    /// As [`Stream::chunk`].
    pub fn read_vectored<'a>(
        &'a mut self,
        buffers: &'a mut [IoSliceMut<'_>],
    ) -> impl Future<Output = Result<usize>> + 'a {
        self.io.read_vectored::<K>(buffers)
    }

    /// Waits as [`Stream::read`] does, and copies into `buffer` what the next read will bring, which
    /// stays there; 0 at the end of the stream.
    ///
    /// # Errors
    ///
    /// As [`Stream::chunk`].
    pub fn peek<'a>(
        &'a mut self,
        buffer: &'a mut [u8],
    ) -> impl Future<Output = Result<usize>> + 'a {
        self.io.when_readable(|source| source.socket.peek(buffer))
    }

    /// Waits until a read may bring something: [`Stream::try_read`] tells whether it does. With it,
    /// the buffer of a read can be found after the wait instead of before. It returns at once until a
    /// read has found nothing left.
    ///
    /// # Errors
    ///
    /// [`AlreadyWaiting`](crate::AlreadyWaiting) while another task reads.
    pub fn readable(&mut self) -> impl Future<Output = Result<()>> + '_ {
        self.io.when_readable(|_| Ok(()))
    }

    /// Waits until a write may take something: [`Stream::try_write`] tells whether it does. It returns
    /// at once until a write has found no room left.
    ///
    /// # Errors
    ///
    /// [`AlreadyWaiting`](crate::AlreadyWaiting) while another task writes.
    pub fn writable(&mut self) -> impl Future<Output = Result<()>> + '_ {
        self.io.when_writable(|_| Ok(()))
    }

    /// Writes some of `bytes`, and says how many.
    ///
    /// # Errors
    ///
    /// Those of send(2), such as [`BrokenPipe`](ErrorKind::BrokenPipe); never a signal.
    #[inline]
    pub fn write<'a>(&'a mut self, bytes: &'a [u8]) -> impl Future<Output = Result<usize>> + 'a {
        self.io.write(bytes)
    }

    /// Writes some of `buffers`, one after the other, in one call, as writev(2) does, and says how many
    /// bytes that were; at most [`MAX_BUFFERS`] are looked at.
    ///
    /// # Errors
    ///
    /// As [`Stream::write`].
    pub fn write_vectored<'a>(
        &'a mut self,
        buffers: &'a [IoSlice<'_>],
    ) -> impl Future<Output = Result<usize>> + 'a {
        self.io.write_vectored(buffers)
    }

    /// Writes all of `bytes`, waiting as often as the receiver is slower.
    ///
    /// # Errors
    ///
    /// As [`Stream::write`]; some of the bytes may have been sent.
    #[inline]
    pub fn write_all<'a>(&'a mut self, bytes: &'a [u8]) -> impl Future<Output = Result<()>> + 'a {
        self.io.write_all(bytes)
    }

    /// Reads what is there; for generators that asked for [`Ask::read`](crate::Ask::read).
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](ErrorKind::WouldBlock) when nothing is; otherwise as
    /// [`Stream::read`].
    pub fn try_read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.io.try_read::<K>(buffer)
    }

    /// Writes what there is room for; for generators that asked for
    /// [`Ask::write`](crate::Ask::write).
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](ErrorKind::WouldBlock) when there is no room; otherwise as
    /// [`Stream::write`].
    pub fn try_write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.io.try_write(bytes)
    }

    /// Closes one direction or both; the other side sees the end of the stream once it has read
    /// what was written before.
    ///
    /// # Errors
    ///
    /// Those of shutdown(2).
    pub fn shutdown(&mut self, how: Shutdown) -> Result<()> {
        self.io.source.socket.shutdown(how)?;
        if how != Shutdown::Write {
            // Windows does not report what this side does; now every read finds its end.
            let end = Readiness::READ | Readiness::READ_HANGUP;
            self.io.source.report(end, &mut self.io.core.arrivals());
        }
        Ok(())
    }

    /// Splits the connection, for one task to read and another to write. It is closed when both
    /// halves are dropped.
    ///
    /// ```
    /// use net::{TcpListener, TcpStream, spawn};
    ///
    /// # net::EventLoop::new()?.run_until(async {
    /// # let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    /// # let address = listener.local_addr()?;
    /// # spawn(async move { net::handlers::echo(listener.accept().await?.0, address).await });
    /// let (mut reader, mut writer) = TcpStream::connect(address).await?.split();
    /// let sent = spawn(async move {
    ///     writer.write_all(b"there and back").await?;
    ///     writer.shutdown()
    /// });
    /// let mut heard = Vec::new();
    /// while let Some(chunk) = reader.chunk().await? {
    ///     heard.extend_from_slice(&chunk);
    /// }
    /// assert_eq!(heard, b"there and back");
    /// # sent.await.unwrap()
    /// # })??;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn split(self) -> (ReadHalf<K>, WriteHalf<K>) {
        let stream = Rc::new(self);
        (ReadHalf::new(Rc::clone(&stream)), WriteHalf::new(stream))
    }

    /// This side's address.
    ///
    /// # Errors
    ///
    /// Those of getsockname(2).
    pub fn local_addr(&self) -> Result<K::Address> {
        named::<K>(self.io.source.socket.local_addr()?)
    }

    /// The other side's address.
    ///
    /// # Errors
    ///
    /// Those of getpeername(2).
    pub fn peer_addr(&self) -> Result<K::Address> {
        named::<K>(self.io.source.socket.peer_addr()?)
    }
}

impl<K: Family> sealed::Sealed for Stream<K> {}

impl<K: Family> Awaitable for Stream<K> {
    fn wanted(&self, direction: Direction) -> Wanted {
        self.io.wanted(direction)
    }
}
