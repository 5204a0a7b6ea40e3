//! Random programs under random faults, against a simple oracle: what arrives is what was sent, in
//! order and from the start; all of it when both sides end well and nothing destructive struck; and
//! in the end nothing is left behind.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::Shutdown;
use std::rc::Rc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::family::Family;
use crate::stream::Stream;
use crate::{Server, TcpListener, TcpStream, sleep, spawn, timeout};

/// What a side of a connection does.
#[derive(Clone, Debug)]
enum Deed {
    Write(usize),
    Read(usize),
    Sleep(Duration),
    EndWriting,
}

/// How it leaves the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    /// It says that it is done, and reads to the end.
    Well,
    Abruptly,
    WithReset,
}

#[derive(Clone, Debug)]
struct Program {
    deeds: Vec<Deed>,
    leaving: Leaving,
}

/// What came of a program.
#[derive(Debug, Default)]
struct Outcome {
    sent: Cell<usize>,
    heard: Cell<usize>,
    /// Whether it heard the end of what the other side sent.
    ended: Cell<bool>,
    error: RefCell<Option<io::Error>>,
}

/// What came of the far side's program, for each connection that it accepted.
type Fars = Rc<RefCell<Vec<Rc<Outcome>>>>;

/// How long a side waits for the other in the middle of its program.
const PATIENCE: Duration = Duration::from_secs(5);

/// Longer than any connection takes, however often its segments are lost.
const LONG: Duration = Duration::from_secs(1_000_000);

/// The byte at a place of every stream.
fn byte_at(place: usize) -> u8 {
    (place ^ (place >> 8) ^ (place >> 16)) as u8
}

async fn play<K: Family>(mut stream: Stream<K>, program: Program, outcome: Rc<Outcome>) {
    if let Err(error) = act(&mut stream, &program, &outcome).await {
        *outcome.error.borrow_mut() = Some(error);
    }
}

async fn act<K: Family>(
    stream: &mut Stream<K>,
    program: &Program,
    outcome: &Outcome,
) -> io::Result<()> {
    let mut writes = true;
    for deed in &program.deeds {
        match deed {
            Deed::Write(length) if writes => write(stream, *length, outcome).await?,
            Deed::Write(_) => {}
            Deed::Read(most) => {
                if let Ok(read) = timeout(PATIENCE, read(stream, *most, outcome)).await {
                    read?;
                }
            }
            Deed::Sleep(time) => sleep(*time).await,
            Deed::EndWriting => {
                if writes {
                    stream.shutdown(Shutdown::Write)?;
                }
                writes = false;
            }
        }
    }
    if program.leaving == Leaving::Well {
        if writes {
            stream.shutdown(Shutdown::Write)?;
        }
        let to_end = async {
            while !outcome.ended.get() {
                read(stream, 5000, outcome).await?;
            }
            io::Result::Ok(())
        };
        timeout(LONG, to_end).await??;
    }
    Ok(())
}

async fn write<K: Family>(
    stream: &mut Stream<K>,
    length: usize,
    outcome: &Outcome,
) -> io::Result<()> {
    let start = outcome.sent.get();
    let bytes: Vec<u8> = (start..start + length).map(byte_at).collect();
    while outcome.sent.get() < start + length {
        let rest = &bytes[outcome.sent.get() - start..];
        let Ok(written) = timeout(PATIENCE, stream.write(rest)).await else { return Ok(()) };
        outcome.sent.set(outcome.sent.get() + written?);
    }
    Ok(())
}

async fn read<K: Family>(stream: &mut Stream<K>, most: usize, outcome: &Outcome) -> io::Result<()> {
    let mut buffer = vec![0; most];
    let read = stream.read(&mut buffer).await?;
    let start = outcome.heard.get();
    for (at, byte) in buffer[..read].iter().enumerate() {
        assert_eq!(*byte, byte_at(start + at), "at {} of the stream", start + at);
    }
    outcome.heard.set(start + read);
    outcome.ended.set(outcome.ended.get() || read == 0);
    Ok(())
}

