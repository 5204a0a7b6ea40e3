//! Connections: what a kernel does with them, as tcp(7) and unix(7) have it.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::errors::{NO_BUFFERS, NO_DESCRIPTOR, failed};
use super::faults::Fault;
use super::world::{Entry, Event, HostId, Kind, Settings, SocketId, State, Transport};
use crate::driver::Readiness;
use crate::family::Address;

/// A socket that listens.
#[derive(Debug)]
pub(super) struct Listening {
    /// Connections that wait to be accepted.
    backlog: VecDeque<SocketId>,
}

/// One end of a connection.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) remote: Address,
    /// The other end, and its host. Stale once that is gone.
    peer: Option<SocketId>,
    peer_host: HostId,
    phase: Phase,
    /// What has arrived and was not read.
    received: VecDeque<u8>,
    /// Whether the other side's end has arrived.
    ended: bool,
    /// What was written and is not yet on its way.
    unsent: VecDeque<u8>,
    /// Bytes on their way to the other end.
    in_flight: usize,
    /// What is on its way to this end, in order, and when each is due.
    wire: VecDeque<Segment>,
    /// Set when this end has said all it had to say, by shutdown(2) or close(2).
    write_closed: bool,
    /// Set when the end of the stream is on its way.
    end_sent: bool,
    /// Set when the end of the stream has arrived at the other end.
    end_heard: bool,
    read_closed: bool,
    /// Set on an end of a Unix socket whose other end reads no more: that is known at once there.
    refused: bool,
    /// Until when what has arrived is kept from the program.
    withheld: Duration,
    /// Set when a write found too little room: the next room is news.
    wants_room: bool,
    /// Set by a write that fell short, until its room is reported.
    stalled: bool,
    /// Set when its host has closed it: the rest goes out by itself.
    orphan: bool,
    /// Set on an end that took a port of its own when it connected.
    pub(super) has_port: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Connecting,
    Open,
    /// Reset, or never connected.
    Dead,
}

/// What travels.
#[derive(Debug)]
struct Segment {
    due: Duration,
    bytes: Vec<u8>,
    carries: Carries,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carries {
    /// That the connection was accepted into the backlog.
    Established,
    Data,
    End,
    /// That the other end is gone, and with it what was not yet read there.
    Reset,
}

impl Listening {
    pub(super) fn readiness(&self) -> Readiness {
        if self.backlog.is_empty() { Readiness::EMPTY } else { Readiness::READ }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.backlog.is_empty()
    }
}

impl Stream {
    fn new(remote: Address, phase: Phase) -> Stream {
        Stream {
            remote,
            peer: None,
            peer_host: 0,
            phase,
            received: VecDeque::new(),
            ended: false,
            unsent: VecDeque::new(),
            in_flight: 0,
            wire: VecDeque::new(),
            write_closed: false,
            end_sent: false,
            end_heard: false,
            read_closed: false,
            refused: false,
            withheld: Duration::ZERO,
            wants_room: false,
            stalled: false,
            orphan: false,
            has_port: false,
        }
    }

    pub(super) fn readiness(&self, settings: &Settings, now: Duration) -> Readiness {
        let mut ready = Readiness::EMPTY;
        if self.phase == Phase::Connecting {
            return ready;
        }
        let over = self.read_closed || (self.ended && !self.is_withheld(now));
        let has_data = !self.received.is_empty() && !self.is_withheld(now);
        if has_data || over || self.phase == Phase::Dead {
            ready |= Readiness::READ;
        }
        if over {
            ready |= Readiness::READ_HANGUP;
        }
        let fails = self.write_closed || self.refused || self.phase == Phase::Dead;
        if self.room(settings) > 0 || fails {
            ready |= Readiness::WRITE;
        }
        if self.phase == Phase::Dead || (over && self.write_closed) {
            ready |= Readiness::HANGUP;
        }
        ready
    }

    /// Bytes that a write can take.
    fn room(&self, settings: &Settings) -> usize {
        if self.stalled {
            return 0;
        }
        settings.send_buffer.saturating_sub(self.unsent.len() + self.in_flight)
    }

    fn is_local(&self) -> bool {
        !matches!(self.remote, Address::Inet(_))
    }

