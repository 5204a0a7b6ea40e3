//! A network, clocks and faults that exist in memory only, and repeat exactly from a seed.
//!
//! [`World`] is what all hosts share; [`Simulated`] is the driver of one host's loop.

mod addresses;
mod connecting;
mod datagram;
mod errors;
mod faults;
mod random;
mod socket;
mod stream;
mod trace;
mod wire;
mod world;

use std::cell::{RefCell, RefMut};
use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use crate::driver::{Readiness, Resolver, Unpark};
use crate::family::Address;
use crate::source::Source;
pub use faults::Fault;
pub(crate) use faults::Strike;
pub(crate) use socket::{Socket, unsupported};
pub use trace::TraceEntry;
use world::{Event, Kind, SocketId, State};
pub(crate) use world::{HostId, Script, Settings};

/// What simulated hosts share.
pub(crate) struct World {
    state: RefCell<State>,
    /// The moment that stands for the start.
    start: Instant,
}

/// The driver of one host's loop.
pub(crate) struct Simulated {
    world: Rc<World>,
    host: HostId,
}

impl World {
    pub(crate) fn new(seed: u64, settings: Settings) -> Rc<World> {
        let state = RefCell::new(State::new(seed, settings));
        Rc::new(World { state, start: Instant::now() })
    }

    fn state(&self) -> RefMut<'_, State> {
        self.state.borrow_mut()
    }

    pub(crate) fn add_host(&self, name: &str) -> HostId {
        self.state().add_host(name)
    }

    /// Whether a host may crash and come back.
    pub(crate) fn set_restarts(&self, host: HostId) {
        self.state().hosts[host].restarts = true;
    }

    pub(crate) fn set_rate(&self, fault: Fault, rate: f64) {
        self.state().faults.set_rate(fault, rate);
    }

    pub(crate) fn script_fault(&self, fault: Fault, at: Duration) {
        self.state().faults.script(fault, at);
    }

    pub(crate) fn script(&self, at: Duration, script: Script) {
        self.state().schedule(at, Event::Script(script));
    }

    pub(crate) fn allow_only(&self, strikes: BTreeSet<Strike>) {
        self.state().faults.allow_only(strikes);
    }

    pub(crate) fn struck(&self) -> Vec<Strike> {
        self.state().faults.struck().to_vec()
    }

    pub(crate) fn driver(self: &Rc<World>, host: HostId) -> Simulated {
        Simulated { world: Rc::clone(self), host }
    }

    /// The time since the start.
    pub(crate) fn now(&self) -> Duration {
        self.state().now
    }

    /// The time since the start that a moment of a host's clock stands for.
    pub(crate) fn since_start(&self, moment: Instant) -> Duration {
        moment.saturating_duration_since(self.start)
    }

    /// When the next event is due.
    pub(crate) fn next_event(&self) -> Option<Duration> {
        self.state().next_event()
    }

    /// Moves the clock, never back, and lets everything happen that is due.
    pub(crate) fn advance(&self, to: Duration) {
        let mut state = self.state();
        state.now = state.now.max(to);
        state.settle();
    }

    /// Whether the host's loop has something to be told.
    pub(crate) fn has_news(&self, host: HostId) -> bool {
        !self.state().hosts[host].news.is_empty()
    }

    /// When a host that has something to do gets its turn: now, unless it is kept from it.
    pub(crate) fn turn_at(&self, host: HostId) -> Duration {
        self.state().turn_at(host)
    }

    /// Until when the host is kept from its turn.
    pub(crate) fn busy(&self, host: HostId) -> Duration {
        self.state().hosts[host].busy
    }

    /// Until when the host is down.
    pub(crate) fn down(&self, host: HostId) -> Option<Duration> {
        self.state().hosts[host].down
    }

    pub(crate) fn restart(&self, host: HostId) {
        let gone = self.state().restart(host);
        drop(gone);
    }

    /// Which of so many comes first.
    pub(crate) fn choose(&self, among: usize) -> usize {
        self.state().choose(among)
    }

    /// The hash of all that happened, how much that was, and the last of it.
    pub(crate) fn trace(&self) -> (u64, u64, Vec<TraceEntry>) {
        let state = self.state();
        (state.trace.hash(), state.trace.entries(), state.trace.last())
    }

    /// The addresses of a host: that of IPv4, and that of IPv6.
    pub(crate) fn address_of(host: HostId) -> (IpAddr, IpAddr) {
        let (v4, v6) = world::addresses_of(host);
        (v4.into(), v6.into())
    }

    /// Every socket that there is, those included that hosts have closed and not forgotten: its host
    /// and its addresses.
    #[cfg(test)]
    pub(crate) fn sockets(&self) -> Vec<String> {
        let state = self.state();
        let described = state.sockets.iter().map(|(id, entry)| {
            let remote = match &entry.kind {
                Kind::Stream(stream) => Some(stream.remote.clone()),
                Kind::Listening(_) | Kind::Datagrams(_) => None,
            };
            format!("{id} of host {}, {:?} to {remote:?}", entry.host, entry.local)
        });
        described.collect()
    }

    /// Sockets that programs hold open.
    pub(crate) fn open_sockets(&self) -> usize {
        let state = self.state();
        let up = state.hosts.iter().filter(|host| host.down.is_none());
        up.map(|host| host.descriptors).sum()
    }
}

