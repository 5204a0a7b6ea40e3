//! The world that simulated hosts share: time, what is on its way, and every socket.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use sched::{Slab, SlabId};

use super::connecting::Listening;
use super::datagram::{Datagrams, Message};
use super::faults::{Fault, Faults};
use super::random::Random;
use super::stream::Stream;
use super::trace::Trace;
use crate::driver::Readiness;
use crate::family::Address;
use crate::source::Source;

/// A host's place in the list of hosts.
pub(crate) type HostId = usize;

/// A socket's number; stale once it is closed and all it had to send has arrived.
pub(crate) type SocketId = SlabId;

/// Everything there is.
#[derive(Debug)]
pub(crate) struct State {
    pub(super) now: Duration,
    pub(super) hosts: Vec<Host>,
    pub(super) sockets: Slab<Entry>,
    pub(super) settings: Settings,
    pub(super) faults: Faults,
    pub(super) trace: Trace,
    pub(super) delays: Random,
    pub(super) cuts: Random,
    order: Random,
    queue: BinaryHeap<Reverse<Due>>,
    queued: u64,
    partitions: BTreeMap<(HostId, HostId), Duration>,
}

/// What the network is like.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) latency: Range<Duration>,
    /// The largest segment of a stream, and the largest datagram that is carried, in bytes.
    pub(crate) segment: usize,
    pub(crate) send_buffer: usize,
    pub(crate) receive_buffer: usize,
    pub(crate) backlog: usize,
    pub(crate) descriptors: usize,
    pub(crate) partition: Range<Duration>,
    pub(crate) restart: Range<Duration>,
    /// How long a slow reader takes to see what has arrived.
    pub(crate) slow_read: Range<Duration>,
}

/// A machine.
#[derive(Debug)]
pub(crate) struct Host {
    pub(super) name: Rc<str>,
    pub(super) v4: Ipv4Addr,
    pub(super) v6: Ipv6Addr,
    /// Until when it is down; `None` while it is up.
    pub(super) down: Option<Duration>,
    /// Until when others keep it from its turn.
    pub(super) busy: Duration,
    pub(crate) restarts: bool,
    /// Sockets with an address of their own.
    pub(super) bound: Vec<(Transport, Address, SocketId)>,
    /// Ports of the connections that it began.
    pub(super) ports: BTreeSet<u16>,
    /// Paths that sockets were bound to: they stay, and nobody listens there any more.
    #[cfg(unix)]
    pub(super) paths: BTreeSet<std::path::PathBuf>,
    pub(super) next_port: u16,
    /// Sockets that have news for the loop, in the order in which it came.
    pub(super) news: Vec<SocketId>,
    pub(super) descriptors: usize,
}

/// What a socket carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Stream,
    Datagram,
}

/// A socket of some host.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(super) host: HostId,
    pub(super) local: Option<Address>,
    /// What the host's loop registered; `None` before and after.
    pub(super) source: Option<Rc<Source>>,
    /// Whether it is in the list of news.
    pub(super) has_news: bool,
    /// Whether the last call was interrupted: the next one is not, or it would never end.
    pub(super) interrupted: bool,
    /// The error that waits on it, which the next call takes.
    pub(super) error: Option<std::io::ErrorKind>,
    pub(super) options: BTreeMap<&'static str, u64>,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Listening(Listening),
    Stream(Stream),
    Datagrams(Datagrams),
}

/// Something that will happen.
#[derive(Debug)]
pub(super) enum Event {
    /// A request to connect arrives.
    Syn {
        from: SocketId,
        to: Address,
        attempt: u32,
    },
    /// The request was refused.
    Refused {
        from: SocketId,
    },
    /// The next segment for this socket arrives.
    Segment {
        to: SocketId,
        attempt: u32,
    },
    /// The other side has read, so that there may be room.
    Window {
        of: SocketId,
    },
    /// A write that fell short can go on.
    Room {
        of: SocketId,
    },
    /// A reset arrives.
    Reset {
        to: SocketId,
    },
    Datagram {
        to: (HostId, Address),
        message: Message,
        from: SocketId,
    },
    /// Nobody receives at where a datagram was sent to.
    Unreachable {
        from: SocketId,
        to: Address,
    },
    /// A slow reader sees what has arrived.
    Seen {
        by: SocketId,
    },
    /// A script's moment.
    Script(Script),
}

