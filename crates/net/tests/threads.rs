//! A server on several threads: the spread, the limits, failures, the stop.

mod socket_util;

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

use net::{
    Backend, EventLoop, JoinHandle, MAX_THREADS, Served, Server, Stopper, TcpStream,
    ThreadedServer, WaitKind, handlers,
};
use socket_util::{LIMIT, any_port, on_every_backend, plain_client, read_exactly, within_limit};

type Serving = JoinHandle<io::Result<Served>>;

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(3600);

fn bind() -> Server {
    Server::bind(any_port()).unwrap()
}

fn start<H, F>(
    server: Server,
    threads: usize,
    set: impl FnOnce(ThreadedServer) -> ThreadedServer,
    handler: H,
) -> (SocketAddr, Stopper, Serving)
where
    H: Fn(TcpStream, SocketAddr) -> F + Clone + Send + 'static,
    F: Future<Output = io::Result<()>> + 'static,
{
    let (address, stopper) = (server.local_addr().unwrap(), server.stopper());
    (address, stopper, net::spawn(set(server.threads(threads)).serve(handler)))
}

fn as_it_is(server: ThreadedServer) -> ThreadedServer {
    server
}

async fn served(serving: Serving) -> Served {
    serving.await.unwrap().unwrap()
}

async fn ask(client: &mut TcpStream) {
    client.write_all(b"?").await.unwrap();
    assert_eq!(read_exactly(client, 12).await, b"Hello world\n");
}

async fn connect_and_ask(address: SocketAddr) -> TcpStream {
    let mut client = TcpStream::connect(address).await.unwrap();
    ask(&mut client).await;
    client
}

/// How many connections each thread has begun to serve.
#[derive(Clone, Default)]
struct Tally(Arc<Mutex<HashMap<ThreadId, usize>>>);

impl Tally {
    fn count(&self) -> usize {
        let mut counts = self.0.lock().unwrap();
        let here = counts.entry(thread::current().id()).or_default();
        *here += 1;
        *here
    }

    /// From the fewest to the most.
    fn counts(&self) -> Vec<usize> {
        let mut counts: Vec<usize> = self.0.lock().unwrap().values().copied().collect();
        counts.sort_unstable();
        counts
    }

    fn of(&self, thread: ThreadId) -> usize {
        self.0.lock().unwrap().get(&thread).copied().unwrap_or(0)
    }
}

/// `hello`, counted.
fn tallied(tally: &Tally) -> impl Fn(TcpStream, SocketAddr) -> Hello + Clone + Send + use<> {
    let tally = tally.clone();
    move |stream, peer| {
        tally.count();
        Box::pin(handlers::hello(stream, peer))
    }
}

type Hello = std::pin::Pin<Box<dyn Future<Output = io::Result<()>>>>;

#[test]
fn four_hundred_connections_on_four_threads_are_a_hundred_each() {
    net::raise_descriptor_limit().unwrap();
    on_every_backend(|| async {
        let tally = Tally::default();
        let (address, stopper, serving) = start(bind(), 4, as_it_is, tallied(&tally));
        let mut clients = Vec::new();
        for _ in 0..400 {
            clients.push(connect_and_ask(address).await);
        }
        assert_eq!(tally.counts(), [100; 4]);
        assert!(tally.of(thread::current().id()) == 100, "the first thread is this one");
        drop(clients);
        stopper.stop();
        let all = Served { accepted: 400, cancelled: 0, timed_out: 0 };
        assert_eq!(served(serving).await, all);
    });
}

#[test]
fn the_spread_is_even_though_connections_close_in_between() {
    on_every_backend(|| async {
        let tally = Tally::default();
        let (address, stopper, serving) = start(bind(), 3, as_it_is, tallied(&tally));
        let mut kept = Vec::new();
        for number in 0..300 {
            let client = connect_and_ask(address).await;
            // All of one thread, and some of the others, leave at once.
            if number % 3 != 0 && number % 7 != 0 {
                kept.push(client);
            }
            if number % 50 == 49 {
                kept.truncate(kept.len() / 2);
            }
        }
        assert_eq!(tally.counts(), [100; 3]);
        drop(kept);
        stopper.stop();
        assert_eq!(served(serving).await.accepted, 300);
    });
}

