//! Sockets that carry datagrams.

mod udp;
#[cfg(unix)]
mod unix;

use std::io;
use std::marker::PhantomData;

use crate::ask::{Awaitable, Direction, Wanted, sealed};
use crate::core::current;
use crate::driver::{Readiness, Received};
use crate::family::{Family, Inet, named};
use crate::registered::Registered;
use crate::source::Source;
use crate::stream::UNIX_PAUSE;
use crate::time::pause;

/// A UDP socket.
pub type UdpSocket = DatagramSocket<Inet>;

/// A Unix datagram socket.
#[cfg(unix)]
pub type UnixDatagram = DatagramSocket<crate::family::Local>;

/// A socket that carries datagrams: a [`UdpSocket`] or a [`UnixDatagram`](crate::UnixDatagram).
///
/// Each datagram is sent and received whole, so a socket may be shared (in an `Rc`): by one task that
/// receives and one that sends at a time. A datagram without bytes is a datagram; one that is longer
/// than the buffer is cut, and [`Received`] says so.
///
/// ```
/// use net::UdpSocket;
///
/// # net::EventLoop::new()?.run_until(async {
/// let server = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
/// let client = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
/// client.connect(&server.local_addr()?)?;
/// client.send(b"what time is it?").await?;
///
/// let mut buffer = [0; 512];
/// let (received, from) = server.recv_from(&mut buffer).await?;
/// assert_eq!(&buffer[..received.length], b"what time is it?");
/// server.send_to(b"late", &from).await?;
/// assert_eq!(client.recv(&mut buffer).await?.length, 4);
/// # std::io::Result::Ok(())
/// # })??;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct DatagramSocket<K: Family> {
    io: Registered,
    family: PhantomData<K>,
}

impl<K: Family> DatagramSocket<K> {
    fn new(io: Registered) -> DatagramSocket<K> {
        DatagramSocket { io, family: PhantomData }
    }

    /// A socket with the address `address`; port 0 lets the system choose one. The file of a Unix
    /// socket is made here and stays when the socket is dropped: who made it removes it.
    ///
    /// # Errors
    ///
    /// [`AddrInUse`](io::ErrorKind::AddrInUse), also where the file of a Unix socket is there
    /// already, and others of bind(2);
    /// [`NoLoop`](crate::NoLoop) outside a loop;
    /// [`Unsupported`](io::ErrorKind::Unsupported) on a manual clock.
    pub fn bind(address: K::Address) -> io::Result<DatagramSocket<K>> {
        let core = current()?;
        let socket = core.driver.bind(&address.into())?;
        Ok(DatagramSocket::new(Registered::with(core, socket, Readiness::WRITE)?))
    }

    /// Says where [`DatagramSocket::send`] sends to, and from whom alone datagrams come in from now on;
    /// those of others that came before are still received. Nothing is sent by it; it may be called
    /// again.
    ///
    /// # Errors
    ///
    /// Those of connect(2).
    pub fn connect(&self, address: &K::Address) -> io::Result<()> {
        self.io.source.socket.connect_to(&address.clone().into())
    }