/// What a script does to the world.
#[derive(Clone, Debug)]
pub(crate) enum Script {
    Partition { one: HostId, other: HostId, until: Duration },
    Crash { host: HostId, until: Duration },
}

/// An event and when it is due. Of events at one moment a random one comes first.
#[derive(Debug)]
struct Due {
    at: Duration,
    tie: u64,
    number: u64,
    event: Event,
}

impl State {
    pub(super) fn new(seed: u64, settings: Settings) -> State {
        State {
            now: Duration::ZERO,
            hosts: Vec::new(),
            sockets: Slab::default(),
            settings,
            faults: Faults::new(seed),
            trace: Trace::new(),
            delays: Random::new(seed, 1),
            cuts: Random::new(seed, 2),
            order: Random::new(seed, 3),
            queue: BinaryHeap::new(),
            queued: 0,
            partitions: BTreeMap::new(),
        }
    }

    /// A new host; its addresses follow from its place.
    pub(super) fn add_host(&mut self, name: &str) -> HostId {
        let (v4, v6) = addresses_of(self.hosts.len());
        self.hosts.push(Host {
            name: name.into(),
            v4,
            v6,
            down: None,
            busy: Duration::ZERO,
            restarts: false,
            bound: Vec::new(),
            ports: BTreeSet::new(),
            #[cfg(unix)]
            paths: BTreeSet::new(),
            next_port: FIRST_PORT,
            news: Vec::new(),
            descriptors: 0,
        });
        self.hosts.len() - 1
    }

    /// Adds an event `after` a while.
    pub(super) fn schedule(&mut self, after: Duration, event: Event) {
        let (at, tie, number) = (self.now + after, self.order.next(), self.queued);
        self.queued += 1;
        self.queue.push(Reverse(Due { at, tie, number, event }));
    }

    /// When the next event is due.
    pub(super) fn next_event(&self) -> Option<Duration> {
        self.queue.peek().map(|Reverse(due)| due.at)
    }

    /// Lets everything happen that is due now.
    pub(super) fn settle(&mut self) {
        while let Some(Reverse(due)) = self.queue.peek()
            && due.at <= self.now
        {
            if let Some(Reverse(due)) = self.queue.pop() {
                self.happen(due.event);
            }
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Syn { from, to, attempt } => self.syn(from, to, attempt),
            Event::Refused { from } => self.refused(from),
            Event::Segment { to, attempt } => self.segment(to, attempt),
            Event::Window { of } => self.pump(of),
            Event::Room { of } => self.room(of),
            Event::Reset { to } => self.reset(to, std::io::ErrorKind::ConnectionReset),
            Event::Datagram { to, message, from } => self.arrived(to, message, from),
            Event::Unreachable { from, to } => self.unreachable(from, &to),
            Event::Seen { by } => self.tell(by),
            Event::Script(Script::Partition { one, other, until }) => {
                self.partition(one, other, until);
            }
            Event::Script(Script::Crash { host, until }) => self.crash(host, until),
        }
    }

    /// Until when a host that has something to do has to wait for its turn.
    pub(super) fn turn_at(&mut self, host: HostId) -> Duration {
        let was_busy = self.hosts[host].busy > Duration::ZERO;
        if !was_busy && self.strikes(Fault::LateTurn, host) {
            self.hosts[host].busy = self.now + self.delays.time(&self.settings.latency.clone());
        }
        if self.hosts[host].busy <= self.now {
            self.hosts[host].busy = Duration::ZERO;
            return self.now;
        }
        self.hosts[host].busy
    }

    /// Which of so many comes first.
    pub(super) fn choose(&mut self, among: usize) -> usize {
        self.order.below(among)
    }

    pub(super) fn strikes(&mut self, fault: Fault, host: HostId) -> bool {
        let strikes = self.faults.strikes(fault, self.now);
        if strikes {
            self.note(host, format_args!("fault {fault}"));
        }
        strikes
    }

