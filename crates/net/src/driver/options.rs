//! Socket options, each a line of setsockopt(2).

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use socket2::TcpKeepalive;

use super::socket::Socket;

impl Socket {
    pub(crate) fn nodelay(&self) -> io::Result<bool> {
        self.0.tcp_nodelay()
    }

    pub(crate) fn set_nodelay(&self, on: bool) -> io::Result<()> {
        self.0.set_tcp_nodelay(on)
    }

    pub(crate) fn keepalive(&self) -> io::Result<bool> {
        self.0.keepalive()
    }

    pub(crate) fn set_keepalive(&self, idle: Option<Duration>) -> io::Result<()> {
        match idle {
            Some(idle) => self.0.set_tcp_keepalive(&TcpKeepalive::new().with_time(idle)),
            None => self.0.set_keepalive(false),
        }
    }

    pub(crate) fn linger(&self) -> io::Result<Option<Duration>> {
        self.0.linger()
    }

    pub(crate) fn set_linger(&self, time: Option<Duration>) -> io::Result<()> {
        self.0.set_linger(time)
    }

    pub(crate) fn ttl(&self) -> io::Result<u32> {
        if self.is_ipv6()? { self.0.unicast_hops_v6() } else { self.0.ttl_v4() }
    }

    pub(crate) fn set_ttl(&self, hops: u32) -> io::Result<()> {
        if self.is_ipv6()? { self.0.set_unicast_hops_v6(hops) } else { self.0.set_ttl_v4(hops) }
    }

    pub(crate) fn recv_buffer_size(&self) -> io::Result<usize> {
        self.0.recv_buffer_size()
    }

    pub(crate) fn set_recv_buffer_size(&self, bytes: usize) -> io::Result<()> {
        self.0.set_recv_buffer_size(bytes)
    }

    pub(crate) fn send_buffer_size(&self) -> io::Result<usize> {
        self.0.send_buffer_size()
    }

    pub(crate) fn set_send_buffer_size(&self, bytes: usize) -> io::Result<()> {
        self.0.set_send_buffer_size(bytes)
    }

    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.0.take_error()
    }

    pub(crate) fn broadcast(&self) -> io::Result<bool> {
        self.0.broadcast()
    }

    pub(crate) fn set_broadcast(&self, on: bool) -> io::Result<()> {
        self.0.set_broadcast(on)
    }

    pub(crate) fn join_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.0.join_multicast_v4(&group, &interface)
    }

    pub(crate) fn leave_multicast_v4(
        &self,
        group: Ipv4Addr,
        interface: Ipv4Addr,
    ) -> io::Result<()> {
        self.0.leave_multicast_v4(&group, &interface)
    }

    pub(crate) fn join_multicast_v6(&self, group: Ipv6Addr, interface: u32) -> io::Result<()> {
        self.0.join_multicast_v6(&group, interface)
    }

    pub(crate) fn leave_multicast_v6(&self, group: Ipv6Addr, interface: u32) -> io::Result<()> {
        self.0.leave_multicast_v6(&group, interface)
    }

    /// Who is at the other end of a Unix socket.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn peer_credentials(&self) -> io::Result<PeerCredentials> {
        let credentials = rustix::net::sockopt::socket_peercred(&self.0)?;
        Ok(PeerCredentials {
            process: credentials.pid.as_raw_nonzero().get(),
            user: credentials.uid.as_raw(),
            group: credentials.gid.as_raw(),
        })
    }

    fn is_ipv6(&self) -> io::Result<bool> {
        Ok(self.0.local_addr()?.is_ipv6())
    }
}

/// Who is at the other end of a Unix socket, as the kernel saw it when the connection was made:
/// the option `SO_PEERCRED` of unix(7).
#[cfg(any(target_os = "linux", target_os = "android"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerCredentials {
    /// The number of the process; 0 for one in a PID namespace that is not seen from here.
    pub process: i32,
    /// Its effective user.
    pub user: u32,
    /// Its effective group.
    pub group: u32,
}
