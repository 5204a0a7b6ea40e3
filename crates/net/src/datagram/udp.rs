//! What a UDP socket has of its own: broadcast, multicast and other options.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::datagram::UdpSocket;
use crate::options::options;

options! {
    UdpSocket:
    /// Whether datagrams may go to a broadcast address.
    "SO_BROADCAST" broadcast -> bool, set_broadcast(bool);
    /// Hops that a packet may take: the time to live of IPv4, the hop limit of IPv6.
    "IP_TTL" ttl -> u32, set_ttl(u32);
    /// The kernel's receive buffer in bytes; Linux doubles what is set.
    "SO_RCVBUF" recv_buffer_size -> usize, set_recv_buffer_size(usize);
    /// The kernel's send buffer in bytes; Linux doubles what is set.
    "SO_SNDBUF" send_buffer_size -> usize, set_send_buffer_size(usize);
}

impl UdpSocket {
    /// Receives what is sent to the multicast group, on the interface with this address (0.0.0.0:
    /// the system chooses); see `IP_ADD_MEMBERSHIP` in ip(7).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn join_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.io.source.socket.join_multicast_v4(group, interface)
    }

    /// Leaves the multicast group.
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn leave_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.io.source.socket.leave_multicast_v4(group, interface)
    }

    /// As [`UdpSocket::join_multicast_v4`], on the interface with this index (0: the system
    /// chooses); see `IPV6_ADD_MEMBERSHIP` in ipv6(7).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn join_multicast_v6(&self, group: Ipv6Addr, interface: u32) -> io::Result<()> {
        self.io.source.socket.join_multicast_v6(group, interface)
    }

    /// Leaves the multicast group.
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn leave_multicast_v6(&self, group: Ipv6Addr, interface: u32) -> io::Result<()> {
        self.io.source.socket.leave_multicast_v6(group, interface)
    }
}
