//! How connections begin: listening, connecting, and the backlog between.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::errors::{NO_BUFFERS, NO_DESCRIPTOR, failed};
use super::faults::Fault;
use super::stream::{Phase, Stream, unnamed};
use super::wire::Carries;
use super::world::{Entry, Event, HostId, Kind, SocketId, State, Transport};
use crate::driver::Readiness;
use crate::family::Address;

/// A socket that listens.
#[derive(Debug)]
pub(super) struct Listening {
    /// Connections that wait to be accepted.
    backlog: VecDeque<SocketId>,
}

impl Listening {
    pub(super) fn readiness(&self) -> Readiness {
        if self.backlog.is_empty() { Readiness::EMPTY } else { Readiness::READ }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.backlog.is_empty()
    }
}

impl State {
    /// A socket that listens on `address`, with a port of the system's choice for port 0.
    pub(super) fn listen(&mut self, host: HostId, address: &Address) -> io::Result<SocketId> {
        self.check_descriptors(host, 1)?;
        let local = self.claim(host, Transport::Stream, address)?;
        let kind = Kind::Listening(Listening { backlog: VecDeque::new() });
        let id = self.open(host, Some(local.clone()), kind);
        self.hosts[host].bound.push((Transport::Stream, local.clone(), id));
        self.note(host, format_args!("listens on {local}"));
        Ok(id)
    }

    /// A socket that has begun to connect to `address`.
    pub(super) fn connect(&mut self, host: HostId, address: &Address) -> io::Result<SocketId> {
        self.check_descriptors(host, 1)?;
        if self.strikes(Fault::ConnectDescriptors, host) {
            return Err(failed(NO_DESCRIPTOR));
        }
        if self.strikes(Fault::NoBuffers, host) {
            return Err(failed(NO_BUFFERS));
        }
        match address {
            Address::Inet(to) => self.connect_inet(host, specified(*to)),
            #[cfg(unix)]
            Address::Local(_) => self.connect_local(host, address),
        }
    }

    fn connect_inet(&mut self, host: HostId, to: SocketAddr) -> io::Result<SocketId> {
        let local = self.local_for(host, to)?;
        let mut stream = Stream::new(to.into(), Phase::Connecting);
        stream.has_port = true;
        self.hosts[host].ports.insert(local.port());
        let id = self.open(host, Some(local.into()), Kind::Stream(stream));
        self.note(host, format_args!("connects from {local} to {to}"));
        let after = match self.host_at(host, to.ip()) {
            Some(other) => self.latency(host, other),
            None => Duration::ZERO,
        };
        self.schedule(after, Event::Syn { from: id, to: to.into(), attempt: 0 });
        Ok(id)
    }

    /// Unix sockets connect at once or not at all.
    #[cfg(unix)]
    fn connect_local(&mut self, host: HostId, address: &Address) -> io::Result<SocketId> {
        let unnamed = Address::Local(crate::family::UnixAddr::Unnamed);
        let listener = self.local_receiver(host, Transport::Stream, address)?;
        if !self.has_room(listener) {
            return Err(ErrorKind::WouldBlock.into());
        }
        let (near, far) = self.open_pair(host, [Some(unnamed.clone()), Some(address.clone())]);
        // Its descriptor is the listener's process's, once it is accepted.
        self.hosts[host].descriptors -= 1;
        self.add_to_backlog(listener, far);
        Ok(near)
    }

    /// Two ends that are connected.
    #[cfg(unix)]
    pub(super) fn open_pair(
        &mut self,
        host: HostId,
        locals: [Option<Address>; 2],
    ) -> (SocketId, SocketId) {
        let [one, other] = locals;
        let address = |address: &Option<Address>| address.clone().unwrap_or_else(unnamed);
        let (one_at, other_at) = (address(&one), address(&other));
        let near = self.open(
            host,
            Some(one_at.clone()),
            Kind::Stream(Stream::new(other_at.clone(), Phase::Open)),
        );
        let far = self.open(host, Some(other_at), Kind::Stream(Stream::new(one_at, Phase::Open)));
        self.join(near, far);
        (near, far)
    }

    fn join(&mut self, one: SocketId, other: SocketId) {
        for (id, peer) in [(one, other), (other, one)] {
            let peer_host = self.host_of(peer).unwrap_or_default();
            if let Some(stream) = self.stream(id) {
                (stream.peer, stream.peer_host) = (Some(peer), peer_host);
            }
        }
    }

