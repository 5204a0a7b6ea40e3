//! Datagrams: what a kernel does with them, as udp(7) and unix(7) have it.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use super::errors::{NO_BUFFERS, NO_DESTINATION, OTHER_FAMILY, TOO_LONG, failed};
use super::faults::Fault;
use super::world::{Event, HostId, Kind, SocketId, State, Transport};
use crate::driver::{Readiness, Received};
use crate::family::Address;

/// A socket that carries datagrams.
#[derive(Debug, Default)]
pub(super) struct Datagrams {
    received: VecDeque<Message>,
    /// What `received` takes of the buffer, in bytes.
    held: usize,
    pub(super) remote: Option<Address>,
    /// The Unix socket that this one is connected to; stale once that is gone.
    #[cfg(unix)]
    peer: Option<SocketId>,
    /// Senders that found the queue of this Unix socket full.
    #[cfg(unix)]
    waiting: Vec<SocketId>,
    /// When the last datagram arrives that this socket has sent: the next comes later.
    last_due: Duration,
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

impl Message {
    /// What it takes of a receive buffer, in bytes.
    fn charge(&self) -> usize {
        self.bytes.len() + OVERHEAD
    }
}

impl State {
    pub(super) fn bind(&mut self, host: HostId, address: &Address) -> io::Result<SocketId> {
        self.check_descriptors(host, 1)?;
        let local = self.claim(host, Transport::Datagram, address)?;
        let kind = Kind::Datagrams(Datagrams::default());
        let id = self.open(host, Some(local.clone()), kind);
        self.note(host, format_args!("binds {local}"));
        self.hosts[host].bound.push((Transport::Datagram, local, id));
        Ok(id)
    }

    #[cfg(unix)]
    pub(super) fn unbound(&mut self, host: HostId) -> io::Result<SocketId> {
        self.check_descriptors(host, 1)?;
        Ok(self.open(host, None, Kind::Datagrams(Datagrams::default())))
    }

    #[cfg(unix)]
    pub(super) fn datagram_pair(&mut self, host: HostId) -> io::Result<(SocketId, SocketId)> {
        let (near, far) = (self.unbound(host)?, self.unbound(host)?);
        for (id, peer) in [(near, far), (far, near)] {
            if let Some(datagrams) = self.datagrams(id) {
                datagrams.peer = Some(peer);
                datagrams.remote = Some(Address::Local(crate::family::UnixAddr::Unnamed));
            }
        }
        Ok((near, far))
    }

    pub(super) fn connect_to(&mut self, id: SocketId, address: &Address) -> io::Result<()> {
        let host = self.host_of(id)?;
        match address {
            Address::Inet(remote) => {
                self.check_family(id, *remote)?;
                self.settle_local(id, host, *remote);
            }
            #[cfg(unix)]
            Address::Local(_) => {
                let receiver = self.local_receiver(host, Transport::Datagram, address)?;
                self.check_peer(receiver, id)?;
                if let Some(datagrams) = self.datagrams(id) {
                    datagrams.peer = Some(receiver);
                }
            }
        }
        let datagrams = self.datagrams(id).ok_or(ErrorKind::NotConnected)?;
        datagrams.remote = Some(address.clone());
        Ok(())
    }

    /// # Errors
    ///
    /// When the address is one of IPv6 and the socket's one of IPv4, or the other way round.
    fn check_family(&self, id: SocketId, to: SocketAddr) -> io::Result<()> {
        match self.local(id) {
            Some(Address::Inet(local)) if local.is_ipv4() != to.is_ipv4() => {
                Err(failed(OTHER_FAMILY))
            }
            _ => Ok(()),
        }
    }

    /// # Errors
    ///
    /// When the receiver is connected to another socket.
    #[cfg(unix)]
    fn check_peer(&mut self, receiver: SocketId, sender: SocketId) -> io::Result<()> {
        match self.datagrams(receiver).and_then(|datagrams| datagrams.peer) {
            Some(peer) if peer != sender => Err(ErrorKind::PermissionDenied.into()),
            _ => Ok(()),
        }
    }

    /// Connecting chooses the address that the other side will see.
    fn settle_local(&mut self, id: SocketId, host: HostId, remote: SocketAddr) {
        let ip = self.ip_towards(host, remote.ip());
        if let Some(entry) = self.sockets.get_mut(id)
            && let Some(Address::Inet(local)) = &mut entry.local
            && local.ip().is_unspecified()
        {
            local.set_ip(ip);
        }
    }

