//! Where connections come from: the first addresses of this machine, one after the other.

use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::fd::OwnedFd;

use nix::sys::socket::{setsockopt, sockopt::IpBindAddressNoPort};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};

use crate::Failure;

/// Connections from one address before the next is taken. A closed connection keeps its port for a
/// minute, an address has some 28,000, and looking for a free one takes longer the fewer there are.
const CONNECTIONS_PER_ADDRESS: usize = 8_000;

/// 127.0.0.1 to 127.0.0.250, then from the start again.
const ADDRESSES: usize = 250;

/// Opens connections to a server on this machine.
#[derive(Debug)]
pub(crate) struct Sources {
    server: SocketAddrV4,
    opened: usize,
}

impl Sources {
    pub(crate) fn new(server: SocketAddrV4) -> Sources {
        Sources { server, opened: 0 }
    }

    /// A connection that has begun; the first byte cannot be sent before it is accepted.
    ///
    /// # Errors
    ///
    /// Those of socket(2), bind(2) and connect(2).
    pub(crate) fn connect(&mut self) -> Result<TcpStream, Failure> {
        let (source, server) = (source(self.opened), self.server);
        let stream = attempt(source, server)
            .map_err(|error| format!("connection {} to {server}: {error}", self.opened + 1))?;
        self.opened += 1;
        Ok(stream)
    }
}

fn attempt(source: Ipv4Addr, server: SocketAddrV4) -> Result<TcpStream, Failure> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket: OwnedFd = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    // The port is found when the connection is made: only then is a port enough for many servers.
    setsockopt(&socket, IpBindAddressNoPort, &true)?;
    bind(&socket, &SocketAddrV4::new(source, 0))?;
    match connect(&socket, &server) {
        Ok(()) | Err(Errno::INPROGRESS) => {}
        Err(error) => return Err(error.into()),
    }
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn source(opened: usize) -> Ipv4Addr {
    let number = opened / CONNECTIONS_PER_ADDRESS % ADDRESSES;
    Ipv4Addr::new(127, 0, 0, number as u8 + 1)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn addresses_change_before_their_ports_run_out() {
        let last = source(CONNECTIONS_PER_ADDRESS - 1);
        assert_eq!((source(0), last), (Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST));
        assert_eq!(source(CONNECTIONS_PER_ADDRESS), Ipv4Addr::new(127, 0, 0, 2));
        assert_eq!(source(CONNECTIONS_PER_ADDRESS * ADDRESSES), Ipv4Addr::LOCALHOST);
    }

    #[test]
    fn the_server_sees_where_a_connection_comes_from() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        let mut sources = Sources { server, opened: 3 * CONNECTIONS_PER_ADDRESS };
        let _stream = sources.connect().unwrap();
        assert_eq!(listener.accept().unwrap().1.ip(), Ipv4Addr::new(127, 0, 0, 4));
    }
}
