//! Addresses as the system writes them.

use std::io;

use socket2::SockAddr;

use crate::family::Address;
#[cfg(unix)]
use crate::family::UnixAddr;

/// # Errors
///
/// When a path or name is too long for the system, or holds a zero byte where it must not.
pub(super) fn to_system(address: &Address) -> io::Result<SockAddr> {
    match address {
        Address::Inet(address) => Ok((*address).into()),
        #[cfg(unix)]
        Address::Local(UnixAddr::Path(path)) => at_path(path),
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Address::Local(UnixAddr::Abstract(name)) => abstract_name(name),
        #[cfg(unix)]
        Address::Local(UnixAddr::Unnamed) => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "no name is no address to bind or to send to",
        )),
    }
}

/// # Errors
///
/// When the address is of no family that this crate knows.
pub(super) fn from_system(address: &SockAddr) -> io::Result<Address> {
    if let Some(address) = address.as_socket() {
        return Ok(Address::Inet(address));
    }
    #[cfg(unix)]
    if address.is_unix() {
        return Ok(Address::Local(local(address)));
    }
    Err(io::Error::other("the socket has an address of an unknown family"))
}

#[cfg(unix)]
fn local(address: &SockAddr) -> UnixAddr {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(name) = address.as_abstract_namespace() {
        return UnixAddr::Abstract(name.to_owned());
    }
    address.as_pathname().map_or(UnixAddr::Unnamed, UnixAddr::path)
}

/// The system would stop at a zero byte, and take an empty path for no address at all.
#[cfg(unix)]
fn at_path(path: &std::path::Path) -> io::Result<SockAddr> {
    use std::os::unix::ffi::OsStrExt;
    let bytes = path.as_os_str().as_bytes();
    if bytes.is_empty() || bytes.contains(&0) {
        let what = "the path of a socket is neither empty nor holds a zero byte";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    SockAddr::unix(path)
}

/// unix(7) marks an abstract name by a zero byte before it.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn abstract_name(name: &[u8]) -> io::Result<SockAddr> {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    SockAddr::unix(OsStr::from_bytes(&[b"\0", name].concat()))
}

/// Where the path begins in an address of unix(7), and the length of one whose path leaves no room
/// for a zero byte behind it.
#[cfg(unix)]
const PATH_AT: u32 = 2;
#[cfg(any(target_os = "linux", target_os = "android"))]
const FULL: u32 = PATH_AT + 108;
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
const FULL: u32 = PATH_AT + 104;

/// What a call of rustix says of the other side; nothing where that cannot be read.
#[cfg(unix)]
pub(super) fn of_peer(address: rustix::net::SocketAddrAny) -> Option<Address> {
    use std::os::unix::ffi::OsStrExt;
    if let Ok(address) = std::net::SocketAddr::try_from(address.clone()) {
        return Some(Address::Inet(address));
    }
    // Looked at before rustix does, which takes no name for an abstract one of no bytes, and panics
    // where a path has no zero byte at its end.
    if address.addr_len() <= PATH_AT {
        return Some(Address::Local(UnixAddr::Unnamed));
    } else if address.addr_len() > FULL {
        return None;
    }
    let address = rustix::net::SocketAddrUnix::try_from(address).ok()?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(name) = address.abstract_name() {
        return Some(Address::Local(UnixAddr::Abstract(name.to_owned())));
    }
    let path = address.path_bytes().map(std::ffi::OsStr::from_bytes);
    Some(Address::Local(path.map_or(UnixAddr::Unnamed, UnixAddr::path)))
}