/// A whole run: programs of both sides, the network, and faults.
#[derive(Clone, Debug)]
struct Case {
    seed: u64,
    near: Program,
    far: Program,
    /// Over a Unix socket within one host, instead of between two.
    local: bool,
    latency: Duration,
    buffers: (usize, usize),
    rates: Vec<(Fault, f64)>,
}

impl Case {
    fn build(&self) -> (Sim, Rc<Outcome>, Fars) {
        let mut sim = Sim::new(self.seed)
            .latency(Duration::ZERO..self.latency)
            .buffers(self.buffers.0, self.buffers.1)
            .time_limit(LONG * 10)
            .step_limit(3_000_000);
        for (fault, rate) in &self.rates {
            sim = sim.rate(*fault, *rate);
        }
        let (near, fars) = (Rc::new(Outcome::default()), Rc::default());
        if self.local {
            self.within_a_host(&mut sim, &near, &fars);
        } else {
            self.between_hosts(&mut sim, &near, &fars);
        }
        (sim, near, fars)
    }

    #[cfg(unix)]
    fn within_a_host(&self, sim: &mut Sim, near: &Rc<Outcome>, fars: &Fars) {
        let (case, near, fars) = (self.clone(), Rc::clone(near), Rc::clone(fars));
        sim.host("both", async move || {
            let (one, other) = crate::UnixStream::pair()?;
            let far = Rc::new(Outcome::default());
            fars.borrow_mut().push(Rc::clone(&far));
            let far = spawn(play(other, case.far.clone(), far));
            play(one, case.near.clone(), Rc::clone(&near)).await;
            far.await.expect("it ends by itself");
            Ok(())
        });
    }

    #[cfg(not(unix))]
    fn within_a_host(&self, sim: &mut Sim, near: &Rc<Outcome>, fars: &Fars) {
        self.between_hosts(sim, near, fars);
    }

    fn between_hosts(&self, sim: &mut Sim, near: &Rc<Outcome>, fars: &Fars) {
        let (program, fars) = (self.far.clone(), Rc::clone(fars));
        sim.service("far", async move || {
            let listener = TcpListener::bind("0.0.0.0:1".parse().unwrap())?;
            loop {
                // Faults may have it fail.
                let Ok((stream, _)) = listener.accept().await else {
                    sleep(Duration::from_millis(1)).await;
                    continue;
                };
                if program.leaving == Leaving::WithReset {
                    stream.set_linger(Some(Duration::ZERO))?;
                }
                let far = Rc::new(Outcome::default());
                fars.borrow_mut().push(Rc::clone(&far));
                drop(spawn(play(stream, program.clone(), far)));
            }
        });
        let address = (sim.address("far"), 1).into();
        let (program, near) = (self.near.clone(), Rc::clone(near));
        sim.host("near", async move || {
            let stream = match timeout(LONG, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => {
                    *near.error.borrow_mut() = Some(error);
                    return Ok(());
                }
                Err(_) => return Ok(()),
            };
            if program.leaving == Leaving::WithReset {
                stream.set_linger(Some(Duration::ZERO))?;
            }
            play(stream, program.clone(), Rc::clone(&near)).await;
            // The other side may have more to do.
            sleep(LONG * 2).await;
            Ok(())
        });
    }

    fn check(&self) {
        let (sim, near, fars) = self.build();
        let report = finished(sim);
        let fars = fars.borrow();
        for far in fars.iter() {
            assert!(far.heard.get() <= near.sent.get());
            assert!(near.heard.get() <= far.sent.get() || fars.len() > 1);
        }
        let struck = report.faults.keys().any(|fault| !Fault::HARMLESS.contains(fault));
        let well = [&self.near, &self.far].iter().all(|side| side.leaving == Leaving::Well);
        if !struck && well {
            let [far] = &fars[..] else { panic!("{} connections", fars.len()) };
            for (one, other) in [(&near, far), (far, &near)] {
                assert!(one.error.borrow().is_none(), "{one:?}");
                assert!(
                    one.ended.get() && one.heard.get() == other.sent.get(),
                    "{one:?} {other:?}"
                );
            }
        }
        let again = finished(self.build().0);
        assert_eq!(report.hash, again.hash, "the same seed gives another run");
    }
}

