//! What a subscriber of the `tracing` crate is told.
#![cfg(feature = "tracing")]

mod util;

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use net::{EventLoop, Server, TaskGroup, TcpStream, handlers, sleep, spawn, yield_now};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber, info};
use util::{SECOND, connected, failures, hold, panic_of, run};

/// Writes down what it is told, each as a line; spans by name and number.
struct Collector {
    level: Level,
    told: Arc<Mutex<Told>>,
}

#[derive(Default)]
struct Told {
    lines: Vec<String>,
    /// The name of each span ever made; a span's number is its place, from one.
    spans: Vec<&'static str>,
    entered: Vec<Id>,
}

impl Told {
    fn name(&self, span: &Id) -> String {
        let number = span.into_u64();
        format!("{}#{number}", self.spans[number as usize - 1])
    }
}

/// The fields of a span or event, the message first and without a name.
#[derive(Default)]
struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.0 = format!(" {value:?}{}", self.0),
            name => self.0 += &format!(" {name}={value:?}"),
        }
    }
}

impl Collector {
    fn tell(&self, line: impl FnOnce(&mut Told) -> String) {
        let mut told = self.told.lock().expect("no panic");
        let line = line(&mut told);
        told.lines.push(line);
    }
}

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.level
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields::default();
        span.record(&mut fields);
        let mut told = self.told.lock().expect("no panic");
        let parent = if span.is_contextual() { told.entered.last().cloned() } else { None };
        let parent = parent.map(|parent| format!(" in {}", told.name(&parent)));
        told.spans.push(span.metadata().name());
        let id = Id::from_u64(told.spans.len() as u64);
        let line = format!("new {}{}{}", told.name(&id), parent.unwrap_or_default(), fields.0);
        told.lines.push(line);
        id
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        self.tell(|told| format!("{} has{}", told.name(span), fields.0));
    }

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.tell(|told| {
            let parent =
                event.parent().or(if event.is_contextual() { told.entered.last() } else { None });
            let place = parent.map_or_else(|| "-".into(), |parent| told.name(parent));
            format!("{} {place}:{}", event.metadata().level(), fields.0)
        });
    }

    fn enter(&self, span: &Id) {
        self.tell(|told| {
            told.entered.push(span.clone());
            format!("enter {}", told.name(span))
        });
    }

    fn exit(&self, span: &Id) {
        self.tell(|told| {
            assert_eq!(told.entered.pop().as_ref(), Some(span));
            format!("exit {}", told.name(span))
        });
    }
}

/// What a subscriber for `level` is told while `run` runs.
fn told(level: Level, run: impl FnOnce()) -> Vec<String> {
    let told = Arc::<Mutex<Told>>::default();
    let collector = Collector { level, told: Arc::clone(&told) };
    tracing::subscriber::with_default(collector, run);
    let mut told = told.lock().expect("no panic");
    assert!(told.entered.is_empty());
    std::mem::take(&mut told.lines)
}

fn events(lines: Vec<String>) -> Vec<String> {
    let is_event = |line: &String| line.starts_with(|first: char| first.is_uppercase());
    lines.into_iter().filter(is_event).collect()
}

