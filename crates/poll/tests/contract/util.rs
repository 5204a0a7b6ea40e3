//! What the tests share: one function for each thing outside the selector.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
#[cfg(unix)]
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use poll::{Backend, Event, Events, Interest, Key, Mode, Readiness, Selector, Source};
#[cfg(unix)]
use rustix::event::{PollFd, PollFlags, Timespec};

/// The longest that anything which must come may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// How long nothing has to happen before it is believed that nothing will.
pub(crate) const QUIET: Duration = Duration::from_millis(15);

/// Runs a check on every backend of this machine and names the one that failed.
pub(crate) fn on_every_backend(check: impl Fn(Backend)) {
    struct Named(Backend);
    impl Drop for Named {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("failed on the backend {}", self.0);
            }
        }
    }
    for &backend in Backend::available() {
        let _named = Named(backend);
        check(backend);
    }
}

pub(crate) fn selector<S: Source, D>(backend: Backend) -> Selector<S, D> {
    let selector = Selector::with_backend(backend).expect("a selector");
    assert_eq!(selector.backend(), backend);
    selector
}

/// A stream for tests that do not care which: where there are Unix sockets, what one end writes has
/// arrived at the other when the write returns.
#[cfg(unix)]
pub(crate) type Stream = std::os::unix::net::UnixStream;
#[cfg(windows)]
pub(crate) type Stream = TcpStream;

/// Two connected streams that do not block.
#[cfg(unix)]
pub(crate) fn pair() -> (Stream, Stream) {
    let (a, b) = Stream::pair().expect("a socket pair");
    a.set_nonblocking(true).expect("non-blocking");
    b.set_nonblocking(true).expect("non-blocking");
    (a, b)
}

/// Two connected streams that do not block.
#[cfg(windows)]
pub(crate) fn pair() -> (Stream, Stream) {
    tcp_pair()
}

/// Two connected TCP sockets that do not block.
pub(crate) fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let a = TcpStream::connect(listener.local_addr().expect("an address")).expect("connect");
    let (b, _) = listener.accept().expect("accept");
    for stream in [&a, &b] {
        stream.set_nonblocking(true).expect("non-blocking");
        stream.set_nodelay(true).expect("no delay");
    }
    (a, b)
}

/// Returns when `socket` is ready for `interest`, which the system brings about in its own time.
pub(crate) fn settle<S: Source>(socket: S, interest: Interest) {
    let mut selector = Selector::new().expect("a selector");
    let key = selector.register(socket, interest, ()).expect("registered");
    wait_for(&mut selector, key);
}

/// Whether a backend tells hangups and errors apart from readiness.
pub(crate) fn tells_of_hangups(backend: Backend) -> bool {
    match backend {
        Backend::Epoll | Backend::Poll => true,
        Backend::Native => cfg!(any(target_os = "linux", target_os = "android")),
        Backend::Select => false,
    }
}

/// The modes that `selector` has.
pub(crate) fn modes<S: Source, D>(
    selector: &Selector<S, D>,
) -> impl Iterator<Item = Mode> + use<S, D> {
    let has_edge = selector.supports(Mode::Edge);
    [Mode::Level, Mode::OneShot, Mode::Edge].into_iter().take(2 + usize::from(has_edge))
}

/// Sends TCP's urgent byte, and returns when it has arrived at `to`.
#[cfg(unix)]
pub(crate) fn send_urgent(from: &TcpStream, to: &TcpStream) {
    socket2::SockRef::from(from).send_out_of_band(b"!").expect("an urgent byte");
    arrive(to, PollFlags::PRI);
}

/// Returns when `flags` have come up at `socket`, which the system does in its own time.
#[cfg(unix)]
pub(crate) fn arrive(socket: impl AsFd, flags: PollFlags) {
    let mut fds = [PollFd::new(&socket, flags)];
    let patience = Timespec::try_from(PATIENCE).expect("a timespec");
    assert_eq!(rustix::event::poll(&mut fds, Some(&patience)), Ok(1), "never came: {flags:?}");
}

pub(crate) fn send(mut stream: impl Write, bytes: &[u8]) {
    stream.write_all(bytes).expect("a write");
}

/// Reads until nothing is left, and returns how much there was. A far end that left with bytes
/// unread resets the connection.
pub(crate) fn drain(mut stream: impl Read) -> usize {
    let mut buffer = [0; 65536];
    let mut total = 0;
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return total,
            Ok(count) => total += count,
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::ConnectionReset => return total,
                _ => panic!("cannot read: {error}"),
            },
        }
    }
}

/// Writes until nothing more fits.
pub(crate) fn fill(mut stream: impl Write) {
    loop {
        match stream.write(&[0; 65536]) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) => panic!("cannot write: {error}"),
        }
    }
}

/// The events that are there now.
pub(crate) fn look<S: Source, D>(selector: &mut Selector<S, D>) -> Vec<Event> {
    let mut events = Events::new();
    let count = selector.select(&mut events, Some(Duration::ZERO)).expect("a look");
    assert_eq!(count, events.len());
    check(&events)
}

/// The events of a wait that has to bring some.
pub(crate) fn wait<S: Source, D>(selector: &mut Selector<S, D>) -> Vec<Event> {
    let mut events = Events::new();
    selector.select(&mut events, Some(PATIENCE)).expect("a wait");
    assert!(!events.is_empty(), "nothing came");
    check(&events)
}

/// What the only event of a wait says about `key`.
pub(crate) fn wait_for<S: Source, D>(selector: &mut Selector<S, D>, key: Key) -> Readiness {
    match wait(selector)[..] {
        [event] if event.key == key => event.readiness,
        ref other => panic!("expected {key:?} alone: {other:?}"),
    }
}

/// Nothing comes for a while, and the wait sleeps through that while instead of spinning.
pub(crate) fn assert_quiet<S: Source, D>(selector: &mut Selector<S, D>) {
    let (before, start) = (selector.counters(), Instant::now());
    let mut events = Events::new();
    let count = selector.select(&mut events, Some(QUIET)).expect("a wait");
    assert_eq!(count, 0, "{events:?}");
    assert!(start.elapsed() >= QUIET, "returned early: {:?}", start.elapsed());
    let calls = selector.counters().waits - before.waits;
    assert!(calls <= 4, "{calls} system calls for nothing");
}

#[cfg(unix)]
pub(crate) fn kind<T>(result: std::io::Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

/// No event without a flag, and none twice.
fn check(events: &Events) -> Vec<Event> {
    let list: Vec<Event> = events.iter().collect();
    for (index, event) in list.iter().enumerate() {
        assert!(!event.readiness.is_empty(), "no flag in {event:?}");
        assert!(list[..index].iter().all(|earlier| earlier.key != event.key), "{list:?}");
    }
    list
}
