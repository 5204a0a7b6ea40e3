//! What connections and requests cost in memory, counted by an allocator: nothing for a request,
//! little for a connection that is idle.
//!
//! The client is another thread, and only the thread of the loop is counted.
#![allow(unsafe_code)]
#![cfg(unix)]

mod socket_util;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use net::{Backend, EventLoop, Server, handlers};
use socket_util::{LIMIT, any_port, plain_client};

/// The system's allocator, and a count of what this thread asked of it.
struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
    static HELD: Cell<i64> = const { Cell::new(0) };
}

fn count(calls: u64, held: i64) {
    CALLS.set(CALLS.get() + calls);
    HELD.set(HELD.get() + held);
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to `System` unchanged, which keeps the contract. Counting allocates
// nothing: the thread-locals are built without code and have no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as i64);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(0, -(layout.size() as i64));
        // SAFETY: the caller keeps the contract of `dealloc`, and `memory` came from `System`.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, size as i64 - layout.size() as i64);
        // SAFETY: the caller keeps the contract of `realloc`, and `memory` came from `System`.
        unsafe { System.realloc(memory, layout, size) }
    }
}

/// A thread with clients, which asks when it is told to.
struct Clients {
    rounds: Sender<usize>,
    done: Receiver<()>,
    thread: JoinHandle<()>,
}

