//! Simulation: hosts, a network, clocks and faults that repeat exactly from a seed.
//!
//! The functions that a simulated host runs are the ones that run over the kernel: sockets, timers,
//! groups and servers find the simulation by the loop that they are called in. Time is virtual: when
//! nothing is ready, the clock jumps to the next timer or arrival, so that an hour of idle timeouts
//! takes milliseconds. Everything random comes from the seed, so that a run which fails can be
//! repeated, looked at, and shrunk to the faults that matter.
//!
//! ```
//! use std::time::Duration;
//! use net::sim::{Fault, Sim};
//! use net::{Server, TcpStream};
//!
//! let mut sim = Sim::new(42)
//!     .latency(Duration::from_millis(1)..Duration::from_millis(20))
//!     .rate(Fault::ShortWrite, 0.2);
//! sim.service("server", async || {
//!     let server = Server::bind("0.0.0.0:5001".parse().unwrap())?;
//!     server.serve(net::handlers::echo).await.map(drop)
//! });
//! let server = (sim.address("server"), 5001).into();
//! sim.host("client", async move || {
//!     let mut stream = TcpStream::connect(server).await?;
//!     stream.write_all(b"there and back").await?;
//!     assert_eq!(stream.chunk().await?.as_deref().map(|bytes| bytes[0]), Some(b't'));
//!     Ok(())
//! });
//! let report = sim.run().unwrap();
//! assert!(report.time > Duration::from_millis(4), "two round trips take their time");
//! ```
//!
//! The [`guide`] takes a protocol through it in twenty lines.
//!
//! # What it promises
//!
//! The same seed and the same source give the same [`Report::hash`], on every machine. No fault
//! breaks what a kernel promises: the bytes of a connection never change, swap or vanish while it
//! lives.
//!
//! # What it does not simulate
//!
//! Real threads, descriptors other than sockets, multicast, out-of-band data, credentials, and the
//! sizes of socket buffers that a program sets. They give an error of the kind
//! [`Unsupported`](std::io::ErrorKind::Unsupported), or in the last case change nothing.
//!
//! Otherwise its sockets do what those of Linux do: one suite of tests runs over both, and knows of
//! these differences.
//!
//! - *Paths.* There is no file system. The path of a Unix socket is free again once the socket is
//!   dropped, where on a real system the file is in the way until somebody removes it; connecting to
//!   it is refused as there.
//! - *Time.* A program takes no time, however much it does in a turn; only one that asks in a circle
//!   instead of waiting sees the clock move. Within a host, what a connection carries takes 20 µs, and is
//!   not there yet when the write returns; datagrams are.
//! - *IPv6.* Sockets of one version do not hear the other: a listener on `[::]` accepts nothing over
//!   IPv4, as with the option `IPV6_V6ONLY`.
//! - *Time outs.* A sender gives up after 924.6 seconds, who connects after 127 seconds. Who only waits to
//!   read is told nothing: keep-alive sends no probes. `TIME_WAIT` takes no port.
//! - *Datagrams.* They are not fragmented, and none is reordered unless
//!   [`Fault::DatagramReorder`] strikes. A sender is never slowed down.
//! - *Limits.* Buffers hold what [`Sim::buffers`] says, exactly; Linux counts its own bookkeeping too and
//!   lets buffers grow.
//!
//! What a program measures by the kernel's clock, by files or by the environment is real, and repeats
//! only as far as that does.

#[doc = include_str!("../../docs/simulation.md")]
pub mod guide {}

mod check;
mod failure;
mod host;
mod run;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

pub use crate::driver::simulation::{Fault, TraceEntry};
use crate::driver::simulation::{HostId, Script, Settings, Strike, World};
pub use check::{Check, check};
pub use failure::{Failure, FailureKind};
use host::Host;

/// Turns of hosts that a run may take unless [`Sim::step_limit`] says otherwise.
pub const STEP_LIMIT: u64 = 10_000_000;

