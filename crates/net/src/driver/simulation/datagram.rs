//! Datagrams: what a kernel does with them, as udp(7) and unix(7) have it.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use super::errors::{NO_BUFFERS, failed};
use super::faults::Fault;
use super::world::{Event, HostId, Kind, SocketId, State, Transport};
use crate::driver::{Readiness, Received};
use crate::family::Address;

/// A socket that carries datagrams.
#[derive(Debug, Default)]
pub(super) struct Datagrams {
    received: VecDeque<Message>,
    /// Bytes in `received`.
    held: usize,
    pub(super) remote: Option<Address>,
    /// The other end of a pair.
    pair: Option<SocketId>,
}

/// A datagram on its way.
#[derive(Clone, Debug)]
pub(super) struct Message {
    bytes: Vec<u8>,
    from: Option<Address>,
}

impl Datagrams {
    pub(super) fn readiness(&self) -> Readiness {
        if self.received.is_empty() { Readiness::WRITE } else { Readiness::READ | Readiness::WRITE }
    }
}

impl State {
    pub(super) fn bind(&mut self, host: HostId, address: &Address) -> io::Result<SocketId> {
        self.check_descriptors(host)?;
        let local = self.claim(host, Transport::Datagram, address)?;
        let kind = Kind::Datagrams(Datagrams::default());
        let id = self.open(host, Some(local.clone()), kind);
        self.note(host, format_args!("binds {local}"));
        self.hosts[host].bound.push((Transport::Datagram, local, id));
        Ok(id)
    }

    #[cfg(unix)]
    pub(super) fn unbound(&mut self, host: HostId) -> io::Result<SocketId> {
        self.check_descriptors(host)?;
        Ok(self.open(host, None, Kind::Datagrams(Datagrams::default())))
    }

    #[cfg(unix)]
    pub(super) fn datagram_pair(&mut self, host: HostId) -> io::Result<(SocketId, SocketId)> {
        let (near, far) = (self.unbound(host)?, self.unbound(host)?);
        for (id, pair) in [(near, far), (far, near)] {
            if let Some(datagrams) = self.datagrams(id) {
                datagrams.pair = Some(pair);
            }
        }
        Ok((near, far))
    }

    pub(super) fn connect_to(&mut self, id: SocketId, address: &Address) -> io::Result<()> {
        let host = self.host_of(id)?;
        if let (Some(local), Address::Inet(remote)) = (self.local(id), address)
            && let Address::Inet(mut at) = local
            && at.ip().is_unspecified()
        {
            // The system chooses the address that the other side will see.
            let own = &self.hosts[host];
            at.set_ip(match remote.ip() {
                ip if ip.is_loopback() => ip,
                ip if ip.is_ipv4() => own.v4.into(),
                _ => own.v6.into(),
            });
            if let Some(entry) = self.sockets.get_mut(id) {
                entry.local = Some(at.into());
            }
        }
        let datagrams = self.datagrams(id).ok_or(ErrorKind::NotConnected)?;
        datagrams.remote = Some(address.clone());
        Ok(())
    }

    /// Sends a datagram, to where the socket is connected to unless there is an address.
    pub(super) fn send_datagram(
        &mut self,
        id: SocketId,
        bytes: &[u8],
        to: Option<&Address>,
    ) -> io::Result<usize> {
        let host = self.host_of(id)?;
        if self.strikes(Fault::Interrupted, host) {
            return Err(ErrorKind::Interrupted.into());
        }
        self.take_error(id)?;
        if self.strikes(Fault::NoBuffers, host) {
            return Err(failed(NO_BUFFERS));
        }
        if bytes.len() > LARGEST {
            return Err(failed(rustix::io::Errno::MSGSIZE));
        }
        let from = self.local(id);
        let datagrams = self.datagrams(id).ok_or(ErrorKind::NotConnected)?;
        let (pair, remote) = (datagrams.pair, datagrams.remote.clone());
        let message = Message { bytes: bytes.to_vec(), from };
        match to.cloned().or(remote) {
            Some(to @ Address::Inet(_)) => self.send_inet(id, host, to, message),
            #[cfg(unix)]
            Some(to @ Address::Local(_)) => {
                let receiver = self.bound_to(host, Transport::Datagram, &to);
                self.send_local(receiver.ok_or(ErrorKind::NotFound)?, message)?;
            }
            None => match pair {
                Some(pair) => self.send_local(pair, message)?,
                None => return Err(ErrorKind::NotConnected.into()),
            },
        }
        self.note(host, format_args!("sends a datagram of {} bytes", bytes.len()));
        Ok(bytes.len())
    }

