//! A connection.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::rc::Rc;

use crate::ask::{Awaitable, Direction, Wanted, sealed};
use crate::chunk::{self, CHUNK_SIZE, Chunk};
use crate::driver::{Readiness, Socket};
use crate::registered::Registered;
use crate::source::Source;
use crate::tcp::split::{ReadHalf, WriteHalf};

/// A TCP connection.
///
/// Dropping it closes it. Reading and writing take `&mut self`; [`TcpStream::split`] makes two
/// halves for two tasks. Dropping a pending read or write loses nothing but, for
/// [`TcpStream::write_all`], the count of what was already sent.
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
pub struct TcpStream {
    pub(super) io: Registered,
}

impl TcpStream {
    pub(super) fn new(io: Registered) -> TcpStream {
        TcpStream { io }
    }

    /// Connects to `address`.
    ///
    /// # Errors
    ///
    /// The attempt's own, such as [`ConnectionRefused`](io::ErrorKind::ConnectionRefused);
    /// [`NoLoop`](crate::NoLoop) outside a loop.
    pub async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
        let io = Registered::new(Socket::connect(address)?, Readiness::EMPTY)?;
        io.when_writable(|source| source.socket.connected()).await?;
        Ok(TcpStream { io })
    }

    /// Reads at most [`CHUNK_SIZE`](crate::CHUNK_SIZE) bytes into a buffer of the loop's pool;
    /// `None` at the end of the stream. No buffer is held while it waits, so that an idle
    /// connection costs none.
    ///
    /// # Errors
    ///
    /// Those of recv(2), such as [`ConnectionReset`](io::ErrorKind::ConnectionReset).
    #[inline]
    pub fn chunk(&mut self) -> impl Future<Output = io::Result<Option<Chunk>>> + '_ {
        self.io.chunk()
    }

    /// Reads into `buffer`; 0 at the end of the stream. An empty buffer waits as any other does,
    /// and then takes nothing.
    ///
    /// # Errors
    ///
    /// As [`TcpStream::chunk`].
    #[inline]
    pub fn read<'a>(
        &'a mut self,
        buffer: &'a mut [u8],
    ) -> impl Future<Output = io::Result<usize>> + 'a {
        self.io.read(buffer)
    }

    /// Writes some of `bytes`, and says how many.
    ///
    /// # Errors
    ///
    /// Those of send(2), such as [`BrokenPipe`](io::ErrorKind::BrokenPipe); never a signal.
    #[inline]
    pub fn write<'a>(
        &'a mut self,
        bytes: &'a [u8],
    ) -> impl Future<Output = io::Result<usize>> + 'a {
        self.io.write(bytes)
    }

    /// Writes all of `bytes`, waiting as often as the receiver is slower.
    ///
    /// # Errors
    ///
    /// As [`TcpStream::write`]; some of the bytes may have been sent.
    #[inline]
    pub fn write_all<'a>(
        &'a mut self,
        bytes: &'a [u8],
    ) -> impl Future<Output = io::Result<()>> + 'a {
        self.io.write_all(bytes)
    }

    /// Reads what is there; for generators that asked for [`Ask::read`](crate::Ask::read).
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when nothing is; otherwise as
    /// [`TcpStream::read`].
    pub fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.io.try_read(buffer)
    }

    /// Writes what there is room for; for generators that asked for
    /// [`Ask::write`](crate::Ask::write).
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when there is no room; otherwise as
    /// [`TcpStream::write`].
    pub fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.io.try_write(bytes)
    }

    /// Closes one direction or both; the other side sees the end of the stream once it has read
    /// what was written before.
    ///
    /// # Errors
    ///
    /// Those of shutdown(2).
    pub fn shutdown(&mut self, how: Shutdown) -> io::Result<()> {
        self.io.source.socket.shutdown(how)
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
    pub fn split(self) -> (ReadHalf, WriteHalf) {
        let io = Rc::new(self.io);
        (ReadHalf::new(Rc::clone(&io)), WriteHalf::new(io))
    }

    /// This side's address.
    ///
    /// # Errors
    ///
    /// Those of getsockname(2).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.source.socket.local_addr()
    }

    /// The other side's address.
    ///
    /// # Errors
    ///
    /// Those of getpeername(2).
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.source.socket.peer_addr()
    }
}

impl Registered {
    #[inline]
    pub(super) fn chunk(&self) -> impl Future<Output = io::Result<Option<Chunk>>> + '_ {
        self.when_readable(|source| {
            let mut buffer = chunk::take();
            match source.socket.recv(&mut buffer[..]) {
                Ok(length @ 1..) => {
                    if length < CHUNK_SIZE {
                        source.short_read();
                    }
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
    pub(super) fn read<'a>(
        &'a self,
        buffer: &'a mut [u8],
    ) -> impl Future<Output = io::Result<usize>> + 'a {
        self.when_readable(|source| source.recv(buffer))
    }

    #[inline]
    pub(super) fn write<'a>(
        &'a self,
        bytes: &'a [u8],
    ) -> impl Future<Output = io::Result<usize>> + 'a {
        self.when_writable(|source| source.send(bytes))
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
            bytes = bytes.get(sent..).unwrap_or_default();
            Err(io::ErrorKind::WouldBlock.into())
        })
    }

    pub(super) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.attempt(Direction::Read, |source| source.recv(buffer))
    }

    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.attempt(Direction::Write, |source| source.send(bytes))
    }
}

impl Source {
    /// Receives, and notes whether more can be there.
    #[inline]
    fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let received = self.socket.recv(buffer)?;
        if received != 0 && received < buffer.len() {
            self.short_read();
        }
        Ok(received)
    }

    /// Sends, and notes whether there can be room for more.
    #[inline]
    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.socket.send(bytes)?;
        if sent < bytes.len() {
            self.used_up(Direction::Write);
        }
        Ok(sent)
    }
}

impl sealed::Sealed for TcpStream {}

impl Awaitable for TcpStream {
    fn wanted(&self, direction: Direction) -> Wanted {
        self.io.wanted(direction)
    }
}
