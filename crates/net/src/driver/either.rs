//! A socket of the system or of a simulation. Without the feature `sim` there is only the one, and
//! nothing of this.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown};
use std::time::Duration;

use super::Received;
use super::simulation;
use super::socket::Socket as System;
use crate::family::Address;

/// A socket that never blocks, of whichever world.
#[derive(Debug)]
pub(crate) enum Socket {
    System(System),
    Simulated(simulation::Socket),
}

/// Calls that both kinds of socket answer in the same way.
macro_rules! forward {
    ($($(#[$attribute:meta])* fn $name:ident(&self $(, $argument:ident: $type:ty)*) -> $result:ty;)*) => {
        impl Socket {$(
            $(#[$attribute])*
            #[inline]
            pub(crate) fn $name(&self $(, $argument: $type)*) -> $result {
                match self {
                    Socket::System(socket) => socket.$name($($argument),*),
                    Socket::Simulated(socket) => socket.$name($($argument),*),
                }
            }
        )*}
    };
}

forward! {
    fn connected(&self) -> io::Result<()>;
    fn has_backlog(&self) -> bool;
    fn recv(&self, buffer: &mut [u8]) -> io::Result<usize>;
    fn peek(&self, buffer: &mut [u8]) -> io::Result<usize>;
    fn recv_vectored(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize>;
    fn send(&self, bytes: &[u8]) -> io::Result<usize>;
    fn send_vectored(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize>;
    fn recv_datagram(&self, buffer: &mut [u8], peek: bool) -> io::Result<(Received, Option<Address>)>;
    fn send_to(&self, bytes: &[u8], address: &Address) -> io::Result<usize>;
    fn connect_to(&self, address: &Address) -> io::Result<()>;
    fn shutdown(&self, how: Shutdown) -> io::Result<()>;
    fn local_addr(&self) -> io::Result<Address>;
    fn peer_addr(&self) -> io::Result<Address>;
    fn take_error(&self) -> io::Result<Option<io::Error>>;
    #[cfg(unix)]
    fn set_blocking(&self) -> io::Result<()>;
    #[cfg(unix)]
    fn set_nonblocking(&self) -> io::Result<bool>;
    fn nodelay(&self) -> io::Result<bool>;
    fn set_nodelay(&self, on: bool) -> io::Result<()>;
    fn keepalive(&self) -> io::Result<bool>;
    fn set_keepalive(&self, idle: Option<Duration>) -> io::Result<()>;
    fn linger(&self) -> io::Result<Option<Duration>>;
    fn set_linger(&self, time: Option<Duration>) -> io::Result<()>;
    fn ttl(&self) -> io::Result<u32>;
    fn set_ttl(&self, hops: u32) -> io::Result<()>;
    fn recv_buffer_size(&self) -> io::Result<usize>;
    fn set_recv_buffer_size(&self, bytes: usize) -> io::Result<()>;
    fn send_buffer_size(&self) -> io::Result<usize>;
    fn set_send_buffer_size(&self, bytes: usize) -> io::Result<()>;
    fn broadcast(&self) -> io::Result<bool>;
    fn set_broadcast(&self, on: bool) -> io::Result<()>;
    fn join_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()>;
    fn leave_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()>;
    fn join_multicast_v6(&self, group: Ipv6Addr, interface: u32) -> io::Result<()>;
    fn leave_multicast_v6(&self, group: Ipv6Addr, interface: u32) -> io::Result<()>;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn peer_credentials(&self) -> io::Result<super::PeerCredentials>;
}

/// Sockets of the system; those of a simulation come from its hosts.
impl Socket {
    pub(super) fn listen(address: &Address) -> io::Result<Socket> {
        System::listen(address).map(Socket::System)
    }

    pub(super) fn connect(address: &Address) -> io::Result<Socket> {
        System::connect(address).map(Socket::System)
    }

    pub(super) fn bind(address: &Address) -> io::Result<Socket> {
        System::bind(address).map(Socket::System)
    }

    #[cfg(unix)]
    pub(super) fn unbound() -> io::Result<Socket> {
        System::unbound().map(Socket::System)
    }

    #[cfg(unix)]
    pub(super) fn pair(kind: super::Kind) -> io::Result<(Socket, Socket)> {
        System::pair(kind).map(|(near, far)| (Socket::System(near), Socket::System(far)))
    }

    #[cfg(unix)]
    pub(super) fn duplicate(descriptor: std::os::fd::BorrowedFd<'_>) -> io::Result<Socket> {
        System::duplicate(descriptor).map(Socket::System)
    }
}

impl Socket {
    pub(crate) fn accept(&self) -> io::Result<(Socket, Address)> {
        match self {
            Socket::System(socket) => {
                socket.accept().map(|(accepted, peer)| (Socket::System(accepted), peer))
            }
            Socket::Simulated(socket) => {
                socket.accept().map(|(accepted, peer)| (Socket::Simulated(accepted), peer))
            }
        }
    }

    /// The simulation's, if it is one.
    pub(super) fn simulated(&self) -> Option<&simulation::Socket> {
        match self {
            Socket::System(_) => None,
            Socket::Simulated(socket) => Some(socket),
        }
    }

    /// The system's: only such a one gets into a selector.
    pub(super) fn system(&self) -> &System {
        match self {
            Socket::System(socket) => socket,
            Socket::Simulated(_) => unreachable!("a simulated socket is in no selector"),
        }
    }
}