    /// The network may lose, double and delay it.
    fn send_inet(&mut self, id: SocketId, host: HostId, to: Address, mut message: Message) {
        let Ok(address) = SocketAddr::try_from(to) else { return };
        let Some(other) = self.host_at(host, address.ip()) else { return };
        if let Some(Address::Inet(from)) = &mut message.from
            && from.ip().is_unspecified()
        {
            let own = &self.hosts[host];
            from.set_ip(match address.ip() {
                ip if ip.is_loopback() => ip,
                ip if ip.is_ipv4() => own.v4.into(),
                _ => own.v6.into(),
            });
        }
        let mut copies = 1;
        if host != other {
            if self.blocked(host, other).is_some() || self.strikes(Fault::DatagramLoss, host) {
                return;
            }
            copies += usize::from(self.strikes(Fault::DatagramDuplicate, host));
        }
        for _ in 0..copies {
            let mut after = self.latency(host, other);
            if host != other && self.strikes(Fault::DatagramReorder, host) {
                after += self.delays.time(&(Duration::ZERO..OVERTAKEN));
            }
            let (to, message) = ((other, Address::Inet(address)), message.clone());
            self.schedule(after, Event::Datagram { to, message, from: id });
        }
    }

    fn send_local(&mut self, receiver: SocketId, message: Message) -> io::Result<()> {
        let limit = self.settings.receive_buffer;
        let Some(datagrams) = self.datagrams(receiver) else {
            return Err(ErrorKind::ConnectionRefused.into());
        };
        if datagrams.held + message.bytes.len() > limit || datagrams.received.len() >= LOCAL_QUEUE {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.take_in(receiver, message);
        Ok(())
    }

    /// A datagram arrives; without room for it, it is dropped without a word.
    pub(super) fn arrived(&mut self, to: (HostId, Address), message: Message, from: SocketId) {
        let (host, address) = to;
        let Some(receiver) = self.bound_to(host, Transport::Datagram, &address) else {
            if let Ok(sender) = self.host_of(from) {
                let latency = self.latency(host, sender);
                self.schedule(latency, Event::Unreachable { from });
            }
            return;
        };
        let limit = self.settings.receive_buffer;
        let Some(datagrams) = self.datagrams(receiver) else { return };
        let is_stranger = datagrams.remote.is_some() && datagrams.remote != message.from;
        if !is_stranger && datagrams.held + message.bytes.len() <= limit {
            self.take_in(receiver, message);
        }
    }

    fn take_in(&mut self, receiver: SocketId, message: Message) {
        if let Some(datagrams) = self.datagrams(receiver) {
            datagrams.held += message.bytes.len();
            datagrams.received.push_back(message);
        }
        self.tell(receiver);
    }

    /// A connected socket learns that nobody receives.
    pub(super) fn unreachable(&mut self, from: SocketId) {
        let connected = self.datagrams(from).is_some_and(|datagrams| datagrams.remote.is_some());
        if connected && let Some(entry) = self.sockets.get_mut(from) {
            entry.error = Some(ErrorKind::ConnectionRefused);
            self.tell(from);
        }
    }

    /// Receives one datagram; `remove` is not set for a peek.
    pub(super) fn recv_datagram(
        &mut self,
        id: SocketId,
        buffer: &mut [u8],
        remove: bool,
    ) -> io::Result<(Received, Option<Address>)> {
        let host = self.host_of(id)?;
        if self.strikes(Fault::Interrupted, host) {
            return Err(ErrorKind::Interrupted.into());
        }
        self.take_error(id)?;
        let datagrams = self.datagrams(id).ok_or(ErrorKind::NotConnected)?;
        let message = datagrams.received.front().ok_or(ErrorKind::WouldBlock)?;
        let length = message.bytes.len().min(buffer.len());
        buffer[..length].copy_from_slice(&message.bytes[..length]);
        let received = Received { length, truncated: length < message.bytes.len() };
        let from = message.from.clone();
        if remove && let Some(message) = datagrams.received.pop_front() {
            datagrams.held -= message.bytes.len();
            self.note(host, format_args!("receives a datagram of {length} bytes"));
        }
        Ok((received, from))
    }

    pub(super) fn datagrams(&mut self, id: SocketId) -> Option<&mut Datagrams> {
        match &mut self.sockets.get_mut(id)?.kind {
            Kind::Datagrams(datagrams) => Some(datagrams),
            _ => None,
        }
    }

    pub(super) fn local(&self, id: SocketId) -> Option<Address> {
        self.sockets.get(id).and_then(|entry| entry.local.clone())
    }
}

/// The largest datagram of UDP over IPv4, in bytes.
const LARGEST: usize = 65_507;

/// Datagrams that a Unix socket holds, as net.unix.max_dgram_qlen has it at first.
const LOCAL_QUEUE: usize = 10;

/// How much later a datagram may come that others overtake.
const OVERTAKEN: Duration = Duration::from_millis(100);
