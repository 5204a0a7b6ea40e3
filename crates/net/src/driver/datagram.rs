//! Datagrams of a socket of the operating system.

use std::io;

use rustix::net::RecvFlags;

use super::address::to_system;
use super::socket::QUIET;
use super::socket::Socket;
use crate::family::Address;

/// What was received of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// How many bytes of it are in the buffer; 0 is a datagram too.
    pub length: usize,
    /// Whether it was longer than the buffer; what did not fit is lost.
    pub truncated: bool,
}

impl Socket {
    /// Receives one datagram, and who sent it where that is known.
    #[cfg(unix)]
    pub(crate) fn recv_datagram(
        &self,
        buffer: &mut [u8],
        peek: bool,
    ) -> io::Result<(Received, Option<Address>)> {
        use rustix::net::{RecvAncillaryBuffer, ReturnFlags, recvmsg};
        let flags = if peek { RecvFlags::PEEK } else { RecvFlags::empty() };
        let mut buffers = [io::IoSliceMut::new(buffer)];
        let message = recvmsg(&self.0, &mut buffers, &mut RecvAncillaryBuffer::default(), flags)?;
        let truncated = message.flags.contains(ReturnFlags::TRUNC);
        let received = Received { length: message.bytes, truncated };
        Ok((received, message.address.and_then(super::address::of_peer)))
    }

    /// Receives one datagram, and who sent it. Of one that does not fit, Windows does not say who.
    #[cfg(windows)]
    pub(crate) fn recv_datagram(
        &self,
        buffer: &mut [u8],
        peek: bool,
    ) -> io::Result<(Received, Option<Address>)> {
        use rustix::io::Errno;
        let flags = if peek { RecvFlags::PEEK } else { RecvFlags::empty() };
        let length = buffer.len();
        match rustix::net::recvfrom(&self.0, buffer, flags) {
            Ok((_, length, peer)) => {
                let peer = peer.and_then(|peer| std::net::SocketAddr::try_from(peer).ok());
                Ok((Received { length, truncated: false }, peer.map(Address::Inet)))
            }
            Err(Errno::MSGSIZE) => Ok((Received { length, truncated: true }, None)),
            Err(errno) => Err(errno.into()),
        }
    }

    pub(crate) fn send_to(&self, bytes: &[u8], address: &Address) -> io::Result<usize> {
        self.0.send_to_with_flags(bytes, &to_system(address)?, QUIET.bits() as _)
    }
}
