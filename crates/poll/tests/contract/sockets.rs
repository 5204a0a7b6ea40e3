//! What connections go through: made, refused, reset, shut down.

use std::io::{ErrorKind, Read};
#[cfg(unix)]
use std::net::Shutdown;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use poll::{Backend, Interest, Mode, Readiness, Source};
use socket2::{Domain, SockRef, Socket, Type};

use crate::util::*;

/// A listener that does not block, and its address.
fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("non-blocking");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

/// A socket that is on its way to `address`, or there; and whether the system is at it still.
fn connecting(address: SocketAddr) -> (Socket, bool) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_nonblocking(true).expect("non-blocking");
    let is_underway = socket.connect(&address.into()).is_err();
    (socket, is_underway)
}

#[test]
fn a_connection_is_writable_when_it_is_made() {
    on_every_backend(|backend| {
        let (listener, address) = listener();
        let (socket, _) = connecting(address);
        let mut selector = selector(backend);
        let both = Interest::READ | Interest::WRITE;
        let key = selector.register(&socket, both, ()).expect("registered");
        assert_eq!(wait_for(&mut selector, key), Readiness::WRITE);
        assert!(socket.take_error().expect("the state").is_none());
        socket.peer_addr().expect("connected");

        settle(&listener, Interest::READ);
        drop(listener.accept().expect("the other end"));
        selector.modify(key, Interest::READ).expect("modified");
        assert!(wait_for(&mut selector, key).is_readable(), "the other end closed");
    });
}

#[test]
fn a_failed_connection_raises_what_was_asked_for() {
    on_every_backend(|backend| {
        let (closed, address) = listener();
        drop(closed);
        let (socket, is_underway) = connecting(address);
        assert!(is_underway, "connected to a closed port");
        let mut selector = selector(backend);
        let key = selector.register(&socket, Interest::WRITE, ()).expect("registered");
        let seen = wait_for(&mut selector, key);
        assert!(seen.is_writable() && !seen.is_readable(), "{seen:?}");
        assert!(seen.is_error() || seen.is_hangup() || !tells_of_hangups(backend), "{seen:?}");
    });
}

/// Each connection is something to read until it was accepted, in every mode.
fn check_connections<S: Source>(
    backend: Backend,
    listener: &S,
    connect: impl Fn(),
    accept: impl Fn() -> std::io::Result<()>,
) {
    let mut selector = selector(backend);
    for mode in modes(&selector) {
        let key = selector.register_with(listener, Interest::READ, mode, ()).expect("registered");
        for _ in 0..3 {
            assert_quiet(&mut selector);
            connect();
            assert_eq!(wait_for(&mut selector, key), Readiness::READ, "{mode:?}");
            accept().expect("a connection");
            let empty = accept().map_err(|error| error.kind());
            assert_eq!(empty, Err(ErrorKind::WouldBlock));
            if mode == Mode::OneShot {
                selector.modify(key, Interest::READ).expect("armed");
            }
        }
        selector.unregister(key).expect("registered");
    }
}

#[test]
fn a_listener_is_readable_for_each_connection() {
    on_every_backend(|backend| {
        let (listener, address) = listener();
        let connect = || drop(TcpStream::connect(address).expect("connect"));
        check_connections(backend, &listener, connect, || listener.accept().map(drop));
    });
}

/// What is there already counts as soon as it is asked for, and not before.
fn check_changes<S: Source>(backend: Backend, listener: &S, connect: impl Fn()) {
    let mut selector = selector(backend);
    let key = selector.register(listener, Interest::READ, ()).expect("registered");
    assert!(look(&mut selector).is_empty());
    selector.modify(key, Interest::READ).expect("modified after it was waited for");
    connect();
    assert_eq!(wait_for(&mut selector, key), Readiness::READ);
    selector.modify(key, Interest::WRITE).expect("modified");
    assert_quiet(&mut selector);
    selector.modify(key, Interest::READ).expect("modified");
    assert_eq!(wait_for(&mut selector, key), Readiness::READ);
    selector.unregister(key).expect("registered");
    assert_quiet(&mut selector);
    let key = selector.register(listener, Interest::READ, ()).expect("registered anew");
    assert_eq!(wait_for(&mut selector, key), Readiness::READ);
}

#[test]
fn a_connection_that_waits_is_reported_to_whom_asks() {
    on_every_backend(|backend| {
        let (listener, address) = listener();
        check_changes(backend, &listener, || drop(TcpStream::connect(address).expect("connect")));
        listener.accept().expect("unregistering took nothing");
    });
}

#[cfg(target_os = "linux")]
#[test]
fn unix_listeners_are_as_others() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
    on_every_backend(|backend| {
        let name = format!("poll contract {} {backend}", std::process::id());
        let address = SocketAddr::from_abstract_name(name).expect("an address");
        let listener = UnixListener::bind_addr(&address).expect("bound");
        listener.set_nonblocking(true).expect("non-blocking");
        let connect = || drop(UnixStream::connect_addr(&address).expect("connect"));
        let accept = || listener.accept().map(drop);
        check_connections(backend, &listener, connect, accept);
        check_changes(backend, &listener, connect);
        accept().expect("unregistering took nothing");
    });
}

#[test]
fn a_closed_listener_says_no_more() {
    on_every_backend(|backend| {
        let (listener, address) = listener();
        let mut selector = selector(backend);
        let key = selector.register(listener, Interest::READ, ()).expect("registered");
        let _client = TcpStream::connect(address).expect("connect");
        drop(selector.discard(key).expect("registered"));
        assert_quiet(&mut selector);
        assert_eq!(selector.counters().stale, 0);
    });
}