/// Runs the simulation to its end, and has everything arrive that is on its way: then nothing is left.
fn finished(sim: Sim) -> Report {
    let (world, hosts) = (sim.world(), sim.hosts.len());
    let report = run::run(sim, &world).unwrap_or_else(|failure| panic!("{failure}"));
    for host in 0..hosts {
        if world.down(host).is_some() {
            world.restart(host);
        }
    }
    while let Some(next) = world.next_event() {
        world.advance(next);
    }
    let left = world.sockets();
    assert!(left.is_empty(), "nobody has these sockets any more: {left:?}");
    assert_eq!(world.open_sockets(), 0);
    report
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = prop_oneof![
        4 => (0..20_000usize).prop_map(Deed::Write),
        2 => (0..40usize).prop_map(Deed::Write),
        4 => (1..10_000usize).prop_map(Deed::Read),
        2 => (0..100u64).prop_map(|time| Deed::Sleep(Duration::from_millis(time))),
        1 => Just(Deed::EndWriting),
    ];
    prop::collection::vec(deed, 0..12)
}

fn program() -> impl Strategy<Value = Program> {
    let leaving = prop_oneof![
        4 => Just(Leaving::Well),
        1 => Just(Leaving::Abruptly),
        1 => Just(Leaving::WithReset),
    ];
    (deeds(), leaving).prop_map(|(deeds, leaving)| Program { deeds, leaving })
}

/// Harmless faults often, and the others seldom or not at all.
fn rates() -> impl Strategy<Value = Vec<(Fault, f64)>> {
    let rate = |fault: Fault| {
        let rate = if Fault::HARMLESS.contains(&fault) {
            prop_oneof![Just(0.0), Just(0.05), Just(0.5)].boxed()
        } else {
            prop_oneof![8 => Just(0.0), 1 => Just(0.03)].boxed()
        };
        rate.prop_map(move |rate| (fault, rate))
    };
    Fault::ALL.map(rate).to_vec()
}

fn case() -> impl Strategy<Value = Case> {
    let buffers =
        (prop_oneof![20..100usize, 100..70_000usize], prop_oneof![1..100usize, 100..70_000usize]);
    let network = (0..20u64, buffers, rates());
    (any::<u64>(), program(), program(), prop::bool::weighted(0.2), network).prop_map(
        |(seed, near, far, local, (latency, buffers, rates))| {
            let latency = Duration::from_millis(latency);
            Case { seed, near, far, local, latency, buffers, rates }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn what_arrives_is_what_was_sent(case in case()) {
        case.check();
    }
}

/// Echoes under every fault at once, most of which end connections: nothing is left of any.
#[test]
fn nothing_is_left_behind_whatever_happens() {
    let mut struck = Check::default();
    for seed in 0..100 {
        let mut sim = Sim::new(seed).buffers(2000, 2000).descriptors(8).time_limit(LONG * 100);
        for fault in Fault::ALL {
            sim = sim.rate(fault, 0.02);
        }
        sim.service("server", async || {
            let server = Server::bind("0.0.0.0:1".parse().unwrap())?;
            server.serve(crate::handlers::echo).await.map(drop)
        });
        let server = (sim.address("server"), 1).into();
        for client in 0..4 {
            sim.host(&format!("client {client}"), async move || {
                for _ in 0..3 {
                    let _ = timeout(LONG, exchange(server)).await;
                }
                Ok(())
            });
        }
        struck.add(&finished(sim));
    }
    for fault in [Fault::Reset, Fault::Partition, Fault::Crash, Fault::AcceptAborted] {
        assert!(struck.faults.contains_key(&fault), "{fault} never struck");
    }
}

async fn exchange(server: std::net::SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(server).await?;
    for _ in 0..3 {
        stream.write_all(&[7; 3000]).await?;
        stream.chunk().await?;
    }
    Ok(())
}