/// What is said on a connection, and the length of the answer to it.
type Dialogue = (&'static [u8], usize);

const HELLO: Dialogue = (b"?", 12);

#[cfg(feature = "programs")]
const HTTP: Dialogue = (b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n", 114);

impl Clients {
    fn connect(address: SocketAddr, connections: usize, dialogue: Dialogue) -> Clients {
        let (rounds, to_do) = channel::<usize>();
        let (finished, done) = channel();
        let thread = std::thread::spawn(move || {
            let mut clients: Vec<_> = (0..connections).map(|_| plain_client(address)).collect();
            while let Ok(rounds) = to_do.recv() {
                let round = |_| clients.iter_mut().for_each(|client| ask(client, dialogue));
                (0..rounds).for_each(round);
                finished.send(()).unwrap();
            }
        });
        Clients { rounds, done, thread }
    }

    /// Turns the loop while every client asks so often.
    fn ask(&self, event_loop: &EventLoop, rounds: usize) {
        self.rounds.send(rounds).unwrap();
        let start = std::time::Instant::now();
        while self.done.try_recv().is_err() {
            assert!(start.elapsed() < LIMIT, "the test takes too long");
            event_loop.turn(Some(Duration::from_millis(10))).unwrap();
        }
    }
}

fn ask(client: &mut TcpStream, (request, length): Dialogue) {
    client.write_all(request).unwrap();
    client.read_exact(&mut [0; 256][..length]).unwrap();
}

/// A loop that serves with `hello`, and its clients, who have asked twice.
fn serve(backend: Backend, connections: usize) -> (EventLoop, Clients) {
    serve_with(backend, connections, HELLO, handlers::hello)
}

/// As [`serve`], with another handler.
fn serve_with<H, F>(
    backend: Backend,
    connections: usize,
    dialogue: Dialogue,
    handler: H,
) -> (EventLoop, Clients)
where
    H: Fn(net::TcpStream, SocketAddr) -> F + 'static,
    F: Future<Output = std::io::Result<()>> + 'static,
{
    let event_loop = EventLoop::with_backend(backend).unwrap();
    let address = event_loop.enter(|| {
        let server = Server::bind(any_port()).unwrap();
        let address = server.local_addr().unwrap();
        drop(net::spawn(server.serve(handler)));
        address
    });
    let clients = Clients::connect(address, connections, dialogue);
    clients.ask(&event_loop, 2);
    (event_loop, clients)
}

#[test]
fn a_request_allocates_nothing() {
    requests_allocate_nothing(HELLO, handlers::hello);
}

/// A handler as `hello` is, through the traits of futures-io.
#[cfg(feature = "futures-io")]
async fn polled(mut stream: net::TcpStream, _: SocketAddr) -> std::io::Result<()> {
    use futures_lite::io::{AsyncReadExt, AsyncWriteExt};
    while AsyncReadExt::read(&mut stream, &mut [0; 64]).await? != 0 {
        AsyncWriteExt::write_all(&mut stream, b"Hello world\n").await?;
    }
    Ok(())
}

#[cfg(feature = "futures-io")]
#[test]
fn polls_allocate_nothing_with_the_loops_waker_or_another() {
    use futures_util::stream::{FuturesUnordered, StreamExt};
    requests_allocate_nothing(HELLO, polled);
    requests_allocate_nothing(HELLO, |stream, peer| async move {
        let mut set = FuturesUnordered::from_iter([polled(stream, peer)]);
        set.next().await.unwrap_or(Ok(()))
    });
}

fn requests_allocate_nothing<H, F>(dialogue: Dialogue, handler: H)
where
    H: Fn(net::TcpStream, SocketAddr) -> F + 'static,
    F: Future<Output = std::io::Result<()>> + 'static,
{
    const CONNECTIONS: usize = 50;
    const ROUNDS: usize = 200;
    let (event_loop, clients) = serve_with(Backend::available()[0], CONNECTIONS, dialogue, handler);
    let before = CALLS.get();
    clients.ask(&event_loop, ROUNDS);
    let calls = CALLS.get() - before;
    drop((clients.rounds, clients.done));
    clients.thread.join().unwrap();
    println!("{} requests: {calls} allocations", CONNECTIONS * ROUNDS);
    assert_eq!(calls, 0, "in {} requests", CONNECTIONS * ROUNDS);
}

#[cfg(feature = "programs")]
#[test]
fn a_request_of_http_allocates_nothing() {
    requests_allocate_nothing(HTTP, net::programs::http::serve);
}

#[cfg(feature = "programs")]
#[test]
fn an_idle_connection_of_http_holds_no_buffer() {
    const CONNECTIONS: usize = 1_000;
    // A task has a span with the feature `tracing`, and a socket is of either world with `sim`.
    const MOST_BYTES: i64 = if cfg!(any(feature = "tracing", feature = "sim")) { 640 } else { 512 };
    net::raise_descriptor_limit().unwrap();
    let before = HELD.get();
    let serve = net::programs::http::serve;
    let serving = serve_with(Backend::available()[0], CONNECTIONS, HTTP, serve);
    let each = (HELD.get() - before) / CONNECTIONS as i64;
    println!("{CONNECTIONS} idle connections of HTTP: {each} bytes each");
    assert!(each <= MOST_BYTES, "{each} bytes for an idle connection");
    drop(serving);
}

#[test]
fn an_idle_connection_holds_little() {
    const FEW: usize = 100;
    const CONNECTIONS: usize = 1_000;
    const MOST_BYTES: i64 = 400 + if cfg!(feature = "tracing") { SPANS } else { 0 };
    /// Two spans and what they tell at their end.
    const SPANS: i64 = 128;
    net::raise_descriptor_limit().unwrap();
    let backend = Backend::available()[0];
    let before = HELD.get();
    let (few, clients) = serve(backend, FEW);
    let held_by_few = HELD.get() - before;
    drop((few, clients));
    let before = HELD.get();
    let (many, clients) = serve(backend, CONNECTIONS);
    let held_by_many = HELD.get() - before;
    let each = held_by_many / CONNECTIONS as i64;
    let further = (held_by_many - held_by_few) / (CONNECTIONS - FEW) as i64;
    println!("{CONNECTIONS} idle connections: {each} bytes each, a further one {further}");
    assert!(each <= MOST_BYTES, "{each} bytes for an idle connection");
    drop((many, clients));
}

#[test]
fn connections_that_come_and_go_leave_nothing_behind() {
    let (event_loop, clients) = serve(Backend::available()[0], 100);
    drop((event_loop, clients));
    let before = HELD.get();
    let (event_loop, clients) = serve(Backend::available()[0], 100);
    drop((event_loop, clients));
    let left = HELD.get() - before;
    // The pool of buffers, which belongs to the thread, may be in another state than before.
    assert!(left.abs() <= 2 * net::CHUNK_SIZE as i64, "{left} bytes are left behind");
}