/// How much virtual time a run may take unless [`Sim::time_limit`] says otherwise.
pub const TIME_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// A simulation that is being set up; [`Sim::run`] runs it.
pub struct Sim {
    pub(super) seed: u64,
    settings: Settings,
    rates: BTreeMap<Fault, f64>,
    moments: Vec<(Fault, Duration)>,
    scripts: Vec<(Duration, Script)>,
    only: Option<BTreeSet<Strike>>,
    names: Vec<String>,
    hosts: Vec<Host>,
    step_limit: u64,
    time_limit: Duration,
}

/// What a run that went well was like.
#[derive(Clone, Debug)]
pub struct Report {
    /// The seed it ran from.
    pub seed: u64,
    /// A hash of everything that happened: when, on which host, in which task, and what.
    pub hash: u64,
    /// How many things happened.
    pub events: u64,
    /// Turns that hosts were given.
    pub steps: u64,
    /// Virtual time from the start to the end.
    pub time: Duration,
    /// How often each fault struck.
    pub faults: BTreeMap<Fault, u64>,
    /// Sockets that were open at the end.
    pub open_sockets: usize,
}

impl Sim {
    /// A simulation in which everything random comes from `seed`; without faults unless some are
    /// asked for.
    #[must_use]
    pub fn new(seed: u64) -> Sim {
        Sim {
            seed,
            settings: Settings::default(),
            rates: BTreeMap::new(),
            moments: Vec::new(),
            scripts: Vec::new(),
            only: None,
            names: Vec::new(),
            hosts: Vec::new(),
            step_limit: STEP_LIMIT,
            time_limit: TIME_LIMIT,
        }
    }

    /// The seed, for choices of the test's own.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// How long anything takes from one host to another, drawn anew each time; at first 0.2 to 5 ms.
    #[must_use]
    pub fn latency(mut self, latency: Range<Duration>) -> Sim {
        self.settings.latency = latency;
        self
    }

    /// How likely `fault` is at each of its opportunities, from 0 to 1.
    #[must_use]
    pub fn rate(mut self, fault: Fault, rate: f64) -> Sim {
        self.rates.insert(fault, rate);
        self
    }

    /// Lets `fault` strike at its first opportunity from `moment` on, counted from the start.
    #[must_use]
    pub fn fault_at(mut self, fault: Fault, moment: Duration) -> Sim {
        self.moments.push((fault, moment));
        self
    }

    /// Bytes that a connection holds for its reader and for its writer; at first 64 KiB each.
    #[must_use]
    pub fn buffers(mut self, receive: usize, send: usize) -> Sim {
        self.settings.receive_buffer = receive.max(1);
        self.settings.send_buffer = send.max(1);
        self
    }

    /// Connections that may wait to be accepted by a listener; at first 4096.
    #[must_use]
    pub fn backlog(mut self, connections: usize) -> Sim {
        self.settings.backlog = connections.max(1);
        self
    }

    /// Descriptors that each host's program may have; at first 1024. Beyond it the error is EMFILE.
    #[must_use]
    pub fn descriptors(mut self, descriptors: usize) -> Sim {
        self.settings.descriptors = descriptors;
        self
    }

    /// Turns of hosts that the run may take.
    #[must_use]
    pub fn step_limit(mut self, steps: u64) -> Sim {
        self.step_limit = steps;
        self
    }

    /// Virtual time that the run may take.
    #[must_use]
    pub fn time_limit(mut self, time: Duration) -> Sim {
        self.time_limit = time;
        self
    }

    /// Adds a host whose program is `main`: the run ends when all such have ended. The host is
    /// reached by its name and by its [`address`](Sim::address).
    ///
    /// # Panics
    ///
    /// When there is a host of that name.
    pub fn host(&mut self, name: &str, main: impl AsyncFn() -> io::Result<()> + 'static) {
        self.add(Host::new(name, true, main));
    }