impl Simulated {
    pub(crate) fn now(&self) -> Instant {
        self.world.start + self.world.now()
    }

    /// The simulation starts at the Unix epoch, so that runs of the same seed see the same days.
    pub(crate) fn wall_clock(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + self.world.now()
    }

    /// Nobody else is there: all hosts have their turns on one thread.
    pub(crate) fn unpark(&self) -> Unpark {
        Box::new(|| {})
    }

    /// Takes no time: it is the simulation that moves the clock, between the turns of the hosts.
    pub(crate) fn wait(&self, mut report: impl FnMut(&Source, Readiness)) {
        let news = self.world.state().take_news(self.host);
        for (source, readiness) in news {
            report(&source, readiness);
        }
    }

    /// What finds the addresses of hosts by their names, IPv6 first.
    pub(crate) fn resolver(&self) -> Resolver {
        let state = self.world.state();
        let mut names: Vec<(String, [IpAddr; 2])> =
            vec![("localhost".into(), [Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()])];
        names.extend(
            state
                .hosts
                .iter()
                .map(|host| (host.name.to_string(), [host.v6.into(), host.v4.into()])),
        );
        Box::new(move |name, port| {
            let found = names.iter().find(|(known, _)| known == name);
            let addresses = found.ok_or(io::ErrorKind::NotFound)?.1;
            Ok(addresses.into_iter().map(|ip| (ip, port).into()).collect())
        })
    }

    pub(crate) fn register(&self, source: &Rc<Source>) -> io::Result<()> {
        let Some(socket) = source.socket.simulated() else {
            return Err(unsupported("sockets of the system"));
        };
        let mut state = self.world.state();
        let entry = state.sockets.get_mut(socket.id).ok_or(io::ErrorKind::NotConnected)?;
        entry.source = Some(Rc::clone(source));
        source.registered.set(true);
        // As epoll(7) does, what is ready already is reported once.
        state.tell(socket.id);
        Ok(())
    }

    pub(crate) fn forget(&self, source: &Source) {
        source.registered.set(false);
        let Some(socket) = source.socket.simulated() else { return };
        let taken = self.world.state().sockets.get_mut(socket.id).and_then(|e| e.source.take());
        // Outside the borrow: this may be what closes the socket.
        drop(taken);
    }

    pub(crate) fn each_source(&self, each: impl FnMut(&Source)) {
        let state = self.world.state();
        let own = state.sockets.iter().filter(|(_, entry)| entry.host == self.host);
        let sources: Vec<Rc<Source>> = own.filter_map(|(_, entry)| entry.source.clone()).collect();
        drop(state);
        sources.iter().map(|source| &**source).for_each(each);
    }

    pub(crate) fn listen(&self, address: &Address) -> io::Result<Socket> {
        self.socket(self.world.state().listen(self.host, address))
    }

    pub(crate) fn connect(&self, address: &Address) -> io::Result<Socket> {
        self.socket(self.world.state().connect(self.host, address))
    }

    pub(crate) fn bind(&self, address: &Address) -> io::Result<Socket> {
        self.socket(self.world.state().bind(self.host, address))
    }

    #[cfg(unix)]
    pub(crate) fn unbound(&self) -> io::Result<Socket> {
        self.socket(self.world.state().unbound(self.host))
    }

    #[cfg(unix)]
    pub(crate) fn pair(&self, kind: crate::driver::Kind) -> io::Result<(Socket, Socket)> {
        let mut state = self.world.state();
        state.check_descriptors(self.host, 2)?;
        let (near, far) = match kind {
            crate::driver::Kind::Stream => state.open_pair(self.host, [None, None]),
            crate::driver::Kind::Datagram => state.datagram_pair(self.host)?,
        };
        drop(state);
        Ok((self.socket(Ok(near))?, self.socket(Ok(far))?))
    }

    fn socket(&self, id: io::Result<SocketId>) -> io::Result<Socket> {
        id.map(|id| Socket { world: Rc::clone(&self.world), id })
    }
}

impl State {
    /// A program has closed its socket. One whose host has crashed closes nothing.
    fn close(&mut self, id: SocketId) {
        let Some(entry) = self.sockets.get(id) else { return };
        let host = entry.host;
        if self.hosts[host].down.is_some() {
            return;
        }
        self.hosts[host].bound.retain(|(_, _, bound)| *bound != id);
        self.hosts[host].descriptors -= 1;
        match entry.kind {
            Kind::Listening(_) => self.close_listener(id),
            Kind::Stream(_) => self.close_stream(id),
            Kind::Datagrams(_) => self.close_datagrams(id),
        }
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
    }
}

impl fmt::Debug for Simulated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulated").field("host", &self.host).finish_non_exhaustive()
    }
}
