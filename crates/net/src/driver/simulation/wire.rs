//! What travels between the ends of a connection: in order, later than it was sent, and perhaps not
//! at the first attempt.

use std::io::ErrorKind;
use std::time::Duration;

use super::faults::Fault;
use super::stream::Phase;
use super::world::{Event, HostId, SocketId, State};

/// What travels.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) due: Duration,
    pub(super) bytes: Vec<u8>,
    pub(super) carries: Carries,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carries {
    /// That the connection was accepted into the backlog.
    Established,
    Data,
    End,
    /// That the other end is gone, and with it what was not yet read there.
    Reset,
}

impl State {
    /// Lets the other end know that there is room again.
    pub(super) fn open_window(&mut self, reader: SocketId, peer: SocketId) {
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
    pub(super) fn put_on_wire(
        &mut self,
        from: SocketId,
        to: SocketId,
        bytes: Vec<u8>,
        carries: Carries,
    ) {
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
            || (attempt < LOSSES && host != other && self.strikes(Fault::SegmentLoss, host));
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
    pub(super) fn reject(&mut self, at: SocketId) {
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
}

/// How often a segment is repeated before its connection times out: after 924.6 seconds, as the setting
/// tcp_retries2 of tcp(7) has it.
const SEGMENT_RETRIES: u32 = 15;

/// How long the first repetition of a segment takes; each further one takes twice as long, up to the
/// longest.
const RETRANSMISSION: Duration = Duration::from_millis(200);
const LONGEST_RETRANSMISSION: Duration = Duration::from_secs(120);

/// How often a segment is lost at most, so that loss alone ends no connection.
const LOSSES: u32 = 6;
