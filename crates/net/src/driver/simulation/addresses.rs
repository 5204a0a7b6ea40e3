//! Who has which address.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};

use super::errors::{NO_DESCRIPTOR, failed};
use super::world::{HostId, State, Transport};
use crate::family::Address;

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
            Address::Local(crate::family::UnixAddr::Unnamed) => {
                return Err(ErrorKind::InvalidInput.into());
            }
            #[cfg(unix)]
            Address::Local(_) => address.clone(),
        };
        let bound = &self.hosts[host].bound;
        if bound.iter().any(|(kind, at, _)| *kind == transport && collide(at, &claimed)) {
            return Err(ErrorKind::AddrInUse.into());
        }
        Ok(claimed)
    }

    /// A port that no socket of the host has.
    pub(super) fn free_port(&mut self, host: HostId, ip: IpAddr) -> io::Result<u16> {
        for _ in 0..=u16::MAX {
            let port = self.hosts[host].next_port;
            self.hosts[host].next_port = if port == u16::MAX { 49_152 } else { port + 1 };
            let wanted = Address::Inet(SocketAddr::new(ip, port));
            if !self.hosts[host].bound.iter().any(|(_, at, _)| collide(at, &wanted)) {
                return Ok(port);
            }
        }
        Err(ErrorKind::AddrInUse.into())
    }

    /// # Errors
    ///
    /// When the host's process has as many descriptors as it may.
    pub(super) fn check_descriptors(&self, host: HostId) -> io::Result<()> {
        if self.hosts[host].descriptors >= self.settings.descriptors {
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
