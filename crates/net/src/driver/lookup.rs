//! Names of hosts and their addresses, as the system knows them.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

/// Finds the addresses of a host and a port; it blocks.
pub(crate) type Resolver = Box<dyn FnOnce(&str, u16) -> io::Result<Vec<SocketAddr>> + Send>;

/// getaddrinfo(3): what is in the files and the name service that the system is set up with, in the
/// order in which it advises to try them.
pub(super) fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    (host, port).to_socket_addrs().map(Iterator::collect)
}
