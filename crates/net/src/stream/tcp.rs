//! What a TCP connection has of its own: options.

use std::io;
use std::time::Duration;

use crate::options::options;
use crate::stream::TcpStream;

options! {
    TcpStream:
    /// Whether small writes are sent at once instead of being gathered.
    "TCP_NODELAY" nodelay -> bool, set_nodelay(bool);
    /// Whether an idle connection is probed; set with the idle time before the first probe.
    "SO_KEEPALIVE" keepalive -> bool, set_keepalive(Option<Duration>);
    /// How long closing waits for unsent data; zero resets the connection instead.
    "SO_LINGER" linger -> Option<Duration>, set_linger(Option<Duration>);
    /// Hops that a packet may take: the time to live of IPv4, the hop limit of IPv6.
    "IP_TTL" ttl -> u32, set_ttl(u32);
    /// The kernel's receive buffer in bytes; Linux doubles what is set.
    "SO_RCVBUF" recv_buffer_size -> usize, set_recv_buffer_size(usize);
    /// The kernel's send buffer in bytes; Linux doubles what is set.
    "SO_SNDBUF" send_buffer_size -> usize, set_send_buffer_size(usize);
}

impl TcpStream {
    /// Takes the error that waits on the socket, if any: the option `SO_ERROR`.
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.io.source.socket.take_error()
    }
}
