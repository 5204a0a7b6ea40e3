//! What the tests of sockets and servers share: loops over every backend, pairs of sockets, a
//! limit on the time of each test.
#![allow(dead_code, reason = "each test file uses its share")]

#[cfg(unix)]
pub(crate) mod alone;
#[cfg(all(unix, feature = "programs"))]
pub(crate) mod program;
#[cfg(all(target_os = "linux", feature = "programs"))]
pub(crate) mod trace;

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use net::{Backend, EventLoop, Family, Stream, TcpListener, TcpStream};

/// What no test should need, on a busy machine neither.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// More than the kernel holds for a reader that does not read.
pub(crate) const LARGE: usize = 16 << 20;

/// Any free port of the loopback.
pub(crate) fn any_port() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

/// Runs `body` on a loop over every backend; when it has ended, no wait may be left behind.
pub(crate) fn on_every_backend<F>(body: impl Fn() -> F)
where
    F: Future<Output = ()> + 'static,
{
    for backend in Backend::available() {
        eprintln!("backend {backend}");
        let event_loop = EventLoop::with_backend(*backend).unwrap();
        within_limit(&event_loop, body());
        assert_eq!(event_loop.stats().socket_waits, 0, "{backend}: a wait was left behind");
    }
}

/// Runs `body` to its end, and panics when that takes too long.
pub(crate) fn within_limit<F>(event_loop: &EventLoop, body: F) -> F::Output
where
    F: Future + 'static,
{
    let start = Instant::now();
    let limited = async { net::timeout(LIMIT, body).await };
    let output = event_loop.run_until(limited).unwrap();
    // The end of the time polls once more, which may be all that a lost wake was waiting for.
    assert!(start.elapsed() < LIMIT, "the test takes too long");
    output.unwrap()
}

/// Turns that `event_loop` makes in `span` when each may wait for a tenth of it: ten, and a few
/// more for events; thousands when it spins.
pub(crate) fn turns_within(event_loop: &EventLoop, span: Duration) -> usize {
    let (start, mut turns) = (Instant::now(), 0);
    while start.elapsed() < span {
        event_loop.turn(Some(span / 10)).unwrap();
        turns += 1;
    }
    turns
}

/// What a loop that does not spin needs, in [`turns_within`].
pub(crate) const FEW_TURNS: usize = 30;

/// A connection: the side that connected, and the side that was accepted.
pub(crate) async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(any_port()).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    (client, server)
}

/// A connection whose other side is a plain blocking socket.
pub(crate) async fn pair_with_plain() -> (TcpStream, std::net::TcpStream) {
    let listener = TcpListener::bind(any_port()).unwrap();
    let plain = plain_client(listener.local_addr().unwrap());
    let (stream, _) = listener.accept().await.unwrap();
    (stream, plain)
}

/// A blocking client. It is connected once it is in the backlog, before anybody accepts it.
pub(crate) fn plain_client(address: SocketAddr) -> std::net::TcpStream {
    let client = std::net::TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(LIMIT)).unwrap();
    client.set_write_timeout(Some(LIMIT)).unwrap();
    client
}

/// A socket that closes with a reset.
pub(crate) fn reset(plain: std::net::TcpStream) {
    socket2::SockRef::from(&plain).set_linger(Some(Duration::ZERO)).unwrap();
}

/// Writes until the kernel takes no more for a while, and says how much that was.
pub(crate) async fn fill<K: Family>(stream: &mut Stream<K>) -> usize {
    let bytes = vec![b'f'; 65_536];
    let mut filled = 0;
    while let Ok(sent) = net::timeout(Duration::from_millis(50), stream.write(&bytes)).await {
        filled += sent.unwrap();
        assert!(filled <= 4 * LARGE, "nobody reads, and yet there is always room");
    }
    filled
}

/// Reads to the end of the stream.
pub(crate) async fn read_to_end<K: Family>(stream: &mut Stream<K>) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.chunk().await.unwrap() {
        bytes.extend_from_slice(&chunk);
    }
    bytes
}

/// Reads exactly so many bytes.
pub(crate) async fn read_exactly<K: Family>(stream: &mut Stream<K>, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let mut have = 0;
    while have < length {
        let read = stream.read(&mut bytes[have..]).await.unwrap();
        assert_ne!(read, 0, "the stream ends after {have} of {length} bytes");
        have += read;
    }
    bytes
}

/// Has a thread read everything that comes, until the other side closes.
pub(crate) fn drain_in_a_thread(mut plain: std::net::TcpStream) -> std::thread::JoinHandle<usize> {
    std::thread::spawn(move || {
        let (mut buffer, mut total) = (vec![0; 65_536], 0);
        loop {
            match plain.read(&mut buffer) {
                Ok(0) | Err(_) => return total,
                Ok(read) => total += read,
            }
        }
    })
}

/// A folder for the files of a test, removed with what is in it.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("net-{}-{number}", process::id()));
        std::fs::create_dir(&folder).unwrap();
        Folder(folder)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
