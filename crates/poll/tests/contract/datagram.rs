//! Datagram sockets.

use std::io::{ErrorKind, Result};
use std::net::UdpSocket;

use poll::{Backend, Interest, Mode, Readiness, Source};

use crate::util::*;

/// Two UDP sockets that are connected to each other and do not block.
fn udp_pair() -> (UdpSocket, UdpSocket) {
    let [a, b] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").expect("a port"));
    for (one, other) in [(&a, &b), (&b, &a)] {
        one.connect(other.local_addr().expect("an address")).expect("connected");
        one.set_nonblocking(true).expect("non-blocking");
    }
    (a, b)
}

/// Each datagram is something to read, an empty one too, until it was received.
fn check_arrivals<S: Source>(
    backend: Backend,
    near: &S,
    send: impl Fn(&[u8]) -> Result<usize>,
    receive: impl Fn() -> Result<usize>,
) {
    let mut selector = selector(backend);
    for mode in modes(&selector) {
        let key = selector.register_with(near, Interest::READ, mode, ()).expect("registered");
        assert_quiet(&mut selector);
        for datagram in [&b"hello"[..], b"", b"again"] {
            assert_eq!(send(datagram).expect("sent"), datagram.len());
            assert_eq!(wait_for(&mut selector, key), Readiness::READ, "{mode:?}");
            assert_eq!(receive().expect("a datagram"), datagram.len());
            let empty = receive().map_err(|error| error.kind());
            assert_eq!(empty, Err(ErrorKind::WouldBlock));
            if mode == Mode::OneShot {
                selector.modify(key, Interest::READ).expect("armed");
            }
            assert_quiet(&mut selector);
        }
        selector.unregister(key).expect("registered");
    }
}

/// There is always room to send; what arrived is told with it, or alone, as was asked.
fn check_directions<S: Source>(backend: Backend, near: &S, send: impl Fn(&[u8]) -> Result<usize>) {
    let mut selector = selector(backend);
    let key = selector.register(near, Interest::READ | Interest::WRITE, ()).expect("registered");
    assert_eq!(wait_for(&mut selector, key), Readiness::WRITE);
    send(b"hello").expect("sent");
    settle(near, Interest::READ);
    assert_eq!(wait_for(&mut selector, key), Readiness::READ | Readiness::WRITE);
    selector.modify(key, Interest::WRITE).expect("modified");
    assert_eq!(wait_for(&mut selector, key), Readiness::WRITE);
    selector.modify(key, Interest::READ).expect("modified");
    assert_eq!(wait_for(&mut selector, key), Readiness::READ);
    selector.unregister(key).expect("registered");
    assert_quiet(&mut selector);
}

#[test]
fn each_udp_datagram_is_something_to_read() {
    on_every_backend(|backend| {
        let (near, far) = udp_pair();
        check_arrivals(backend, &near, |bytes| far.send(bytes), || near.recv(&mut [0; 16]));
    });
}

#[test]
fn udp_sockets_are_told_what_they_asked_for() {
    on_every_backend(|backend| {
        let (near, far) = udp_pair();
        check_directions(backend, &near, |bytes| far.send(bytes));
    });
}

#[test]
fn a_connected_udp_socket_does_not_hear_strangers() {
    on_every_backend(|backend| {
        let (near, far) = udp_pair();
        let stranger = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let mut selector = selector(backend);
        let key = selector.register(&near, Interest::READ, ()).expect("registered");
        stranger.send_to(b"hello", near.local_addr().expect("an address")).expect("sent");
        assert_quiet(&mut selector);
        far.send(b"hello").expect("sent");
        assert_eq!(wait_for(&mut selector, key), Readiness::READ);
        near.recv(&mut [0; 16]).expect("a datagram");

        let address = stranger.local_addr().expect("an address");
        near.connect(address).expect("connected anew, while it is registered");
        stranger.send_to(b"hello", near.local_addr().expect("an address")).expect("sent");
        assert_eq!(wait_for(&mut selector, key), Readiness::READ);
    });
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::net::Shutdown;
    use std::os::unix::net::UnixDatagram;

    fn unix_pair() -> (UnixDatagram, UnixDatagram) {
        let (a, b) = UnixDatagram::pair().expect("a socket pair");
        a.set_nonblocking(true).expect("non-blocking");
        b.set_nonblocking(true).expect("non-blocking");
        (a, b)
    }

    #[test]
    fn each_unix_datagram_is_something_to_read() {
        on_every_backend(|backend| {
            let (near, far) = unix_pair();
            check_arrivals(backend, &near, |bytes| far.send(bytes), || near.recv(&mut [0; 16]));
        });
    }

    #[test]
    fn unix_datagram_sockets_are_told_what_they_asked_for() {
        on_every_backend(|backend| {
            let (near, far) = unix_pair();
            check_directions(backend, &near, |bytes| far.send(bytes));
        });
    }

    #[test]
    fn a_shut_down_datagram_socket_has_an_end_to_read() {
        on_every_backend(|backend| {
            let (near, _far) = unix_pair();
            let mut selector = selector(backend);
            let key = selector.register(&near, Interest::READ, ()).expect("registered");
            assert_quiet(&mut selector);
            near.shutdown(Shutdown::Read).expect("shut down");
            assert!(wait_for(&mut selector, key).is_readable());
            near.shutdown(Shutdown::Both).expect("shut down");
            selector.modify(key, Interest::READ | Interest::WRITE).expect("modified");
            let seen = wait_for(&mut selector, key);
            assert!(seen.contains(Readiness::READ | Readiness::WRITE), "{seen:?}");
        });
    }
}
