//! Address families: what TCP and UDP, and what Unix sockets, have of their own.

use std::fmt;
use std::hash::Hash;
use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::{Path, PathBuf};

/// An address family: [`Inet`], and on Unix [`Local`]. It cannot be implemented elsewhere.
///
/// Streams, listeners and datagram sockets are generic in it, so that code which takes a
/// [`Stream<K>`](crate::Stream) works over TCP and over Unix sockets. Code for one of them names it by
/// its usual name: [`TcpStream`](crate::TcpStream) is `Stream<Inet>`,
/// [`UdpSocket`](crate::UdpSocket) is `DatagramSocket<Inet>`, and so on.
///
/// ```
/// use net::{Family, Stream};
///
/// async fn greet<K: Family>(stream: &mut Stream<K>) -> std::io::Result<()> {
///     stream.write_all(b"good morning").await
/// }
///
/// # #[cfg(unix)]
/// # net::EventLoop::new()?.run_until(async {
/// let (mut near, mut far) = net::UnixStream::pair()?;
/// greet(&mut near).await?;
/// assert_eq!(far.chunk().await?.as_deref(), Some(&b"good morning"[..]));
/// # std::io::Result::Ok(())
/// # })??;
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait Family: sealed::Kind + fmt::Debug + Sized + Unpin + 'static {
    /// What names a socket in this family.
    type Address: Clone
        + fmt::Debug
        + fmt::Display
        + Eq
        + Hash
        + Send
        + Into<Address>
        + TryFrom<Address, Error = Address>
        + 'static;
}

/// The internet, ip(7) and ipv6(7): TCP and UDP.
#[derive(Debug)]
pub enum Inet {}

/// This machine, unix(7).
#[cfg(unix)]
#[derive(Debug)]
pub enum Local {}

/// The address of a socket of any family.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// An IP address and a port.
    Inet(SocketAddr),
    /// A path or name on this machine.
    #[cfg(unix)]
    Local(UnixAddr),
}

/// The address of a Unix socket.
///
/// ```
/// use net::UnixAddr;
///
/// let address = UnixAddr::path("/run/service");
/// assert_eq!(address.to_string(), "/run/service");
/// assert_eq!(UnixAddr::Unnamed.to_string(), "(unnamed)");
/// ```
#[cfg(unix)]
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UnixAddr {
    /// None: that of a socket that was not bound, as the connecting side mostly is. Nobody can be
    /// reached there.
    #[default]
    Unnamed,
    /// A path in the file system, neither empty nor with a zero byte, and at most 107 bytes long on
    /// Linux, 103 on macOS and the BSDs. Binding makes the file, and nobody removes it but the user.
    Path(PathBuf),
    /// A name outside the file system, which ends with the socket: any bytes, at most 107. Linux
    /// only.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    Abstract(Vec<u8>),
}

pub(crate) mod sealed {
    pub trait Kind {
        /// Whether a read that brings less than was asked for has emptied the socket. On TCP it
        /// has; a Unix socket also stops short where descriptors were passed.
        const SHORT_READ_IS_EMPTY: bool;
        /// Whether a datagram socket that would block is told when there is room again. A Unix
        /// socket would block where the queue of any other is full, and is told of none.
        const TELLS_OF_ROOM: bool;

        /// The address of a sender that has none.
        fn unnamed() -> Option<super::Address>;
    }
}

impl sealed::Kind for Inet {
    const SHORT_READ_IS_EMPTY: bool = true;
    const TELLS_OF_ROOM: bool = true;

    fn unnamed() -> Option<Address> {
        None
    }
}

impl Family for Inet {
    type Address = SocketAddr;
}

#[cfg(unix)]
impl sealed::Kind for Local {
    const SHORT_READ_IS_EMPTY: bool = false;
    const TELLS_OF_ROOM: bool = false;

    fn unnamed() -> Option<Address> {
        Some(UnixAddr::Unnamed.into())
    }
}

#[cfg(unix)]
impl Family for Local {
    type Address = UnixAddr;
}

#[cfg(unix)]
impl UnixAddr {
    /// The address at a path.
    #[must_use]
    pub fn path(path: impl AsRef<Path>) -> UnixAddr {
        UnixAddr::Path(path.as_ref().to_owned())
    }
}

/// The address as one of the family `K`.
pub(crate) fn named<K: Family>(address: Address) -> io::Result<K::Address> {
    let other = |address| io::Error::other(format!("{address} is of another address family"));
    K::Address::try_from(address).map_err(other)
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Address {
        Address::Inet(address)
    }
}

impl TryFrom<Address> for SocketAddr {
    type Error = Address;

    fn try_from(address: Address) -> Result<SocketAddr, Address> {
        match address {
            Address::Inet(address) => Ok(address),
            #[cfg(unix)]
            other @ Address::Local(_) => Err(other),
        }
    }
}

#[cfg(unix)]
impl From<UnixAddr> for Address {
    fn from(address: UnixAddr) -> Address {
        Address::Local(address)
    }
}

#[cfg(unix)]
impl TryFrom<Address> for UnixAddr {
    type Error = Address;

    fn try_from(address: Address) -> Result<UnixAddr, Address> {
        match address {
            Address::Local(address) => Ok(address),
            other @ Address::Inet(_) => Err(other),
        }
    }
}

impl Address {
    pub(crate) fn is_unnamed(&self) -> bool {
        match self {
            Address::Inet(_) => false,
            #[cfg(unix)]
            Address::Local(address) => *address == UnixAddr::Unnamed,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Inet(address) => address.fmt(f),
            #[cfg(unix)]
            Address::Local(address) => address.fmt(f),
        }
    }
}

#[cfg(unix)]
impl fmt::Display for UnixAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UnixAddr::Unnamed => f.write_str("(unnamed)"),
            UnixAddr::Path(path) => path.display().fmt(f),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            UnixAddr::Abstract(name) => write!(f, "@{}", name.escape_ascii()),
        }
    }
}