    /// Sends a datagram, to where the socket is connected to unless there is an address.
    pub(super) fn send_datagram(
        &mut self,
        id: SocketId,
        bytes: &[u8],
        to: Option<&Address>,
    ) -> io::Result<usize> {
        let host = self.host_of(id)?;
        self.interrupt(id, host)?;
        self.take_error(id)?;
        if self.strikes(Fault::NoBuffers, host) {
            return Err(failed(NO_BUFFERS));
        }
        let from = self.local(id);
        let datagrams = self.datagrams(id).ok_or(ErrorKind::NotConnected)?;
        let message = Message { bytes: bytes.to_vec(), from };
        match to.cloned().or_else(|| datagrams.remote.clone()) {
            Some(Address::Inet(to)) => self.send_inet(id, host, to, message)?,
            #[cfg(unix)]
            Some(address @ Address::Local(_)) => {
                let receiver = match to {
                    Some(_) => self.local_receiver(host, Transport::Datagram, &address)?,
                    None => self.connected_receiver(id)?,
                };
                self.send_local(id, receiver, message)?;
            }
            None if matches!(message.from, Some(Address::Inet(_))) => {
                return Err(failed(NO_DESTINATION));
            }
            None => return Err(ErrorKind::NotConnected.into()),
        }
        self.note(host, format_args!("sends a datagram of {} bytes", bytes.len()));
        Ok(bytes.len())
    }

    /// The network may lose, double and delay it.
    fn send_inet(
        &mut self,
        id: SocketId,
        host: HostId,
        to: SocketAddr,
        mut message: Message,
    ) -> io::Result<()> {
        self.check_family(id, to)?;
        if message.bytes.len() > LARGEST {
            return Err(failed(TOO_LONG));
        }
        let Some(other) = self.host_at(host, to.ip()) else { return Ok(()) };
        let ip = self.ip_towards(host, to.ip());
        if let Some(Address::Inet(from)) = &mut message.from
            && from.ip().is_unspecified()
        {
            from.set_ip(ip);
        }
        if host == other {
            self.arrived((other, to.into()), message, id);
            return Ok(());
        }
        if self.blocked(host, other).is_some() || self.strikes(Fault::DatagramLoss, host) {
            return Ok(());
        }
        let copies = 1 + usize::from(self.strikes(Fault::DatagramDuplicate, host));
        for _ in 0..copies {
            let after = self.delay(id, host, other);
            let (to, message) = ((other, to.into()), message.clone());
            self.schedule(after, Event::Datagram { to, message, from: id });
        }
        Ok(())
    }

    /// How long the next datagram takes: longer than those before, unless a fault has it overtaken.
    fn delay(&mut self, id: SocketId, host: HostId, other: HostId) -> Duration {
        let (after, now) = (self.latency(host, other), self.now);
        if self.strikes(Fault::DatagramReorder, host) {
            return after + self.delays.time(&(Duration::ZERO..OVERTAKEN));
        }
        let Some(datagrams) = self.datagrams(id) else { return after };
        let due = (now + after).max(datagrams.last_due + Duration::from_nanos(1));
        datagrams.last_due = due;
        due - now
    }

    /// The Unix socket that this one is connected to. Once that is gone, it is no longer connected.
    #[cfg(unix)]
    fn connected_receiver(&mut self, id: SocketId) -> io::Result<SocketId> {
        let peer = self.datagrams(id).and_then(|datagrams| datagrams.peer);
        let receiver = peer.filter(|peer| self.sockets.get(*peer).is_some());
        receiver.ok_or_else(|| {
            if let Some(datagrams) = self.datagrams(id) {
                (datagrams.remote, datagrams.peer) = (None, None);
            }
            ErrorKind::ConnectionRefused.into()
        })
    }

