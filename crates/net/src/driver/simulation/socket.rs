//! A socket of a simulated host.

use std::fmt;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown};
use std::rc::Rc;
use std::time::Duration;

use super::World;
use super::world::{Kind, SocketId};
use crate::driver::Received;
use crate::family::Address;

/// A socket of a simulated host; dropping it closes it.
pub(crate) struct Socket {
    pub(super) world: Rc<World>,
    pub(super) id: SocketId,
}

impl Socket {
    pub(crate) fn connected(&self) -> io::Result<()> {
        self.world.state().connected(self.id)
    }

    pub(crate) fn accept(&self) -> io::Result<(Socket, Address)> {
        let (id, remote) = self.world.state().accept(self.id)?;
        Ok((Socket { world: Rc::clone(&self.world), id }, remote))
    }

    pub(crate) fn has_backlog(&self) -> bool {
        self.world.state().has_backlog(self.id)
    }

    pub(crate) fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.world.state().recv(self.id, buffer, true)
    }

    pub(crate) fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.world.state().recv(self.id, buffer, false)
    }

    pub(crate) fn recv_vectored(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let room = buffers.iter().map(|buffer| buffer.len()).sum();
        let mut bytes = vec![0; room];
        let received = self.recv(&mut bytes)?;
        let mut rest = &bytes[..received];
        for buffer in buffers {
            let (now, later) = rest.split_at(rest.len().min(buffer.len()));
            buffer[..now.len()].copy_from_slice(now);
            rest = later;
        }
        Ok(received)
    }

    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_datagram() {
            return self.world.state().send_datagram(self.id, bytes, None);
        }
        self.world.state().send(self.id, bytes)
    }

    pub(crate) fn send_vectored(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let bytes: Vec<u8> = buffers.iter().flat_map(|buffer| buffer.iter().copied()).collect();
        self.send(&bytes)
    }

    pub(crate) fn recv_datagram(
        &self,
        buffer: &mut [u8],
        peek: bool,
    ) -> io::Result<(Received, Option<Address>)> {
        self.world.state().recv_datagram(self.id, buffer, !peek)
    }

    pub(crate) fn send_to(&self, bytes: &[u8], address: &Address) -> io::Result<usize> {
        self.world.state().send_datagram(self.id, bytes, Some(address))
    }

    pub(crate) fn connect_to(&self, address: &Address) -> io::Result<()> {
        self.world.state().connect_to(self.id, address)
    }

    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        let (read, write) = (how != Shutdown::Write, how != Shutdown::Read);
        self.world.state().shutdown(self.id, read, write)
    }

    pub(crate) fn local_addr(&self) -> io::Result<Address> {
        let local = self.world.state().local(self.id);
        #[cfg(unix)]
        let local = local.or(Some(Address::Local(crate::family::UnixAddr::Unnamed)));
        local.ok_or_else(|| ErrorKind::NotConnected.into())
    }

    pub(crate) fn peer_addr(&self) -> io::Result<Address> {
        let mut state = self.world.state();
        let remote = match state.stream(self.id) {
            Some(stream) if stream.is_disconnected() => None,
            Some(stream) => Some(stream.remote.clone()),
            None => state.datagrams(self.id).and_then(|datagrams| datagrams.remote.clone()),
        };
        remote.ok_or_else(|| ErrorKind::NotConnected.into())
    }

    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.world.state().take_error(self.id).err())
    }

    #[cfg(unix)]
    pub(crate) fn set_blocking(&self) -> io::Result<()> {
        Ok(())
    }

    #[cfg(unix)]
    pub(crate) fn set_nonblocking(&self) -> io::Result<bool> {
        Ok(false)
    }

    pub(crate) fn nodelay(&self) -> io::Result<bool> {
        self.flag("nodelay")
    }

    pub(crate) fn set_nodelay(&self, on: bool) -> io::Result<()> {
        self.set("nodelay", on.into())
    }

    pub(crate) fn keepalive(&self) -> io::Result<bool> {
        self.flag("keepalive")
    }

    pub(crate) fn set_keepalive(&self, idle: Option<Duration>) -> io::Result<()> {
        self.set("keepalive", idle.is_some().into())
    }

    /// Seconds and one, so that zero is told from none: that of a reset.
    pub(crate) fn linger(&self) -> io::Result<Option<Duration>> {
        Ok(self.option("linger")?.checked_sub(1).map(Duration::from_secs))
    }

    pub(crate) fn set_linger(&self, time: Option<Duration>) -> io::Result<()> {
        self.set("linger", time.map_or(0, |time| time.as_secs() + 1))
    }

    pub(crate) fn ttl(&self) -> io::Result<u32> {
        match self.option("ttl")? {
            0 => Ok(64),
            hops => Ok(hops as u32),
        }
    }

    pub(crate) fn set_ttl(&self, hops: u32) -> io::Result<()> {
        self.set("ttl", hops.into())
    }

    pub(crate) fn recv_buffer_size(&self) -> io::Result<usize> {
        Ok(self.world.state().settings.receive_buffer)
    }

    /// The size is the simulation's.
    pub(crate) fn set_recv_buffer_size(&self, _bytes: usize) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn send_buffer_size(&self) -> io::Result<usize> {
        Ok(self.world.state().settings.send_buffer)
    }

    /// The size is the simulation's.
    pub(crate) fn set_send_buffer_size(&self, _bytes: usize) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn broadcast(&self) -> io::Result<bool> {
        self.flag("broadcast")
    }

    pub(crate) fn set_broadcast(&self, on: bool) -> io::Result<()> {
        self.set("broadcast", on.into())
    }

    pub(crate) fn join_multicast_v4(&self, _: Ipv4Addr, _: Ipv4Addr) -> io::Result<()> {
        Err(unsupported("multicast"))
    }

    pub(crate) fn leave_multicast_v4(&self, _: Ipv4Addr, _: Ipv4Addr) -> io::Result<()> {
        Err(unsupported("multicast"))
    }

    pub(crate) fn join_multicast_v6(&self, _: Ipv6Addr, _: u32) -> io::Result<()> {
        Err(unsupported("multicast"))
    }

    pub(crate) fn leave_multicast_v6(&self, _: Ipv6Addr, _: u32) -> io::Result<()> {
        Err(unsupported("multicast"))
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn peer_credentials(&self) -> io::Result<crate::driver::PeerCredentials> {
        Err(unsupported("credentials"))
    }

    fn is_datagram(&self) -> bool {
        let state = self.world.state();
        state.sockets.get(self.id).is_some_and(|entry| matches!(entry.kind, Kind::Datagrams(_)))
    }

    fn option(&self, name: &'static str) -> io::Result<u64> {
        let state = self.world.state();
        let entry = state.sockets.get(self.id).ok_or(ErrorKind::NotConnected)?;
        Ok(entry.options.get(name).copied().unwrap_or(0))
    }

    fn flag(&self, name: &'static str) -> io::Result<bool> {
        Ok(self.option(name)? != 0)
    }

    fn set(&self, name: &'static str, value: u64) -> io::Result<()> {
        let mut state = self.world.state();
        let entry = state.sockets.get_mut(self.id).ok_or(ErrorKind::NotConnected)?;
        entry.options.insert(name, value);
        Ok(())
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.world.state().close(self.id);
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Socket({})", self.id)
    }
}

/// What no simulated host has.
pub(crate) fn unsupported(what: &str) -> io::Error {
    io::Error::new(ErrorKind::Unsupported, format!("a simulated host has no {what}"))
}