#[test]
fn one_thread_is_this_one() {
    for threads in [0, 1] {
        on_every_backend(move || async move {
            let tally = Tally::default();
            let set = |server: ThreadedServer| server.each_loop(|_| panic!("there is no other"));
            let (address, stopper, serving) = start(bind(), threads, set, tallied(&tally));
            for _ in 0..5 {
                connect_and_ask(address).await;
            }
            assert_eq!(tally.of(thread::current().id()), 5);
            stopper.stop();
            assert_eq!(served(serving).await.accepted, 5);
        });
    }
}

#[test]
fn rotation_skips_threads_without_room_and_no_others() {
    on_every_backend(|| async {
        let tally = Tally::default();
        let (address, stopper, serving) =
            start(bind().max_connections(5), 2, as_it_is, tallied(&tally));
        let here = thread::current().id();
        // Three here and two there.
        let mut clients = Vec::new();
        for _ in 0..5 {
            clients.push(connect_and_ask(address).await);
        }
        assert_eq!((tally.of(here), tally.counts()), (3, vec![2, 3]));
        // It would be the other one's turn, which has no room.
        for _ in 0..3 {
            drop(clients.remove(0));
            clients.insert(0, connect_and_ask(address).await);
        }
        assert_eq!((tally.of(here), tally.counts()), (6, vec![2, 6]));
        drop(clients);
        stopper.stop();
        assert_eq!(served(serving).await.accepted, 8);
    });
}