    #[cfg(unix)]
    fn send_local(&mut self, from: SocketId, to: SocketId, message: Message) -> io::Result<()> {
        if message.bytes.len() > self.settings.send_buffer {
            return Err(failed(TOO_LONG));
        }
        self.check_peer(to, from)?;
        let limit = self.settings.receive_buffer;
        let Some(datagrams) = self.datagrams(to) else {
            return Err(ErrorKind::ConnectionRefused.into());
        };
        // The two ends of a pair are held by their buffers alone.
        let is_full = datagrams.peer != Some(from) && datagrams.received.len() > LOCAL_QUEUE;
        if is_full || datagrams.held > limit {
            if !datagrams.waiting.contains(&from) {
                datagrams.waiting.push(from);
            }
            return Err(ErrorKind::WouldBlock.into());
        }
        self.take_in(to, message);
        Ok(())
    }

    /// Tells those who found the queue full that it is so no longer.
    fn tell_waiting(&mut self, receiver: SocketId) {
        #[cfg(unix)]
        {
            let waiting = self.datagrams(receiver).map(|d| std::mem::take(&mut d.waiting));
            waiting.into_iter().flatten().for_each(|sender| self.tell(sender));
        }
        #[cfg(not(unix))]
        let _ = receiver;
    }

    /// A datagram arrives; without room for it, it is dropped without a word.
    pub(super) fn arrived(&mut self, to: (HostId, Address), message: Message, from: SocketId) {
        let (host, address) = to;
        if let Ok(sender) = self.host_of(from)
            && sender != host
        {
            self.disturb(host, sender);
        }
        if self.hosts[host].down.is_some() {
            return;
        }
        let receiver = self.bound_to(host, Transport::Datagram, &address);
        let datagrams = receiver.and_then(|receiver| Some((receiver, self.datagrams(receiver)?)));
        let Some((receiver, datagrams)) = datagrams.filter(|(_, datagrams)| {
            datagrams.remote.is_none() || datagrams.remote == message.from
        }) else {
            return self.answer_unreachable(host, address, from);
        };
        let held = datagrams.held;
        // As udp(7) does, one is let in that goes beyond the limit.
        if held <= self.settings.receive_buffer {
            self.take_in(receiver, message);
        }
    }

    fn answer_unreachable(&mut self, host: HostId, to: Address, from: SocketId) {
        if let Ok(sender) = self.host_of(from)
            && self.blocked(host, sender).is_none()
        {
            let latency = self.latency(host, sender);
            self.schedule(latency, Event::Unreachable { from, to });
        }
    }

    fn take_in(&mut self, receiver: SocketId, message: Message) {
        if let Some(datagrams) = self.datagrams(receiver) {
            datagrams.held += message.charge();
            datagrams.received.push_back(message);
        }
        self.tell(receiver);
    }

    /// Who is connected to where nobody receives is told.
    pub(super) fn unreachable(&mut self, from: SocketId, to: &Address) {
        let sent_there = self.datagrams(from).is_some_and(|d| d.remote.as_ref() == Some(to));
        if sent_there && let Some(entry) = self.sockets.get_mut(from) {
            entry.error = Some(ErrorKind::ConnectionRefused);
            self.tell(from);
        }
    }

    pub(super) fn close_datagrams(&mut self, id: SocketId) {
        self.tell_waiting(id);
        self.sockets.remove(id);
    }

    /// Receives one datagram; `remove` is not set for a peek.
    pub(super) fn recv_datagram(
        &mut self,
        id: SocketId,
        buffer: &mut [u8],
        remove: bool,
    ) -> io::Result<(Received, Option<Address>)> {
        let host = self.host_of(id)?;
        self.interrupt(id, host)?;
        self.take_error(id)?;
        let datagrams = self.datagrams(id).ok_or(ErrorKind::NotConnected)?;
        let message = datagrams.received.front().ok_or(ErrorKind::WouldBlock)?;
        let length = message.bytes.len().min(buffer.len());
        buffer[..length].copy_from_slice(&message.bytes[..length]);
        let received = Received { length, truncated: length < message.bytes.len() };
        let from = message.from.clone();
        if remove && let Some(message) = datagrams.received.pop_front() {
            datagrams.held -= message.charge();
            self.note(host, format_args!("receives a datagram of {length} bytes"));
            self.tell_waiting(id);
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

/// Datagrams that a Unix socket holds before there are too many, as net.unix.max_dgram_qlen has it
/// at first.
#[cfg(unix)]
const LOCAL_QUEUE: usize = 10;

/// What the kernel takes for a datagram besides its bytes: about that of Linux.
const OVERHEAD: usize = 768;

/// How much later a datagram may come that others overtake.
const OVERTAKEN: Duration = Duration::from_millis(100);