    /// Receives a datagram into `buffer`; an empty buffer takes one too.
    ///
    /// # Errors
    ///
    /// Those of recvmsg(2); on a connected UDP socket
    /// [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) where an earlier datagram found
    /// nobody. [`AlreadyWaiting`](crate::AlreadyWaiting) while another task receives.
    pub fn recv<'a>(
        &'a self,
        buffer: &'a mut [u8],
    ) -> impl Future<Output = io::Result<Received>> + 'a {
        self.io.when_readable(|source| recv(source, buffer))
    }

    /// Receives a datagram into `buffer`, and says who sent it.
    ///
    /// # Errors
    ///
    /// As [`DatagramSocket::recv`]; on Windows [`InvalidData`](io::ErrorKind::InvalidData) for one
    /// that is longer than the buffer, since the system does not say who sent it.
    pub fn recv_from<'a>(
        &'a self,
        buffer: &'a mut [u8],
    ) -> impl Future<Output = io::Result<(Received, K::Address)>> + 'a {
        self.io.when_readable(|source| recv_from::<K>(source, buffer, false))
    }

    /// As [`DatagramSocket::recv_from`], and the datagram stays to be received again.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn peek_from<'a>(
        &'a self,
        buffer: &'a mut [u8],
    ) -> impl Future<Output = io::Result<(Received, K::Address)>> + 'a {
        self.io.when_readable(|source| recv_from::<K>(source, buffer, true))
    }

    /// Sends a datagram to where the socket is connected to, and says how many bytes that were: all. It
    /// waits while there is no room, in this socket or in the queue of a Unix socket that receives. A
    /// UDP receiver whose queue is full loses the datagram, and nobody is told.
    ///
    /// # Errors
    ///
    /// Those of send(2), such as `EMSGSIZE` for one that is too long, and an error that waits on
    /// the socket, which an earlier datagram met. Outside Linux a full queue of a Unix socket is one,
    /// `ENOBUFS`. [`AlreadyWaiting`](crate::AlreadyWaiting) while another task waits to send.
    pub fn send<'a>(&'a self, bytes: &'a [u8]) -> impl Future<Output = io::Result<usize>> + 'a {
        self.io.when_writable(|source| source.socket.send(bytes))
    }

    /// Sends a datagram to `address`. Where the queue of a Unix socket there is full, it tries again
    /// every [`UNIX_PAUSE`] until there is room.
    ///
    /// # Errors
    ///
    /// As [`DatagramSocket::send`].
    pub async fn send_to(&self, bytes: &[u8], address: &K::Address) -> io::Result<usize> {
        let address = address.clone().into();
        loop {
            self.forget_other_queues();
            let attempt = |source: &Source| match source.socket.send_to(bytes, &address) {
                Err(error) if !K::TELLS_OF_ROOM && error.kind() == io::ErrorKind::WouldBlock => {
                    Ok(None)
                }
                sent => sent.map(Some),
            };
            match self.io.when_writable(attempt).await? {
                Some(sent) => return Ok(sent),
                None => pause(&self.io.core, UNIX_PAUSE).await?,
            }
        }
    }

    /// Receives a datagram that is already there.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when there is none; otherwise as
    /// [`DatagramSocket::recv`].
    pub fn try_recv(&self, buffer: &mut [u8]) -> io::Result<Received> {
        self.io.attempt(Direction::Read, |source| recv(source, buffer))
    }

    /// As [`DatagramSocket::try_recv`], and says who sent it.
    ///
    /// # Errors
    ///
    /// As there, and as [`DatagramSocket::recv_from`].
    pub fn try_recv_from(&self, buffer: &mut [u8]) -> io::Result<(Received, K::Address)> {
        self.io.attempt(Direction::Read, |source| recv_from::<K>(source, buffer, false))
    }

    /// Sends a datagram if there is room now.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when there is none; otherwise as
    /// [`DatagramSocket::send`].
    pub fn try_send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.io.attempt(Direction::Write, |source| source.socket.send(bytes))
    }

    /// As [`DatagramSocket::try_send`], to `address`. Where the queue of a Unix socket is full, the
    /// system gives no news of room: a generator then asks for [`Ask::Until`](crate::Ask::Until) a
    /// moment [`UNIX_PAUSE`] from now, since [`Ask::write`](crate::Ask::write) would be granted at
    /// once.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_send_to(&self, bytes: &[u8], address: &K::Address) -> io::Result<usize> {
        let address = address.clone().into();
        let attempt = |source: &Source| source.socket.send_to(bytes, &address);
        let sent = self.io.attempt(Direction::Write, attempt);
        self.forget_other_queues();
        sent
    }

    /// Whether a Unix socket can send depends on the queue of the receiver, and each has its own: that
    /// one was full says nothing of the next, and no news of it would come.
    fn forget_other_queues(&self) {
        if !K::TELLS_OF_ROOM {
            self.io.source.assume_ready(Direction::Write);
        }
    }

    /// Waits until there may be a datagram: [`DatagramSocket::try_recv`] tells. With it, the buffer
    /// can be found after the wait instead of before.
    ///
    /// # Errors
    ///
    /// [`AlreadyWaiting`](crate::AlreadyWaiting) while another task receives.
    pub fn readable(&self) -> impl Future<Output = io::Result<()>> + '_ {
        self.io.when_readable(|_| Ok(()))
    }

    /// This side's address.
    ///
    /// # Errors
    ///
    /// Those of getsockname(2).
    pub fn local_addr(&self) -> io::Result<K::Address> {
        named::<K>(self.io.source.socket.local_addr()?)
    }

    /// Where the socket is connected to.
    ///
    /// # Errors
    ///
    /// Those of getpeername(2), such as [`NotConnected`](io::ErrorKind::NotConnected).
    pub fn peer_addr(&self) -> io::Result<K::Address> {
        named::<K>(self.io.source.socket.peer_addr()?)
    }

    /// Takes the error that waits on the socket, if any: the option `SO_ERROR`.
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.io.source.socket.take_error()
    }
}

fn recv(source: &Source, buffer: &mut [u8]) -> io::Result<Received> {
    Ok(source.socket.recv_datagram(buffer, false)?.0)
}

fn recv_from<K: Family>(
    source: &Source,
    buffer: &mut [u8],
    peek: bool,
) -> io::Result<(Received, K::Address)> {
    let (received, from) = source.socket.recv_datagram(buffer, peek)?;
    let from = from.or_else(K::unnamed).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, "the system does not say who sent the datagram")
    })?;
    Ok((received, named::<K>(from)?))
}

impl<K: Family> sealed::Sealed for DatagramSocket<K> {}

impl<K: Family> Awaitable for DatagramSocket<K> {
    fn wanted(&self, direction: Direction) -> Wanted {
        self.io.wanted(direction)
    }
}
