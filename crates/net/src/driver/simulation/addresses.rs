//! Who has which address.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

#[cfg(unix)]
use super::errors::WRONG_KIND;
use super::errors::{NO_DESCRIPTOR, failed};
use super::world::{HostId, SocketId, State, Transport};
use crate::family::Address;
#[cfg(unix)]
use crate::family::UnixAddr;

impl State {
    /// The address that a socket bound to `address` gets.
    ///
    /// # Errors
    ///
    /// When it is taken, or is not this host's.
    pub(super) fn claim(
        &mut self,
        host: HostId,
        transport: Transport,
        address: &Address,
    ) -> io::Result<Address> {
        let claimed = match address {
            Address::Inet(address) => {
                if self.host_at(host, address.ip()) != Some(host) {
                    return Err(ErrorKind::AddrNotAvailable.into());
                }
                let mut address = *address;
                if address.port() == 0 {
                    address.set_port(self.free_port(host, address.ip())?);
                }
                Address::Inet(address)
            }
            #[cfg(unix)]
            Address::Local(UnixAddr::Unnamed) => {
                return Err(ErrorKind::InvalidInput.into());
            }
            #[cfg(unix)]
            Address::Local(_) => address.clone(),
        };
        let own = &mut self.hosts[host];
        let of_connection = match &claimed {
            Address::Inet(at) => transport == Transport::Stream && own.ports.contains(&at.port()),
            #[cfg(unix)]
            Address::Local(_) => false,
        };
        let is_taken = |bound: &(Transport, Address, SocketId)| {
            // Paths are the file system's, whatever the sockets carry.
            let same = bound.0 == transport || !matches!(claimed, Address::Inet(_));
            same && collide(&bound.1, &claimed)
        };
        if of_connection || own.bound.iter().any(is_taken) {
            return Err(ErrorKind::AddrInUse.into());
        }
        #[cfg(unix)]
        if let Address::Local(UnixAddr::Path(path)) = &claimed {
            own.paths.insert(path.clone());
        }
        Ok(claimed)
    }

    /// A port that no socket of the host has.
    pub(super) fn free_port(&mut self, host: HostId, ip: IpAddr) -> io::Result<u16> {
        for _ in 0..=u16::MAX {
            let port = self.hosts[host].next_port;
            self.hosts[host].next_port = if port == u16::MAX { 49_152 } else { port + 1 };
            let wanted = Address::Inet(SocketAddr::new(ip, port));
            let own = &self.hosts[host];
            let is_bound = own.bound.iter().any(|(_, at, _)| collide(at, &wanted));
            if !is_bound && !own.ports.contains(&port) {
                return Ok(port);
            }
        }
        Err(ErrorKind::AddrInUse.into())
    }

    /// The host's own address in its dealings with `to`.
    pub(super) fn ip_towards(&self, host: HostId, to: IpAddr) -> IpAddr {
        let own = &self.hosts[host];
        match to {
            IpAddr::V4(to) if to.is_loopback() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(to) if to.is_loopback() => to.into(),
            IpAddr::V4(_) => own.v4.into(),
            IpAddr::V6(_) => own.v6.into(),
        }
    }

    /// The Unix socket that is bound to the address.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) for a path that is not there,
    /// [`ConnectionRefused`](ErrorKind::ConnectionRefused) where nobody is any more, EPROTOTYPE where
    /// the socket is of another kind.
    #[cfg(unix)]
    pub(super) fn local_receiver(
        &self,
        host: HostId,
        transport: Transport,
        address: &Address,
    ) -> io::Result<SocketId> {
        let own = &self.hosts[host];
        if let Some((kind, _, id)) = own.bound.iter().find(|(_, at, _)| at == address) {
            return if *kind == transport { Ok(*id) } else { Err(failed(WRONG_KIND)) };
        }
        Err(match address {
            Address::Local(UnixAddr::Path(path)) if !own.paths.contains(path) => {
                ErrorKind::NotFound
            }
            Address::Local(UnixAddr::Unnamed) => ErrorKind::InvalidInput,
            _ => ErrorKind::ConnectionRefused,
        }
        .into())
    }

    /// # Errors
    ///
    /// When the host's process has no room for `wanted` more descriptors.
    pub(super) fn check_descriptors(&self, host: HostId, wanted: usize) -> io::Result<()> {
        if self.hosts[host].descriptors + wanted > self.settings.descriptors {
            return Err(failed(NO_DESCRIPTOR));
        }
        Ok(())
    }
}

/// Whether two sockets cannot have these addresses at once: a wildcard stands for all.
fn collide(one: &Address, other: &Address) -> bool {
    match (one, other) {
        (Address::Inet(one), Address::Inet(other)) => {
            let same_family = one.is_ipv4() == other.is_ipv4();
            let wild = one.ip().is_unspecified() || other.ip().is_unspecified();
            one.port() == other.port() && same_family && (wild || one.ip() == other.ip())
        }
        #[cfg(unix)]
        _ => one == other,
    }
}