#[test]
fn each_task_has_a_span_for_its_steps_from_spawn_to_end() {
    let lines = told(Level::DEBUG, || {
        let (event_loop, _) = EventLoop::manual();
        event_loop
            .run_until(async {
                let child = spawn(async {
                    info!("at work");
                    yield_now().await;
                });
                child.named("child").await.expect("no panic");
            })
            .expect("a run");
        drop(event_loop);
    });
    let expected = [
        "new task#1",
        "task#1 has id=0v1",
        "DEBUG -: spawned task=0v1",
        "enter task#1",
        "new task#2",
        "task#2 has id=1v1",
        "DEBUG task#1: spawned task=1v1",
        "exit task#1",
        "task#2 has name=\"child\"",
        "enter task#2",
        "INFO task#2: at work",
        "exit task#2",
        "enter task#2",
        "exit task#2",
        "DEBUG task#2: ended end=\"complete\"",
        "enter task#1",
        "exit task#1",
        "DEBUG task#1: ended end=\"complete\"",
        "DEBUG -: loop dropped tasks=0",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn a_task_ends_complete_cancelled_or_panicked() {
    let lines = told(Level::DEBUG, || {
        let (event_loop, _) = EventLoop::manual();
        let failed = failures(&event_loop);
        event_loop
            .run_until(async {
                let unborn = spawn(hold(()));
                assert!(unborn.cancel());
                let parked = spawn(hold(()));
                drop(spawn(async { panic!("oh") }));
                yield_now().await;
                assert!(parked.cancel());
                let mut group = TaskGroup::new();
                group.spawn_named("member", async { Err("no such host") });
                group.spawn(hold(()).map_ok());
                assert!(group.wait().await.is_err());
                let generator = generator::Gen::new(async |_: net::Co| ());
                net::spawn_generator(generator).await.expect("no panic");
                drop(spawn(hold(())));
            })
            .expect("a run");
        assert_eq!(failed.take().len(), 1);
        drop(event_loop);
    });
    let expected = [
        "DEBUG -: spawned task=0v1",
        "DEBUG task#1: spawned task=1v1",
        "DEBUG task#2: ended end=\"cancelled\"",
        "DEBUG task#1: spawned task=1v2",
        "DEBUG task#1: spawned task=2v1",
        "DEBUG task#4: ended end=\"panicked\"",
        "ERROR -: task 2v1 panicked: oh",
        "DEBUG task#3: ended end=\"cancelled\"",
        "DEBUG task#1: spawned task=1v3",
        "DEBUG task#1: spawned task=2v2",
        "DEBUG task#6: ended end=\"cancelled\"",
        "DEBUG task#5: ended end=\"complete\"",
        "DEBUG task#1: spawned task=1v4",
        "DEBUG task#7: ended end=\"complete\"",
        "DEBUG task#1: spawned task=1v5",
        "DEBUG task#1: ended end=\"complete\"",
        "DEBUG -: loop dropped tasks=1",
        "DEBUG task#8: ended end=\"cancelled\"",
    ];
    assert_eq!(events(lines), expected);
}

/// As a member of a group has to be.
trait MapOk: Future + Sized {
    async fn map_ok<E>(self) -> Result<Self::Output, E> {
        Ok(self.await)
    }
}
impl<F: Future> MapOk for F {}

#[test]
fn a_task_from_another_thread_has_its_span_too() {
    let lines = told(Level::DEBUG, || {
        let (event_loop, _) = EventLoop::manual();
        let handle = event_loop.handle();
        let thread = std::thread::spawn(move || handle.spawn(|| async { info!("here") }).is_ok());
        assert!(thread.join().expect("no panic"));
        event_loop.run().expect("a run");
    });
    let expected = [
        "new task#1",
        "task#1 has id=0v1",
        "enter task#1",
        "INFO task#1: here",
        "exit task#1",
        "DEBUG task#1: ended end=\"complete\"",
        "DEBUG -: loop dropped tasks=0",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn laps_and_waits_are_told_to_who_asks_for_all() {
    let lines = told(Level::TRACE, || {
        let (event_loop, _) = EventLoop::manual();
        event_loop.run_until(async { sleep(SECOND).await }).expect("a run");
    });
    let expected = [
        "DEBUG -: spawned task=0v1",
        "TRACE -: wait timeout=Some(0ns)",
        "TRACE -: lap ready=1",
        "TRACE -: wait timeout=Some(1s)",
        "TRACE -: lap ready=1",
        "DEBUG task#1: ended end=\"complete\"",
        "DEBUG -: loop dropped tasks=0",
    ];
    assert_eq!(events(lines), expected);
}

#[test]
fn a_server_tells_of_its_connections_and_of_its_stop() {
    let mut peer = None;
    let lines = told(Level::DEBUG, || {
        let event_loop = EventLoop::new().expect("a loop");
        peer = Some(run(&event_loop, async {
            let server = Server::new(util::listener()).grace(Duration::ZERO);
            let (address, stopper) = (server.local_addr().expect("bound"), server.stopper());
            let serving = spawn(server.serve(handlers::hello));
            let mut client = TcpStream::connect(address).await.expect("connect");
            client.write_all(b"hi").await.expect("room");
            assert!(client.chunk().await.expect("an answer").is_some());
            stopper.stop();
            let served = serving.await.expect("no panic").expect("no error");
            assert_eq!(served.cancelled, 1);
            client.local_addr().expect("bound")
        }));
    });
    let peer = peer.expect("it ran");
    let connection = format!("new connection#4 in task#3 peer={peer}");
    assert!(lines.contains(&connection), "{lines:#?}");
    let accepted = format!("DEBUG task#2: accepted peer={peer}");
    let closed = format!("DEBUG connection#4: closed peer={peer}");
    let expected = [
        "DEBUG -: spawned task=0v1",
        "DEBUG task#1: spawned task=1v1",
        &accepted,
        "DEBUG task#2: spawned task=2v1",
        "INFO task#2: stopping connections=1",
        &closed,
        "DEBUG task#3: ended end=\"cancelled\"",
        "INFO task#2: stopped accepted=1 cancelled=1",
        "DEBUG task#2: ended end=\"complete\"",
        "DEBUG task#1: ended end=\"complete\"",
        "DEBUG -: loop dropped tasks=0",
    ];
    assert_eq!(events(lines), expected);
}

/// In a process of its own, so that the limit is nobody else's.
#[cfg(target_os = "linux")]
#[test]
fn a_server_without_descriptors_says_that_it_pauses() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    const CHILD: &str = "NET_TEST_CHILD";
    if std::env::var(CHILD).is_err() {
        let mut command = std::process::Command::new(std::env::current_exe().expect("a path"));
        command.args(["--exact", "a_server_without_descriptors_says_that_it_pauses"]);
        let ended = command.env(CHILD, "1").output().expect("a process");
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        return;
    }
    let limit = Rlimit { current: Some(64), ..getrlimit(Resource::Nofile) };
    setrlimit(Resource::Nofile, limit).expect("less than before");
    let lines = told(Level::DEBUG, || {
        let event_loop = EventLoop::new().expect("a loop");
        let failed = failures(&event_loop);
        let server = event_loop.enter(|| Server::new(util::listener()));
        let client = std::net::TcpStream::connect(server.local_addr().expect("bound"));
        let use_up = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok());
        let hogs: Vec<_> = use_up.collect();
        drop(event_loop.spawn(server.serve(handlers::hello)));
        util::settle(&event_loop);
        assert_eq!(failed.take().len(), 1);
        drop((client, hogs));
    });
    let expected = [
        "DEBUG -: spawned task=0v1",
        "ERROR task#1: task 0v1 cannot accept: Too many open files (os error 24)",
        "DEBUG task#1: no descriptor left: accepting pauses",
        "DEBUG -: loop dropped tasks=1",
        "DEBUG task#1: ended end=\"cancelled\"",
    ];
    assert_eq!(events(lines), expected);
}

#[test]
fn who_asks_for_little_is_told_little() {
    let lines = told(Level::ERROR, || {
        let (event_loop, _) = EventLoop::manual();
        let failed = failures(&event_loop);
        drop(event_loop.spawn(async { panic!("oh") }).named("weak"));
        event_loop.run().expect("a run");
        assert_eq!(failed.take().len(), 1);
    });
    assert_eq!(lines, ["ERROR -: task 0v1 (weak) panicked: oh"]);
}

#[test]
fn without_a_subscriber_all_goes_on_as_before() {
    let event_loop = EventLoop::new().expect("a loop");
    run(&event_loop, async {
        let (mut near, mut far) = connected().await;
        let task = spawn(async move { near.write_all(b"hi").await });
        assert!(far.chunk().await.expect("a read").is_some());
        task.await.expect("no panic").expect("room");
        let mut group = TaskGroup::new();
        group.spawn(async { Err("oh") });
        assert!(group.wait().await.is_err());
    });
    let panicking = || event_loop.run_until(async { panic!("oh") });
    assert_eq!(panic_of(panicking), "oh");
}
