//! The ends of a connection: what a kernel does with them, as tcp(7) and unix(7) have it.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::time::Duration;

use super::faults::Fault;
use super::wire::{Carries, Segment};
use super::world::{Event, HostId, Kind, Settings, SocketId, State};
use crate::driver::Readiness;
use crate::family::Address;

/// One end of a connection.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) remote: Address,
    /// The other end, and its host. Stale once that is gone.
    pub(super) peer: Option<SocketId>,
    pub(super) peer_host: HostId,
    pub(super) phase: Phase,
    /// What has arrived and was not read.
    pub(super) received: VecDeque<u8>,
    /// Whether the other side's end has arrived.
    pub(super) ended: bool,
    /// What was written and is not yet on its way.
    pub(super) unsent: VecDeque<u8>,
    /// Bytes on their way to the other end.
    pub(super) in_flight: usize,
    /// What is on its way to this end, in order, and when each is due.
    pub(super) wire: VecDeque<Segment>,
    /// Set when this end has said all it had to say, by shutdown(2) or close(2).
    pub(super) write_closed: bool,
    /// Set when the end of the stream is on its way.
    pub(super) end_sent: bool,
    /// Set when the end of the stream has arrived at the other end.
    pub(super) end_heard: bool,
    pub(super) read_closed: bool,
    /// Set on an end of a Unix socket whose other end reads no more: that is known at once there.
    pub(super) refused: bool,
    /// Until when what has arrived is kept from the program.
    pub(super) withheld: Duration,
    /// Set when a write found too little room: the next room is news.
    pub(super) wants_room: bool,
    /// Set by a write that fell short, until its room is reported.
    pub(super) stalled: bool,
    /// Set when its host has closed it: the rest goes out by itself.
    pub(super) orphan: bool,
    /// Set on an end that took a port of its own when it connected.
    pub(super) has_port: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Connecting,
    Open,
    /// Reset, or never connected.
    Dead,
}

impl Stream {
    pub(super) fn new(remote: Address, phase: Phase) -> Stream {
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
    pub(super) fn room(&self, settings: &Settings) -> usize {
        if self.stalled {
            return 0;
        }
        settings.send_buffer.saturating_sub(self.unsent.len() + self.in_flight)
    }

    pub(super) fn is_local(&self) -> bool {
        !matches!(self.remote, Address::Inet(_))
    }

    /// Whether the program does not get to see what has arrived. A reset it sees.
    pub(super) fn is_withheld(&self, now: Duration) -> bool {
        self.withheld > now && self.phase == Phase::Open
    }

    /// Whether a connection of the internet is over: then its socket has no peer any more.
    pub(super) fn is_disconnected(&self) -> bool {
        let over = self.phase != Phase::Open || (self.ended && self.end_heard);
        over && !self.is_local()
    }
}

impl State {
    /// The other end of a connection, and its host, if it waits for what it sent to arrive, its end
    /// included.
    pub(super) fn sender_to(&mut self, id: SocketId) -> Option<(SocketId, HostId)> {
        let stream = self.stream(id)?;
        let (peer, host) = (stream.peer?, stream.peer_host);
        let sender = self.stream(peer)?;
        let waits = sender.in_flight > 0 || !sender.unsent.is_empty();
        (waits || (sender.end_sent && !sender.end_heard) || sender.orphan).then_some((peer, host))
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
    pub(super) fn tell_of_room(&mut self, id: SocketId) {
        let settings = self.settings.clone();
        let Some(stream) = self.stream(id) else { return };
        if stream.wants_room && stream.room(&settings) * 3 >= settings.send_buffer {
            stream.wants_room = false;
            self.tell(id);
        }
    }

    /// Nobody is there to read: who sends is told, behind what it was sent before.
    pub(super) fn answer_with_reset(&mut self, from: SocketId, to: SocketId) {
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

    pub(super) fn die(&mut self, id: SocketId, error: ErrorKind) {
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
    pub(super) fn abort(&mut self, id: SocketId) {
        let peer = self.stream(id).and_then(|stream| stream.peer);
        match peer {
            Some(peer) => self.answer_with_reset(id, peer),
            None => self.abandon(id),
        }
    }

    pub(super) fn abandon(&mut self, id: SocketId) {
        let Some(entry) = self.sockets.remove(id) else { return };
        if let (Kind::Stream(Stream { has_port: true, .. }), Some(Address::Inet(local))) =
            (&entry.kind, &entry.local)
        {
            self.hosts[entry.host].ports.remove(&local.port());
        }
    }

    /// Forgets an end that its host has closed, once both sides have heard each other's end. Until
    /// then it answers what still comes.
    pub(super) fn bury(&mut self, id: SocketId) {
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
}

#[cfg(unix)]
pub(super) fn unnamed() -> Address {
    Address::Local(crate::family::UnixAddr::Unnamed)
}

#[cfg(not(unix))]
pub(super) fn unnamed() -> Address {
    Address::Inet(([0, 0, 0, 0], 0).into())
}