    /// # Errors
    ///
    /// [`Interrupted`](std::io::ErrorKind::Interrupted) when a signal ends the call.
    pub(super) fn interrupt(&mut self, id: SocketId, host: HostId) -> std::io::Result<()> {
        let again = self.sockets.get_mut(id).is_some_and(|e| std::mem::take(&mut e.interrupted));
        if again || !self.strikes(Fault::Interrupted, host) {
            return Ok(());
        }
        if let Some(entry) = self.sockets.get_mut(id) {
            entry.interrupted = true;
        }
        Err(std::io::ErrorKind::Interrupted.into())
    }

    pub(super) fn note(&mut self, host: HostId, event: std::fmt::Arguments<'_>) {
        self.trace.add(self.now, &self.hosts[host].name, event);
    }

    /// How long something takes from one host to another.
    pub(super) fn latency(&mut self, from: HostId, to: HostId) -> Duration {
        if from == to { LOCAL_LATENCY } else { self.delays.time(&self.settings.latency) }
    }

    /// Until when nothing gets from one host to the other; `None` while all is well.
    pub(super) fn blocked(&self, one: HostId, other: HostId) -> Option<Duration> {
        let parted = self.partitions.get(&pair(one, other)).copied();
        let down = self.hosts[one].down.max(self.hosts[other].down);
        parted.filter(|until| *until > self.now).max(down)
    }

    pub(super) fn partition(&mut self, one: HostId, other: HostId, until: Duration) {
        let name = Rc::clone(&self.hosts[other].name);
        self.note(one, format_args!("parted from {name} until {until:?}"));
        self.partitions.insert(pair(one, other), until);
    }

    /// Takes a host down: all it had is gone without a word.
    pub(super) fn crash(&mut self, host: HostId, until: Duration) {
        if self.hosts[host].down.is_none() {
            self.note(host, format_args!("crashes until {until:?}"));
            self.hosts[host].down = Some(until);
        }
    }

    /// Brings a host back up, with nothing of what it had; the caller drops that. What others still
    /// send to it is answered with a reset.
    pub(super) fn restart(&mut self, host: HostId) -> Vec<Entry> {
        self.note(host, format_args!("restarts"));
        let of_host = |(id, entry): (SocketId, &Entry)| (entry.host == host).then_some(id);
        let gone: Vec<SocketId> = self.sockets.iter().filter_map(of_host).collect();
        for id in &gone {
            if let Some((peer, other)) = self.sender_to(*id) {
                let latency = self.latency(host, other);
                self.schedule(latency, Event::Reset { to: peer });
            }
        }
        let gone = gone.into_iter().filter_map(|id| self.sockets.remove(id)).collect();
        let host = &mut self.hosts[host];
        host.bound.clear();
        host.ports.clear();
        host.news.clear();
        host.descriptors = 0;
        (host.down, host.busy) = (None, Duration::ZERO);
        gone
    }

    /// Says that the socket's readiness has changed.
    pub(super) fn tell(&mut self, id: SocketId) {
        let Some(entry) = self.sockets.get_mut(id) else { return };
        if entry.source.is_some() && !entry.has_news {
            entry.has_news = true;
            self.hosts[entry.host].news.push(id);
        }
    }

    /// What is ready on the host, as an edge-triggered epoll(7) would report it: for each socket
    /// with news, all that holds now.
    pub(super) fn take_news(&mut self, host: HostId) -> Vec<(Rc<Source>, Readiness)> {
        let mut news = std::mem::take(&mut self.hosts[host].news);
        for last in (1..news.len()).rev() {
            let other = self.order.below(last + 1);
            news.swap(last, other);
        }
        if news.len() > 1 && self.strikes(Fault::SmallBatch, host) {
            self.hosts[host].news = news.split_off(1);
        }
        let mut batch = Vec::with_capacity(news.len());
        for id in news {
            let readiness = self.readiness(id);
            let Some(entry) = self.sockets.get_mut(id) else { continue };
            entry.has_news = false;
            if let Some(source) = &entry.source
                && !readiness.is_empty()
            {
                batch.push((Rc::clone(source), readiness));
            }
        }
        if self.strikes(Fault::SpuriousReadiness, host) {
            batch.extend(self.spurious(host));
        }
        batch
    }