#[test]
fn max_connections_holds_for_all_threads_together() {
    /// Counts those that are alive.
    struct Alive(Arc<AtomicUsize>);

    impl Drop for Alive {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }

    for most in [1, 2, 5] {
        on_every_backend(move || async move {
            let (alive, peak) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
            let top = Arc::clone(&peak);
            let handler = move |stream, peer| {
                let one = Alive(Arc::clone(&alive));
                top.fetch_max(alive.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                async move {
                    let _one = one;
                    handlers::hello(stream, peer).await
                }
            };
            let server = bind().max_connections(most);
            let (address, stopper, serving) = start(server, 4, as_it_is, handler);
            let mut held = Vec::new();
            for _ in 0..most {
                held.push(connect_and_ask(address).await);
            }
            let clients: Vec<_> = (0..40)
                .map(|_| {
                    net::spawn(async move {
                        let mut client = connect_and_ask(address).await;
                        ask(&mut client).await;
                    })
                })
                .collect();
            for client in &mut held {
                ask(client).await;
            }
            drop(held);
            for client in clients {
                client.await.unwrap();
            }
            assert_eq!(peak.load(Ordering::SeqCst), most);
            stopper.stop();
            assert_eq!(served(serving).await.accepted, 40 + most as u64);
        });
    }
}

/// Answers as `hello`, but for what makes its thread wait until it is told to go on.
#[derive(Clone)]
struct Blocking {
    go_on: Arc<Mutex<Receiver<()>>>,
    /// How often a thread has begun to wait.
    blocked: Arc<AtomicUsize>,
}

impl Blocking {
    fn new() -> (Sender<()>, Blocking) {
        let (sender, receiver) = channel();
        (sender, Blocking { go_on: Arc::new(Mutex::new(receiver)), blocked: Arc::default() })
    }

    fn block(&self) {
        self.blocked.fetch_add(1, Ordering::SeqCst);
        self.go_on.lock().unwrap().recv_timeout(LIMIT).unwrap();
    }

    async fn until_blocked(&self) {
        while self.blocked.load(Ordering::SeqCst) == 0 {
            net::yield_now().await;
        }
    }

    async fn serve(self, mut stream: TcpStream) -> io::Result<()> {
        while let Some(chunk) = stream.chunk().await? {
            match &*chunk {
                b"block" => self.block(),
                b"fail" => {
                    self.block();
                    return Err(io::Error::other("as you wish"));
                }
                _ => {}
            }
            stream.write_all(b"Hello world\n").await?;
        }
        Ok(())
    }

    fn handler(&self) -> impl Fn(TcpStream, SocketAddr) -> Hello + Clone + Send + use<> {
        let blocking = self.clone();
        move |stream, _peer| Box::pin(blocking.clone().serve(stream))
    }
}

#[test]
fn a_slow_thread_stops_no_other() {
    on_every_backend(|| async {
        let (go_on, blocking) = Blocking::new();
        let (address, stopper, serving) = start(bind(), 3, as_it_is, blocking.handler());
        let mut clients = Vec::new();
        for _ in 0..3 {
            clients.push(connect_and_ask(address).await);
        }
        clients[1].write_all(b"block").await.unwrap();
        blocking.until_blocked().await;
        // Two of three go on, and new ones come to them.
        let mut waiting = Vec::new();
        for number in 0..30 {
            let mut client = TcpStream::connect(address).await.unwrap();
            if number % 3 == 1 {
                client.write_all(b"?").await.unwrap();
                waiting.push(client);
            } else {
                ask(&mut client).await;
                ask(&mut clients[number % 3]).await;
            }
        }
        go_on.send(()).unwrap();
        for client in waiting.iter_mut().chain([&mut clients[1]]) {
            assert_eq!(read_exactly(client, 12).await, b"Hello world\n");
        }
        drop((clients, waiting));
        stopper.stop();
        assert_eq!(served(serving).await, Served { accepted: 33, cancelled: 0, timed_out: 0 });
    });
}

#[test]
fn a_stop_spreads_and_serves_the_backlog() {
    on_every_backend(|| async {
        let tally = Tally::default();
        let server = bind().max_connections(8);
        let (address, stopper, serving) = start(server, 4, as_it_is, tallied(&tally));
        let mut clients: Vec<_> = (0..100).map(|_| plain_client(address)).collect();
        for client in &mut clients {
            client.write_all(b"?").unwrap();
            client.shutdown(Shutdown::Write).unwrap();
        }
        // The server has not had its first turn yet.
        stopper.stop();
        assert_eq!(served(serving).await, Served { accepted: 100, cancelled: 0, timed_out: 0 });
        assert_eq!(tally.counts().len(), 4);
        for mut client in clients {
            let mut answer = String::new();
            client.read_to_string(&mut answer).unwrap();
            assert_eq!(answer, "Hello world\n");
        }
    });
}

/// Connects, asks and reads to the end, again and again, until nobody listens any more. Returns how
/// often there was an answer.
fn visit_until_refused(address: SocketAddr) -> u64 {
    let mut answers = 0;
    while let Ok(mut client) = std::net::TcpStream::connect(address) {
        client.set_read_timeout(Some(LIMIT)).unwrap();
        // One that was not accepted before the listener closed is reset.
        let asked = client.write_all(b"?").and_then(|()| client.shutdown(Shutdown::Write));
        let mut answer = Vec::new();
        match asked.and_then(|()| client.read_to_end(&mut answer)) {
            Ok(_) => {
                assert_eq!(answer, b"Hello world\n");
                answers += 1;
            }
            Err(error) => assert_ne!(error.kind(), ErrorKind::WouldBlock, "never answered"),
        }
    }
    answers
}

#[test]
fn a_stop_under_load_loses_no_connection_that_was_accepted() {
    for backend in Backend::available() {
        let event_loop = EventLoop::with_backend(*backend).unwrap();
        event_loop.on_failure(|failure| panic!("{failure}"));
        let (address, stopper, serving) =
            event_loop.enter(|| start(bind(), 4, as_it_is, handlers::hello));
        let clients: Vec<_> =
            (0..4).map(|_| thread::spawn(move || visit_until_refused(address))).collect();
        let served = within_limit(&event_loop, async move {
            connect_and_ask(address).await;
            net::sleep(Duration::from_millis(50)).await;
            stopper.stop();
            served(serving).await
        });
        let answers: u64 = clients.into_iter().map(|client| client.join().unwrap()).sum();
        assert!(answers > 0);
        let all = Served { accepted: answers + 1, cancelled: 0, timed_out: 0 };
        assert_eq!(served, all, "{backend}");
    }
}

#[test]
fn what_each_thread_has_cut_off_is_summed() {
    on_every_backend(|| async {
        let server = bind().grace(Duration::ZERO).idle_timeout(Duration::from_millis(300));
        let (address, stopper, serving) = start(server, 3, as_it_is, handlers::hello);
        let mut idle = Vec::new();
        for _ in 0..6 {
            idle.push(connect_and_ask(address).await);
        }
        for client in &mut idle {
            assert!(client.chunk().await.unwrap().is_none());
        }
        let mut busy = Vec::new();
        for _ in 0..3 {
            busy.push(connect_and_ask(address).await);
        }
        stopper.stop();
        assert_eq!(served(serving).await, Served { accepted: 9, cancelled: 3, timed_out: 6 });
        for client in &mut busy {
            assert!(client.chunk().await.unwrap().is_none());
        }
    });
}

#[test]
fn idle_connections_of_every_thread_end_after_a_stop() {
    on_every_backend(|| async {
        let server = bind().grace(LONG).idle_grace(Duration::from_millis(20));
        let (address, stopper, serving) = start(server, 3, as_it_is, handlers::hello);
        let mut clients = Vec::new();
        for _ in 0..9 {
            clients.push(connect_and_ask(address).await);
        }
        stopper.stop();
        assert_eq!(served(serving).await, Served { accepted: 9, cancelled: 0, timed_out: 0 });
        for client in &mut clients {
            assert!(client.chunk().await.unwrap().is_none());
        }
    });
}

/// Tells when it is dropped.
struct Tells(Sender<ThreadId>);

impl Drop for Tells {
    fn drop(&mut self) {
        let _ = self.0.send(thread::current().id());
    }
}

#[test]
fn dropping_the_server_ends_every_thread_at_once() {
    on_every_backend(|| async {
        let (tells, told) = channel();
        let (ends, ended) = channel();
        let handler = move |stream, peer| {
            let tells = Tells(tells.clone());
            async move {
                let _tells = tells;
                handlers::hello(stream, peer).await
            }
        };
        thread_local! {
            static END: RefCell<Option<Tells>> = const { RefCell::new(None) };
        }
        let set = move |server: ThreadedServer| {
            server.each_loop(move |_| END.set(Some(Tells(ends.clone()))))
        };
        let (address, _stopper, serving) = start(bind(), 3, set, handler);
        let mut clients = Vec::new();
        for _ in 0..6 {
            clients.push(connect_and_ask(address).await);
        }
        assert!(serving.cancel());
        for client in &mut clients {
            assert!(client.chunk().await.unwrap().is_none());
        }
        let threads: Vec<_> = (0..6).map(|_| told.recv_timeout(LIMIT).unwrap()).collect();
        assert_eq!(threads.iter().filter(|id| **id == thread::current().id()).count(), 2);
        for _ in 0..2 {
            ended.recv_timeout(LIMIT).expect("the threads end");
        }
        let refused = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn dropping_the_loop_of_a_server_ends_every_thread() {
    for backend in Backend::available() {
        let event_loop = EventLoop::with_backend(*backend).unwrap();
        let (address, _stopper, serving) =
            event_loop.enter(|| start(bind(), 2, as_it_is, handlers::hello));
        let ask = move || {
            let mut clients = [plain_client(address), plain_client(address)];
            for client in &mut clients {
                client.write_all(b"?").unwrap();
                client.read_exact(&mut [0; 12]).unwrap();
            }
            clients
        };
        let clients = within_limit(&event_loop, async move { net::unblock(ask).await });
        drop(event_loop);
        assert!(serving.is_finished());
        for mut client in clients {
            assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
        }
        assert!(std::net::TcpStream::connect(address).is_err());
    }
}

#[test]
fn a_thread_that_cannot_be_set_up_is_an_error_before_anything_is_accepted() {
    on_every_backend(|| async {
        let server = bind().on_connect(|peer| panic!("{peer} was accepted"));
        let address = server.local_addr().unwrap();
        let waiting = plain_client(address);
        let calls = AtomicUsize::new(0);
        let set_up = move |_: &EventLoop| {
            assert!(calls.fetch_add(1, Ordering::SeqCst) != 1, "not this one");
        };
        let refused = server.threads(4).each_loop(set_up).serve(handlers::hello).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.starts_with("server thread "), "{refused}");
        assert!(refused.ends_with("cannot serve: it panicked: not this one"), "{refused}");
        drop(waiting);

        let refused = bind().threads(MAX_THREADS + 1).serve(handlers::hello).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_loop_that_cannot_be_made_is_an_error() {
    let name = "a_loop_that_cannot_be_made_is_an_error";
    socket_util::alone::in_a_process_of_its_own(name, |backend| {
        let event_loop = EventLoop::with_backend(backend).unwrap();
        let server = event_loop.enter(bind);
        socket_util::alone::lower_limit(16);
        let refused = within_limit(&event_loop, server.threads(32).serve(handlers::hello));
        let refused = refused.unwrap_err().to_string();
        assert!(refused.starts_with("server thread "), "{refused}");
        assert!(refused.contains("Too many open files"), "{refused}");
    });
}

/// Failures that reach hooks, with the threads that they are reported on.
#[derive(Clone, Default)]
struct Reports(Arc<Mutex<Vec<(ThreadId, String)>>>);

impl Reports {
    fn hook(&self) -> impl Fn(&net::Failure<'_>) + use<> {
        let reports = Arc::clone(&self.0);
        move |failure| {
            reports.lock().unwrap().push((thread::current().id(), failure.to_string()));
        }
    }

    fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

#[test]
fn failures_stay_in_their_connection_and_go_to_the_hook_of_their_loop() {
    for backend in Backend::available() {
        let event_loop = EventLoop::with_backend(*backend).unwrap();
        let reports = Reports::default();
        event_loop.on_failure(reports.hook());
        let each = reports.clone();
        within_limit(&event_loop, async move {
            let each = move |event_loop: &EventLoop| event_loop.on_failure(each.hook());
            let set = |server: ThreadedServer| server.each_loop(each);
            let handler = |mut stream: TcpStream, _| async move {
                while let Some(chunk) = stream.chunk().await? {
                    match &*chunk {
                        b"error" => return Err(io::Error::other("as you wish")),
                        b"panic" => panic!("with pleasure"),
                        _ => stream.write_all(b"Hello world\n").await?,
                    }
                }
                Ok(())
            };
            let (address, stopper, serving) = start(bind(), 2, set, handler);
            let mut well = connect_and_ask(address).await;
            let mut well_there = connect_and_ask(address).await;
            for wish in [b"error", b"error", b"panic", b"panic"] {
                let mut client = TcpStream::connect(address).await.unwrap();
                client.write_all(wish).await.unwrap();
                assert!(client.chunk().await.unwrap().is_none());
                ask(&mut well).await;
                ask(&mut well_there).await;
            }
            drop((well, well_there));
            stopper.stop();
            assert_eq!(served(serving).await.accepted, 6);
        });
        let reports = reports.0.lock().unwrap();
        let here = thread::current().id();
        for end in ["failed: as you wish", "panicked: with pleasure"] {
            let ending = |(_, text): &&(ThreadId, String)| text.ends_with(end);
            let at: Vec<_> = reports.iter().filter(ending).map(|(id, _)| *id == here).collect();
            // One here, and one on the other thread.
            assert!(at == [true, false] || at == [false, true], "{reports:?}");
        }
        assert_eq!(reports.len(), 4, "{reports:?}");
        assert_eq!(event_loop.stats().failures, 2, "{backend}");
    }
}

#[test]
fn a_thread_that_dies_is_reported_and_its_share_goes_to_the_others() {
    for backend in Backend::available() {
        let event_loop = EventLoop::with_backend(*backend).unwrap();
        let reports = Reports::default();
        event_loop.on_failure(reports.hook());
        let seen = reports.clone();
        within_limit(&event_loop, async move {
            let (go_on, blocking) = Blocking::new();
            // A hook that panics brings down its loop.
            let deadly = |event_loop: &EventLoop| event_loop.on_failure(|_| panic!("no more"));
            let set = |server: ThreadedServer| server.each_loop(deadly);
            let server = bind().max_connections(6);
            let (address, stopper, serving) = start(server, 3, set, blocking.handler());
            let mut clients = Vec::new();
            for _ in 0..3 {
                clients.push(connect_and_ask(address).await);
            }
            clients[1].write_all(b"fail").await.unwrap();
            blocking.until_blocked().await;
            // Of these the second is on its way to the thread that dies.
            let mut later = Vec::new();
            for _ in 0..3 {
                let mut client = TcpStream::connect(address).await.unwrap();
                client.write_all(b"?").await.unwrap();
                later.push(client);
            }
            for at in [0, 2] {
                assert_eq!(read_exactly(&mut later[at], 12).await, b"Hello world\n");
            }
            go_on.send(()).unwrap();
            assert!(clients[1].chunk().await.unwrap().is_none());
            assert_eq!(read_exactly(&mut later[1], 12).await, b"Hello world\n");
            while seen.len() < 1 {
                net::yield_now().await;
            }
            // Six may be held by two threads as by three.
            drop(clients.remove(1));
            clients.push(connect_and_ask(address).await);
            for client in clients.iter_mut().chain(&mut later) {
                ask(client).await;
            }
            drop((clients, later));
            stopper.stop();
            assert_eq!(served(serving).await, Served { accepted: 7, cancelled: 0, timed_out: 0 });
        });
        let reports = reports.0.lock().unwrap();
        assert_eq!(reports.len(), 1, "{backend}: {reports:?}");
        let (thread, text) = &reports[0];
        assert_eq!(*thread, thread::current().id());
        let said =
            "(server thread 2) failed: server thread 2 has ended with its connections: it panicked";
        assert!(text.contains(said), "{text}");
    }
}

#[test]
fn a_thread_that_a_handler_keeps_busy_is_not_waited_for_without_end() {
    let event_loop = EventLoop::new().unwrap();
    let (go_on, blocking) = Blocking::new();
    let ended = within_limit(&event_loop, async move {
        let server = bind().grace(Duration::ZERO);
        let (address, stopper, serving) = start(server, 2, as_it_is, blocking.handler());
        let _first = connect_and_ask(address).await;
        let mut second = connect_and_ask(address).await;
        second.write_all(b"block").await.unwrap();
        blocking.until_blocked().await;
        stopper.stop();
        served(serving).await
    });
    assert_eq!(ended, Served { accepted: 2, cancelled: 2, timed_out: 0 });
    go_on.send(()).unwrap();
}

#[test]
fn what_waits_for_the_other_threads_is_listed() {
    on_every_backend(|| async {
        let server = bind().max_connections(2).grace(Duration::ZERO);
        let (address, stopper, serving) = start(server, 2, as_it_is, handlers::hello);
        let clients = [connect_and_ask(address).await, connect_and_ask(address).await];
        let waits = |task: net::TaskId| {
            let tasks = net::tasks();
            let task = tasks.into_iter().find(|info| info.id == task).unwrap();
            task.waits.iter().any(|wait| wait.kind == WaitKind::Threads)
        };
        // It has no room, and so waits for some.
        while !waits(serving.id()) {
            net::yield_now().await;
        }
        let tasks = net::tasks();
        for name in ["server thread 1", "server thread 2"] {
            let task = tasks.iter().find(|task| task.name.as_deref() == Some(name)).unwrap();
            assert!(task.to_string().contains("for the other threads of a server"), "{task}");
        }
        stopper.stop();
        assert_eq!(served(serving).await.cancelled, 2);
        drop(clients);
    });
}

#[test]
fn what_handlers_have_need_not_be_sent_between_threads() {
    on_every_backend(|| async {
        let handler = |mut stream: TcpStream, _peer| async move {
            let shared = Rc::new(RefCell::new(Vec::new()));
            let other = Rc::clone(&shared);
            // A task of its own, on the loop of this thread.
            net::spawn(async move { other.borrow_mut().extend_from_slice(b"Hello world\n") })
                .await
                .unwrap();
            stream.chunk().await?;
            let answer = shared.take();
            stream.write_all(&answer).await
        };
        let (address, stopper, serving) = start(bind(), 3, as_it_is, handler);
        for _ in 0..9 {
            connect_and_ask(address).await;
        }
        stopper.stop();
        assert_eq!(served(serving).await.accepted, 9);
    });
}

#[test]
#[cfg(unix)]
fn unix_sockets_are_spread_as_well() {
    use net::{UnixAddr, UnixListener, UnixStream};
    on_every_backend(|| async {
        let folder = socket_util::Folder::new();
        let address = UnixAddr::path(folder.path("socket"));
        let tally = Tally::default();
        let counts = tally.clone();
        let server = Server::new(UnixListener::bind(address.clone()).unwrap());
        let stopper = server.stopper();
        let serving = net::spawn(server.threads(4).serve(move |stream: UnixStream, peer| {
            counts.count();
            handlers::echo(stream, peer)
        }));
        for _ in 0..40 {
            let mut client = UnixStream::connect(address.clone()).await.unwrap();
            client.write_all(b"there and back").await.unwrap();
            assert_eq!(read_exactly(&mut client, 14).await, b"there and back");
        }
        assert_eq!(tally.counts(), [10; 4]);
        stopper.stop();
        assert_eq!(served(serving).await.accepted, 40);
    });
}