    /// Whether the program does not get to see what has arrived. A reset it sees.
    fn is_withheld(&self, now: Duration) -> bool {
        self.withheld > now && self.phase == Phase::Open
    }

    /// Whether a connection of the internet is over: then its socket has no peer any more.
    pub(super) fn is_disconnected(&self) -> bool {
        let over = self.phase != Phase::Open || (self.ended && self.end_heard);
        over && !self.is_local()
    }
}

impl State {
    /// A socket that listens on `address`, with a port of the system's choice for port 0.
    pub(super) fn listen(&mut self, host: HostId, address: &Address) -> io::Result<SocketId> {
        self.check_descriptors(host)?;
        let local = self.claim(host, Transport::Stream, address)?;
        let kind = Kind::Listening(Listening { backlog: VecDeque::new() });
        let id = self.open(host, Some(local.clone()), kind);
        self.hosts[host].bound.push((Transport::Stream, local.clone(), id));
        self.note(host, format_args!("listens on {local}"));
        Ok(id)
    }

    /// A socket that has begun to connect to `address`.
    pub(super) fn connect(&mut self, host: HostId, address: &Address) -> io::Result<SocketId> {
        self.check_descriptors(host)?;
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

    /// The other end of a connection, and its host, if it waits for what it sent to arrive, its end
    /// included.
    pub(super) fn sender_to(&mut self, id: SocketId) -> Option<(SocketId, HostId)> {
        let stream = self.stream(id)?;
        let (peer, host) = (stream.peer?, stream.peer_host);
        let sender = self.stream(peer)?;
        let waits = sender.in_flight > 0 || !sender.unsent.is_empty();
        (waits || (sender.end_sent && !sender.end_heard) || sender.orphan).then_some((peer, host))
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
        self.check_descriptors(host)?;
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

    /// Reads what is there; `remove` is not set for a peek.
    pub(super) fn recv(
        &mut self,
        id: SocketId,
        buffer: &mut [u8],
        remove: bool,
    ) -> io::Result<usize> {
        let host = self.host_of(id)?;
        self.interrupt(id, host)?;
        let now = self.now;
        let Some(stream) = self.stream(id) else { return Err(ErrorKind::NotConnected.into()) };
        let mut length = stream.received.len().min(buffer.len());
        let is_local = stream.is_local();
        if stream.received.is_empty() || stream.is_withheld(now) {
            return self.recv_nothing(id);
        }
        if is_local && length > 1 && self.strikes(Fault::ShortRead, host) {
            length = 1 + self.faults.below(Fault::ShortRead, length - 1);
        }
        let Some(stream) = self.stream(id) else { return Ok(0) };
        for (byte, got) in buffer.iter_mut().zip(stream.received.iter().take(length)) {
            *byte = *got;
        }
        let peer = stream.peer;
        if remove {
            stream.received.drain(..length);
            if let Some(peer) = peer {
                self.open_window(id, peer);
            }
            self.note(host, format_args!("reads {length} bytes"));
        }
        Ok(length)
    }

    /// What a read says that finds no data.
    fn recv_nothing(&mut self, id: SocketId) -> io::Result<usize> {
        let now = self.now;
        let Some(stream) = self.stream(id) else { return Err(ErrorKind::NotConnected.into()) };
        let ended = stream.ended && !stream.is_withheld(now);
        // The end that TCP has heard comes before the error of a reset behind it; of a Unix socket the
        // error comes first.
        if ended && !stream.is_local() {
            return Ok(0);
        }
        let (phase, over) = (stream.phase, ended || stream.read_closed);
        self.take_error(id)?;
        match phase {
            Phase::Connecting => Err(ErrorKind::NotConnected.into()),
            _ if over || phase == Phase::Dead => Ok(0),
            _ => Err(ErrorKind::WouldBlock.into()),
        }
    }

    /// Lets the other end know that there is room again.
    fn open_window(&mut self, reader: SocketId, peer: SocketId) {
        let blocked = self.stream(peer).is_some_and(|peer| !peer.unsent.is_empty());
        let opens = blocked && self.window(peer).is_some_and(|(_, room)| room >= self.worthwhile());
        if opens && let (Ok(host), Ok(other)) = (self.host_of(reader), self.host_of(peer)) {
            let latency = self.latency(host, other);
            self.schedule(latency, Event::Window { of: peer });
        }
    }

    /// The smallest room at the other end that is sent into. Without it a few bytes would be read and
    /// sent at a time, for ever: the silly window syndrome, RFC 9293, section 3.8.6.2.
    fn worthwhile(&self) -> usize {
        self.settings.segment.min(self.settings.receive_buffer.div_ceil(2))
    }

    /// Takes as much of `bytes` as there is room for.
    pub(super) fn send(&mut self, id: SocketId, bytes: &[u8]) -> io::Result<usize> {
        let host = self.host_of(id)?;
        self.interrupt(id, host)?;
        if self.stream(id).is_some_and(|stream| stream.refused) {
            return Err(ErrorKind::BrokenPipe.into());
        }
        self.take_error(id)?;
        let settings = self.settings.clone();
        let Some(stream) = self.stream(id) else { return Err(ErrorKind::NotConnected.into()) };
        match stream.phase {
            Phase::Dead => return Err(ErrorKind::BrokenPipe.into()),
            Phase::Connecting => return Err(ErrorKind::WouldBlock.into()),
            Phase::Open if stream.write_closed => return Err(ErrorKind::BrokenPipe.into()),
            Phase::Open => {}
        }
        let mut length = bytes.len().min(stream.room(&settings));
        if length < bytes.len() {
            stream.wants_room = true;
        }
        if length == 0 && !bytes.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        if length > 1 && self.strikes(Fault::ShortWrite, host) {
            length = 1 + self.faults.below(Fault::ShortWrite, length - 1);
            self.stall(id);
        }
        if let Some(stream) = self.stream(id) {
            stream.unsent.extend(&bytes[..length]);
        }
        self.note(host, format_args!("writes {length} of {} bytes", bytes.len()));
        self.pump(id);
        Ok(length)
    }

    /// Makes a write fall short, with room to come.
    fn stall(&mut self, id: SocketId) {
        if let Some(stream) = self.stream(id) {
            (stream.stalled, stream.wants_room) = (true, true);
        }
        let after = self.delays.time(&self.settings.latency.clone());
        self.schedule(after, Event::Room { of: id });
    }

    pub(super) fn room(&mut self, id: SocketId) {
        if let Some(stream) = self.stream(id) {
            stream.stalled = false;
        }
        self.tell_of_room(id);
    }

    /// A third of the buffer free is news for who found too little, as Linux has it.
    fn tell_of_room(&mut self, id: SocketId) {
        let settings = self.settings.clone();
        let Some(stream) = self.stream(id) else { return };
        if stream.wants_room && stream.room(&settings) * 3 >= settings.send_buffer {
            stream.wants_room = false;
            self.tell(id);
        }
    }

    /// Sends what the other end has room for, cut anywhere.
    pub(super) fn pump(&mut self, id: SocketId) {
        let (segment, worthwhile) = (self.settings.segment, self.worthwhile());
        while let Some((peer, window)) = self.window(id) {
            let Some(stream) = self.stream(id) else { return };
            let most = stream.unsent.len().min(window).min(segment);
            if most == 0 || window < worthwhile {
                break;
            }
            let length = 1 + self.cuts.below(most);
            let Some(stream) = self.stream(id) else { return };
            let bytes: Vec<u8> = stream.unsent.drain(..length).collect();
            stream.in_flight += length;
            self.put_on_wire(id, peer, bytes, Carries::Data);
        }
        let Some(stream) = self.stream(id) else { return };
        if stream.write_closed && stream.unsent.is_empty() && !stream.end_sent {
            stream.end_sent = true;
            if let Some(peer) = stream.peer {
                self.put_on_wire(id, peer, Vec::new(), Carries::End);
            }
        }
        self.bury(id);
    }

    /// The other end, and how many bytes it has room for.
    fn window(&mut self, id: SocketId) -> Option<(SocketId, usize)> {
        let stream = self.stream(id)?;
        if stream.phase != Phase::Open {
            return None;
        }
        let (peer, in_flight) = (stream.peer?, stream.in_flight);
        let held = match self.stream(peer) {
            Some(peer) => peer.received.len(),
            None => 0,
        };
        Some((peer, self.settings.receive_buffer.saturating_sub(held + in_flight)))
    }

    /// Sends something that arrives after all that was sent before.
    fn put_on_wire(&mut self, from: SocketId, to: SocketId, bytes: Vec<u8>, carries: Carries) {
        let Ok(host) = self.host_of(from) else { return };
        let Some(other) = self.stream(from).map(|stream| stream.peer_host) else { return };
        let latency = self.latency(host, other);
        let mut due = self.now + latency;
        let Some(stream) = self.stream(to) else {
            // The other end is gone altogether. Its host says so to whoever still sends, once it can.
            if carries == Carries::Data {
                let after = self.repeated_after(host, other) + latency * 2;
                self.schedule(after, Event::Reset { to: from });
            }
            return;
        };
        if let Some(last) = stream.wire.back() {
            due = due.max(last.due + Duration::from_nanos(1));
        }
        let is_first = stream.wire.is_empty();
        stream.wire.push_back(Segment { due, bytes, carries });
        if is_first {
            let after = due - self.now;
            self.schedule(after, Event::Segment { to, attempt: 0 });
        }
    }

    /// The next segment for this end arrives, unless something keeps it.
    pub(super) fn segment(&mut self, to: SocketId, attempt: u32) {
        let Ok(host) = self.host_of(to) else { return };
        let Some(stream) = self.stream(to) else { return };
        let (peer, other) = (stream.peer, stream.peer_host);
        if host != other {
            self.disturb(host, other);
        }
        let is_kept = self.blocked(host, other).is_some()
            || (attempt < SYN_RETRIES && host != other && self.strikes(Fault::SegmentLoss, host));
        if is_kept {
            return self.segment_again(to, peer, attempt);
        }
        if host != other && self.strikes(Fault::Reset, host) {
            self.reset(to, ErrorKind::ConnectionReset);
            if let Some(peer) = peer {
                self.reset(peer, ErrorKind::ConnectionReset);
            }
            return;
        }
        self.deliver(to);
        let Some(next) = self.stream(to).and_then(|stream| stream.wire.front()).map(|s| s.due)
        else {
            return;
        };
        self.schedule(next.saturating_sub(self.now), Event::Segment { to, attempt: 0 });
    }

    /// Faults of the network and of hosts that an arrival may meet.
    pub(super) fn disturb(&mut self, host: HostId, other: HostId) {
        if self.blocked(host, other).is_some() {
            return;
        }
        if self.strikes(Fault::Partition, host) {
            let until = self.now + self.delays.time(&self.settings.partition.clone());
            self.partition(host, other, until);
        }
        if self.hosts[host].restarts && self.strikes(Fault::Crash, host) {
            let until = self.now + self.delays.time(&self.settings.restart.clone());
            self.crash(host, until);
        }
    }

    /// Sends a segment again, later each time, until the sender gives the connection up.
    fn segment_again(&mut self, to: SocketId, peer: Option<SocketId>, attempt: u32) {
        if attempt > SEGMENT_RETRIES {
            if let Some(peer) = peer {
                self.reset(peer, ErrorKind::TimedOut);
            }
            return self.unheard(to);
        }
        let after = (RETRANSMISSION * 2u32.pow(attempt)).min(LONGEST_RETRANSMISSION);
        self.schedule(after, Event::Segment { to, attempt: attempt + 1 });
    }

    /// The other side has given up what it sent. Who waits to hear of it is not told, unless it is
    /// still connecting.
    fn unheard(&mut self, to: SocketId) {
        let Some(stream) = self.stream(to) else { return };
        stream.wire.clear();
        if stream.phase == Phase::Connecting {
            self.die(to, ErrorKind::TimedOut);
        }
        self.bury(to);
    }

    fn deliver(&mut self, to: SocketId) {
        let Some(stream) = self.stream(to) else { return };
        let Some(segment) = stream.wire.pop_front() else { return };
        let (peer, length) = (stream.peer, segment.bytes.len());
        match segment.carries {
            Carries::Reset => return self.reset(to, ErrorKind::ConnectionReset),
            Carries::Established if stream.phase == Phase::Connecting => stream.phase = Phase::Open,
            Carries::Established => {}
            _ if stream.phase == Phase::Dead => return self.reject(to),
            Carries::Data if stream.orphan => {
                if let Some(peer) = peer {
                    self.answer_with_reset(to, peer);
                }
                return;
            }
            Carries::Data => stream.received.extend(&segment.bytes),
            Carries::End => stream.ended = true,
        }
        if let Some(peer) = peer {
            self.acknowledged(peer, length, segment.carries);
        }
        match segment.carries {
            Carries::Established => self.pump(to),
            Carries::Data => self.withhold(to),
            Carries::End | Carries::Reset => {}
        }
        self.tell(to);
        self.bury(to);
    }

    /// Something has arrived at an end that knows of no connection any more.
    fn reject(&mut self, at: SocketId) {
        let Some(peer) = self.stream(at).and_then(|stream| stream.peer) else { return };
        if let (Ok(host), Ok(other)) = (self.host_of(at), self.host_of(peer)) {
            let after = self.repeated_after(host, other) + self.latency(host, other);
            self.schedule(after, Event::Reset { to: peer });
        }
    }

    /// After how long what is sent again gets through.
    fn repeated_after(&self, host: HostId, other: HostId) -> Duration {
        self.blocked(host, other).map_or(Duration::ZERO, |until| until.saturating_sub(self.now))
    }

    /// Keeps from the program what has arrived, if a fault has it so.
    fn withhold(&mut self, id: SocketId) {
        let (Ok(host), now) = (self.host_of(id), self.now) else { return };
        if self.stream(id).is_none_or(|stream| stream.is_withheld(now)) {
            return;
        }
        let until = if self.strikes(Fault::StuckReader, host) {
            Duration::MAX
        } else if self.strikes(Fault::SlowReader, host) {
            let after = self.delays.time(&self.settings.slow_read.clone());
            self.schedule(after, Event::Seen { by: id });
            now + after
        } else {
            return;
        };
        if let Some(stream) = self.stream(id) {
            stream.withheld = until;
        }
    }

    /// The bytes have arrived: there is room for as many more.
    fn acknowledged(&mut self, id: SocketId, length: usize, carries: Carries) {
        if let Some(stream) = self.stream(id) {
            stream.in_flight = stream.in_flight.saturating_sub(length);
            stream.end_heard |= carries == Carries::End;
            self.tell_of_room(id);
            self.bury(id);
        }
    }

    /// Nobody is there to read: who sends is told, behind what it was sent before.
    fn answer_with_reset(&mut self, from: SocketId, to: SocketId) {
        self.put_on_wire(from, to, Vec::new(), Carries::Reset);
        self.refuse(to);
        self.abandon(from);
    }

    /// Says to the other end of a Unix socket that it writes in vain.
    fn refuse(&mut self, peer: SocketId) {
        if let Some(stream) = self.stream(peer)
            && stream.is_local()
        {
            stream.refused = true;
            self.tell(peer);
        }
    }

    /// The connection has ended in the middle.
    pub(super) fn reset(&mut self, id: SocketId, error: ErrorKind) {
        let Ok(host) = self.host_of(id) else { return };
        let Some(stream) = self.stream(id) else { return };
        if stream.phase == Phase::Dead {
            return;
        }
        let is_orphan = stream.orphan;
        // TCP has it so for an end that has heard the other side's.
        let breaks = stream.ended && !stream.is_local() && error == ErrorKind::ConnectionReset;
        let error = if breaks { ErrorKind::BrokenPipe } else { error };
        self.note(host, format_args!("{error:?}"));
        self.die(id, error);
        if is_orphan {
            self.abandon(id);
        }
    }

    fn die(&mut self, id: SocketId, error: ErrorKind) {
        let Some(entry) = self.sockets.get_mut(id) else { return };
        entry.error = Some(error);
        let mut is_awaited = false;
        if let Kind::Stream(stream) = &mut entry.kind {
            stream.phase = Phase::Dead;
            stream.unsent.clear();
            let awaits = |segment: Segment| matches!(segment.carries, Carries::Data | Carries::End);
            is_awaited = stream.wire.drain(..).any(awaits);
        }
        if is_awaited {
            self.reject(id);
        }
        self.tell(id);
    }

    /// Closes one direction or both.
    pub(super) fn shutdown(&mut self, id: SocketId, read: bool, write: bool) -> io::Result<()> {
        let host = self.host_of(id)?;
        let Some(stream) = self.stream(id) else { return Err(ErrorKind::NotConnected.into()) };
        if stream.is_disconnected() {
            return Err(ErrorKind::NotConnected.into());
        }
        stream.read_closed |= read;
        stream.write_closed |= write;
        let peer = stream.peer;
        if read && let Some(peer) = peer {
            self.refuse(peer);
        }
        self.note(host, format_args!("shuts down (read: {read}, write: {write})"));
        self.tell(id);
        self.pump(id);
        Ok(())
    }

    /// The host has closed its end.
    pub(super) fn close_stream(&mut self, id: SocketId) {
        let Some(entry) = self.sockets.get(id) else { return };
        let resets = entry.options.get("linger").is_some_and(|linger| *linger == 1);
        let Some(stream) = self.stream(id) else { return };
        // What was written to a Unix socket is at the other end at once.
        let is_coming = |segment: &Segment| segment.carries == Carries::Data;
        let unread =
            !stream.received.is_empty() || (stream.is_local() && stream.wire.iter().any(is_coming));
        match stream.phase {
            Phase::Open if !resets && !unread => {
                (stream.orphan, stream.write_closed) = (true, true);
                if let Some(peer) = stream.peer {
                    self.refuse(peer);
                }
                self.pump(id);
            }
            Phase::Open | Phase::Connecting => self.abort(id),
            Phase::Dead => self.abandon(id),
        }
    }

    /// Ends the connection with a reset for the other side.
    fn abort(&mut self, id: SocketId) {
        let peer = self.stream(id).and_then(|stream| stream.peer);
        match peer {
            Some(peer) => self.answer_with_reset(id, peer),
            None => self.abandon(id),
        }
    }

    fn abandon(&mut self, id: SocketId) {
        let Some(entry) = self.sockets.remove(id) else { return };
        if let (Kind::Stream(Stream { has_port: true, .. }), Some(Address::Inet(local))) =
            (&entry.kind, &entry.local)
        {
            self.hosts[entry.host].ports.remove(&local.port());
        }
    }

    /// Forgets an end that its host has closed, once both sides have heard each other's end. Until
    /// then it answers what still comes.
    fn bury(&mut self, id: SocketId) {
        let Some(stream) = self.stream(id) else { return };
        if !stream.orphan || !stream.end_sent {
            return;
        }
        let is_over = stream.ended && stream.end_heard && stream.in_flight == 0;
        let peer = stream.peer;
        if is_over || peer.is_none_or(|peer| self.sockets.get(peer).is_none()) {
            self.abandon(id);
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

    pub(super) fn stream(&mut self, id: SocketId) -> Option<&mut Stream> {
        match &mut self.sockets.get_mut(id)?.kind {
            Kind::Stream(stream) => Some(stream),
            _ => None,
        }
    }

    /// # Errors
    ///
    /// When the socket went down with its host.
    pub(super) fn host_of(&self, id: SocketId) -> io::Result<HostId> {
        self.sockets.get(id).map(|entry| entry.host).ok_or_else(|| ErrorKind::NotConnected.into())
    }

    pub(super) fn take_error(&mut self, id: SocketId) -> io::Result<()> {
        match self.sockets.get_mut(id).and_then(|entry| entry.error.take()) {
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
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

#[cfg(unix)]
fn unnamed() -> Address {
    Address::Local(crate::family::UnixAddr::Unnamed)
}

#[cfg(not(unix))]
fn unnamed() -> Address {
    Address::Inet(SocketAddr::from(([0, 0, 0, 0], 0)))
}

/// How often a request to connect is repeated before it times out: after 127 seconds, tcp(7).
const SYN_RETRIES: u32 = 6;

/// How often a segment is repeated before its connection times out: after 924.6 seconds, as the setting
/// tcp_retries2 of tcp(7) has it.
const SEGMENT_RETRIES: u32 = 15;

/// How long the first repetition of a segment takes; each further one takes twice as long, up to the
/// longest.
const RETRANSMISSION: Duration = Duration::from_millis(200);
const LONGEST_RETRANSMISSION: Duration = Duration::from_secs(120);