    /// A report of some socket of the host that may not be true.
    fn spurious(&mut self, host: HostId) -> Option<(Rc<Source>, Readiness)> {
        let sources: Vec<Rc<Source>> = self
            .sockets
            .iter()
            .filter(|(_, entry)| entry.host == host)
            .filter_map(|(_, entry)| entry.source.clone())
            .collect();
        let chosen = self.faults.below(Fault::SpuriousReadiness, sources.len());
        let source = sources.into_iter().nth(chosen)?;
        Some((source, Readiness::READ | Readiness::WRITE))
    }

    fn readiness(&self, id: SocketId) -> Readiness {
        let Some(entry) = self.sockets.get(id) else { return Readiness::EMPTY };
        let mut ready = match &entry.kind {
            Kind::Listening(listening) => listening.readiness(),
            Kind::Stream(stream) => stream.readiness(&self.settings, self.now),
            Kind::Datagrams(datagrams) => datagrams.readiness(),
        };
        if entry.error.is_some() {
            ready |= Readiness::ERROR | Readiness::READ | Readiness::WRITE;
        }
        ready
    }

    /// The host that has this address, as seen from `from`.
    pub(super) fn host_at(&self, from: HostId, address: IpAddr) -> Option<HostId> {
        if address.is_loopback() || address.is_unspecified() {
            return Some(from);
        }
        self.hosts.iter().position(|host| address == host.v4 || address == host.v6)
    }

    /// The socket that is bound to the address, itself or by a wildcard.
    pub(super) fn bound_to(
        &self,
        host: HostId,
        transport: Transport,
        address: &Address,
    ) -> Option<SocketId> {
        let bound = &self.hosts[host].bound;
        let of = |wanted: &Address| {
            bound.iter().find(|(kind, at, _)| *kind == transport && at == wanted).map(|b| b.2)
        };
        of(address).or_else(|| match address {
            Address::Inet(address) => {
                let mut wildcard = *address;
                wildcard.set_ip(match address.ip() {
                    IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                    IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
                });
                of(&Address::Inet(wildcard))
            }
            #[cfg(unix)]
            Address::Local(_) => None,
        })
    }

    /// A new socket of `host`; the caller has seen that there is room for a descriptor.
    pub(super) fn open(&mut self, host: HostId, local: Option<Address>, kind: Kind) -> SocketId {
        self.hosts[host].descriptors += 1;
        self.sockets.insert(Entry {
            host,
            local,
            source: None,
            has_news: false,
            interrupted: false,
            error: None,
            options: BTreeMap::new(),
            kind,
        })
    }
}

/// The addresses of the host in this place of the list: private ones, of RFC 1918 and RFC 4193.
pub(super) fn addresses_of(host: HostId) -> (Ipv4Addr, Ipv6Addr) {
    let number = host as u16 + 1;
    let [high, low] = number.to_be_bytes();
    (Ipv4Addr::new(10, 0, high, low), Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, number))
}

fn pair(one: HostId, other: HostId) -> (HostId, HostId) {
    (one.min(other), one.max(other))
}

/// The first port that a host hands out by itself.
const FIRST_PORT: u16 = 49_152;

/// How long something takes within a host.
const LOCAL_LATENCY: Duration = Duration::from_micros(20);

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            latency: Duration::from_micros(200)..Duration::from_millis(5),
            segment: 1460,
            send_buffer: 64 << 10,
            receive_buffer: 64 << 10,
            backlog: 4096,
            descriptors: 1024,
            partition: Duration::from_secs(1)..Duration::from_secs(30),
            restart: Duration::from_secs(1)..Duration::from_secs(10),
            slow_read: Duration::from_millis(10)..Duration::from_secs(1),
        }
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Due) -> bool {
        self.number == other.number
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Due) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Due) -> Ordering {
        (self.at, self.tie, self.number).cmp(&(other.at, other.tie, other.number))
    }
}