#[test]
fn a_reset_is_told_to_reader_and_writer() {
    on_every_backend(|backend| {
        for (interest, expected) in [
            (Interest::READ, Readiness::READ),
            (Interest::READ | Interest::WRITE, Readiness::READ | Readiness::WRITE),
        ] {
            let (near, far) = tcp_pair();
            send(&near, b"nobody reads this");
            SockRef::from(&far).set_linger(Some(Duration::ZERO)).expect("closes with a reset");
            drop(far);
            settle(&near, Interest::READ);
            let mut selector = selector(backend);
            let key = selector.register(&near, interest, ()).expect("registered");
            let seen = wait_for(&mut selector, key);
            assert!(seen.contains(expected), "{seen:?}");
            assert!(seen.is_error() || !tells_of_hangups(backend), "{seen:?}");
            let end = (&near).read(&mut [0; 8]).map_err(|error| error.kind());
            let is_told = end == Err(ErrorKind::ConnectionReset);
            assert!(is_told || cfg!(windows) && end == Ok(0), "{end:?}");
        }
    });
}

#[test]
fn bytes_before_the_end_are_there_with_it() {
    on_every_backend(|backend| {
        let (near, far) = tcp_pair();
        let mut selector = selector(backend);
        let key = selector.register(&near, Interest::READ, ()).expect("registered");
        send(&far, b"last words");
        drop(far);
        let mut words: Vec<u8> = Vec::new();
        while words.len() < 10 {
            assert!(wait_for(&mut selector, key).is_readable());
            let mut buffer = [0; 4];
            let count = (&near).read(&mut buffer).expect("bytes");
            words.extend(&buffer[..count]);
        }
        assert_eq!(words, b"last words");
        assert!(wait_for(&mut selector, key).is_readable(), "the end is something to read");
        assert_eq!((&near).read(&mut [0; 4]).expect("the end"), 0);
    });
}

/// Windows does not tell a socket of its own shutdown.
#[cfg(unix)]
#[test]
fn ones_own_shutdown_ends_reading() {
    fn check<S: Source>(backend: Backend, near: &S, shutdown: impl Fn(Shutdown)) {
        let both = Interest::READ | Interest::WRITE;
        let mut selector = selector(backend);
        let key = selector.register(near, both, ()).expect("registered");
        assert_eq!(wait_for(&mut selector, key), Readiness::WRITE);
        shutdown(Shutdown::Read);
        let seen = wait_for(&mut selector, key);
        assert!(seen.contains(Readiness::READ | Readiness::WRITE) && !seen.is_hangup(), "{seen:?}");
        shutdown(Shutdown::Both);
        let seen = wait_for(&mut selector, key);
        assert!(seen.contains(Readiness::READ | Readiness::WRITE), "{seen:?}");
        let is_told = seen.is_hangup() || !cfg!(target_os = "linux");
        assert!(is_told || !tells_of_hangups(backend), "{seen:?}");
    }
    on_every_backend(|backend| {
        let (near, _far) = tcp_pair();
        check(backend, &near, |how| near.shutdown(how).expect("shut down"));
        let (near, _far) = pair();
        check(backend, &near, |how| near.shutdown(how).expect("shut down"));
    });
}

#[test]
fn ones_own_end_of_writing_is_nothing_to_read() {
    on_every_backend(|backend| {
        let (near, far) = tcp_pair();
        let mut selector = selector(backend);
        let key = selector.register(&near, Interest::READ, ()).expect("registered");
        near.shutdown(std::net::Shutdown::Write).expect("shut down");
        assert_quiet(&mut selector);
        send(&far, b"an answer");
        assert_eq!(wait_for(&mut selector, key), Readiness::READ);
        assert_eq!(drain(&near), 9);
    });
}

#[test]
fn peeking_takes_nothing() {
    on_every_backend(|backend| {
        for mode in modes(&selector::<&TcpStream, ()>(backend)) {
            let (near, far) = tcp_pair();
            let mut selector = selector(backend);
            let key = selector.register_with(&near, Interest::READ, mode, ()).expect("registered");
            let empty = near.peek(&mut [0; 8]).map_err(|error| error.kind());
            assert_eq!(empty, Err(ErrorKind::WouldBlock));
            for _ in 0..2 {
                send(&far, b"x");
                assert_eq!(wait_for(&mut selector, key), Readiness::READ, "{mode:?}");
                assert!(near.peek(&mut [0; 8]).expect("bytes") > 0);
                selector.modify(key, Interest::READ).expect("armed");
                assert_eq!(wait_for(&mut selector, key), Readiness::READ, "{mode:?}: still there");
                assert_eq!(drain(&near), 1);
                selector.modify(key, Interest::READ).expect("armed");
                assert_quiet(&mut selector);
            }
        }
    });
}

#[test]
fn an_unregistered_stream_is_silent_and_whole() {
    on_every_backend(|backend| {
        let (near, far) = tcp_pair();
        let mut selector = selector(backend);
        let near_key = selector.register(&near, Interest::READ, ()).expect("registered");
        let far_key = selector.register(&far, Interest::WRITE, ()).expect("registered");
        assert_eq!(wait_for(&mut selector, far_key), Readiness::WRITE);
        send(&far, b"before");
        selector.unregister(far_key).expect("registered");
        assert_eq!(wait_for(&mut selector, near_key), Readiness::READ);
        selector.unregister(near_key).expect("registered");
        assert_quiet(&mut selector);
        assert_eq!(drain(&near), 6);
        send(&far, b"after");
        assert_quiet(&mut selector);
        settle(&near, Interest::READ);
        assert_eq!(drain(&near), 5);
    });
}