    /// A request to connect arrives where it was sent to.
    pub(super) fn syn(&mut self, from: SocketId, to: Address, attempt: u32) {
        let Some(host) = self.sockets.get(from).map(|entry| entry.host) else { return };
        let Ok(address) = SocketAddr::try_from(to.clone()) else { return };
        let Some(other) = self.host_at(host, address.ip()) else {
            return self.die(from, ErrorKind::HostUnreachable);
        };
        if attempt > SYN_RETRIES {
            return self.die(from, ErrorKind::TimedOut);
        }
        if host != other {
            self.disturb(other, host);
        }
        let listener = self.bound_to(other, Transport::Stream, &to);
        let is_lost = self.blocked(host, other).is_some()
            || listener.is_some_and(|listener| !self.has_room(listener));
        if is_lost {
            return self.syn_again(from, to, attempt);
        }
        let latency = self.latency(host, other);
        let listening = |id: &SocketId| {
            self.sockets.get(*id).is_some_and(|entry| matches!(entry.kind, Kind::Listening(_)))
        };
        let Some(listener) = listener.filter(listening) else {
            return self.schedule(latency, Event::Refused { from });
        };
        let remote = self.sockets.get(from).and_then(|entry| entry.local.clone());
        let remote = remote.unwrap_or_else(unnamed);
        let stream = Stream::new(remote.clone(), Phase::Open);
        let accepted = self.open(other, Some(to.clone()), Kind::Stream(stream));
        self.hosts[other].descriptors -= 1;
        self.join(from, accepted);
        self.add_to_backlog(listener, accepted);
        self.note(other, format_args!("{remote} reaches the backlog of {to}"));
        self.put_on_wire(accepted, from, Vec::new(), Carries::Established);
    }

    /// A request that got no answer is sent again, later each time, as tcp(7) has it.
    fn syn_again(&mut self, from: SocketId, to: Address, attempt: u32) {
        let after = Duration::from_secs(1 << attempt);
        self.schedule(after, Event::Syn { from, to, attempt: attempt + 1 });
    }

    pub(super) fn refused(&mut self, from: SocketId) {
        self.die(from, ErrorKind::ConnectionRefused);
    }

    fn has_room(&self, listener: SocketId) -> bool {
        match self.sockets.get(listener).map(|entry| &entry.kind) {
            Some(Kind::Listening(listening)) => listening.backlog.len() < self.settings.backlog,
            _ => false,
        }
    }

    fn add_to_backlog(&mut self, listener: SocketId, accepted: SocketId) {
        if let Some(Entry { kind: Kind::Listening(listening), .. }) = self.sockets.get_mut(listener)
        {
            listening.backlog.push_back(accepted);
        }
        self.tell(listener);
    }

    /// Takes a connection out of the backlog.
    pub(super) fn accept(&mut self, listener: SocketId) -> io::Result<(SocketId, Address)> {
        let Some(host) = self.sockets.get(listener).map(|entry| entry.host) else {
            return Err(ErrorKind::NotConnected.into());
        };
        self.interrupt(listener, host)?;
        if self.strikes(Fault::AcceptDescriptors, host) {
            return Err(failed(NO_DESCRIPTOR));
        }
        self.check_descriptors(host, 1)?;
        if self.strikes(Fault::NoBuffers, host) {
            return Err(failed(NO_BUFFERS));
        }
        let Some(accepted) = self.backlog(listener).and_then(VecDeque::pop_front) else {
            return Err(ErrorKind::WouldBlock.into());
        };
        if self.strikes(Fault::AcceptAborted, host) {
            self.abort(accepted);
            return Err(ErrorKind::ConnectionAborted.into());
        }
        let remote = self.stream(accepted).map(|stream| stream.remote.clone());
        let remote = remote.ok_or(ErrorKind::ConnectionAborted)?;
        self.hosts[host].descriptors += 1;
        self.note(host, format_args!("accepts {remote}"));
        Ok((accepted, remote))
    }

    fn backlog(&mut self, listener: SocketId) -> Option<&mut VecDeque<SocketId>> {
        match &mut self.sockets.get_mut(listener)?.kind {
            Kind::Listening(listening) => Some(&mut listening.backlog),
            _ => None,
        }
    }

    pub(super) fn has_backlog(&self, listener: SocketId) -> bool {
        match self.sockets.get(listener).map(|entry| &entry.kind) {
            Some(Kind::Listening(listening)) => !listening.is_empty(),
            _ => false,
        }
    }

    /// How the attempt to connect ended.
    pub(super) fn connected(&mut self, id: SocketId) -> io::Result<()> {
        self.take_error(id)?;
        match self.stream(id).map(|stream| stream.phase) {
            Some(Phase::Open) => Ok(()),
            Some(Phase::Connecting) => Err(ErrorKind::WouldBlock.into()),
            _ => Err(ErrorKind::NotConnected.into()),
        }
    }

    /// Resets whoever waits to be accepted.
    pub(super) fn close_listener(&mut self, id: SocketId) {
        let waiting = self.backlog(id).map(std::mem::take).unwrap_or_default();
        for accepted in waiting {
            self.abort(accepted);
        }
        self.abandon(id);
    }

    /// The address that a connection to `to` comes from.
    fn local_for(&mut self, host: HostId, to: SocketAddr) -> io::Result<SocketAddr> {
        let ip = self.ip_towards(host, to.ip());
        let port = self.free_port(host, ip)?;
        Ok(SocketAddr::new(ip, port))
    }
}

/// The unspecified address stands for this machine to who connects to it.
fn specified(to: SocketAddr) -> SocketAddr {
    let ip: IpAddr = match to.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, to.port())
}

/// How often a request to connect is repeated before it times out: after 127 seconds, tcp(7).
const SYN_RETRIES: u32 = 6;