    /// As [`Sim::host`], for a program that the run need not wait for, as a server is. Services
    /// have had their first turn before the other hosts start. One that crashes, by a fault or by
    /// [`Sim::crash`], is started again.
    ///
    /// # Panics
    ///
    /// As there.
    pub fn service(&mut self, name: &str, main: impl AsyncFn() -> io::Result<()> + 'static) {
        self.add(Host::new(name, false, main));
    }

    fn add(&mut self, host: Host) {
        assert!(!self.names.contains(&host.name), "there is a host {} already", host.name);
        self.names.push(host.name.clone());
        self.hosts.push(host);
    }

    /// The IPv4 address of the host with this name, or of the one that will be added next under it.
    ///
    /// # Panics
    ///
    /// When there is no host of that name.
    #[must_use]
    pub fn address(&self, name: &str) -> IpAddr {
        World::address_of(self.id(name)).0
    }

    /// The IPv6 address of the host with this name.
    ///
    /// # Panics
    ///
    /// When there is no host of that name.
    #[must_use]
    pub fn address_v6(&self, name: &str) -> IpAddr {
        World::address_of(self.id(name)).1
    }

    fn id(&self, name: &str) -> HostId {
        let found = self.names.iter().position(|known| known == name);
        found.unwrap_or_else(|| panic!("there is no host {name}"))
    }

    /// Parts two hosts for a span of time, counted from the start: nothing gets through, and what
    /// was sent comes afterwards, unless its sender has given up.
    ///
    /// # Panics
    ///
    /// When there is no host of such a name.
    pub fn partition(&mut self, one: &str, other: &str, span: Range<Duration>) {
        let (one, other) = (self.id(one), self.id(other));
        self.scripts.push((span.start, Script::Partition { one, other, until: span.end }));
    }

    /// Takes a host down for a span of time: its program is dropped where it stands, and its sockets
    /// are gone without a word to the other sides. Then it is started again.
    ///
    /// # Panics
    ///
    /// When there is no host of that name.
    pub fn crash(&mut self, host: &str, span: Range<Duration>) {
        let host = self.id(host);
        self.scripts.push((span.start, Script::Crash { host, until: span.end }));
    }

    /// Runs until every [`host`](Sim::host) has ended.
    ///
    /// # Errors
    ///
    /// A [`Failure`] that names the seed and the last events, when a host ends with an error, when
    /// any task panics, when everything waits for ever, and when a limit is reached.
    pub fn run(self) -> Result<Report, Box<Failure>> {
        let world = self.world();
        run::run(self, &world)
    }

    /// The world that the hosts will share.
    fn world(&self) -> Rc<World> {
        let world = World::new(self.seed, self.settings.clone());
        for (fault, rate) in &self.rates {
            world.set_rate(*fault, *rate);
        }
        for (fault, moment) in &self.moments {
            world.script_fault(*fault, *moment);
        }
        for (moment, script) in &self.scripts {
            world.script(*moment, script.clone());
        }
        if let Some(only) = &self.only {
            world.allow_only(only.clone());
        }
        world
    }

    /// Lets only these strikes happen, of all that the rates would bring.
    fn only(&mut self, strikes: BTreeSet<Strike>) {
        self.only = Some(strikes);
    }
}

/// The world of a run, with what it has counted.
fn report(seed: u64, steps: u64, world: &Rc<World>) -> Report {
    let (hash, events, _) = world.trace();
    let mut faults = BTreeMap::new();
    for (fault, _) in world.struck() {
        *faults.entry(fault).or_default() += 1;
    }
    let (time, open_sockets) = (world.now(), world.open_sockets());
    Report { seed, hash, events, steps, time, faults, open_sockets }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim")
            .field("seed", &self.seed)
            .field("hosts", &self.names)
            .field("rates", &self.rates)
            .finish_non_exhaustive()
    }
}
