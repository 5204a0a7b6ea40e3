//! Connecting to whichever of several addresses answers first, over every backend of this machine.
#![cfg(unix)]

mod socket_util;

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener as PlainListener};
use std::time::Duration;

use net::{CONNECT_ATTEMPTS, ConnectError, EventLoop, TcpListener, TcpStream, stats};
use socket_util::{any_port, on_every_backend};
use socket2::{Domain, Socket, Type};

/// An address that refuses: it is bound, so that nobody else has the port, and does not listen.
struct Closed(Socket);

impl Closed {
    fn new() -> Closed {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&any_port().into()).unwrap();
        Closed(socket)
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap().as_socket().unwrap()
    }
}

/// An address that does not answer: its backlog is full, and the kernel drops what asks for more.
struct Dead {
    listener: Socket,
    _backlog: Vec<Socket>,
}

impl Dead {
    /// Nothing where the kernel answers all the same.
    fn new() -> Option<Dead> {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.bind(&any_port().into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let backlog = (0..8)
            .map(|_| {
                let client = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
                client.set_nonblocking(true).unwrap();
                let _ = client.connect(&address);
                client
            })
            .collect();
        let dead = Dead { listener, _backlog: backlog };
        let brief = Duration::from_millis(20);
        let answer = std::net::TcpStream::connect_timeout(&dead.address(), brief);
        if answer.is_err_and(|error| error.kind() == ErrorKind::TimedOut) {
            return Some(dead);
        }
        println!("SKIPPED: a full backlog answers here");
        None
    }

    fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap().as_socket().unwrap()
    }
}

/// Connects to `addresses`, and says which one it was.
async fn connected(addresses: &[SocketAddr]) -> SocketAddr {
    TcpStream::connect_any(addresses).await.unwrap().peer_addr().unwrap()
}

/// One timer is that of the test itself.
fn nothing_is_left() {
    assert_eq!((stats().socket_waits, stats().timers), (0, 1));
}

#[test]
fn the_first_address_is_taken_when_it_answers() {
    on_every_backend(|| async {
        let listeners = [(); 2].map(|()| TcpListener::bind(any_port()).unwrap());
        let addresses = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
        assert_eq!(connected(&addresses).await, addresses[0]);
        assert_eq!(connected(&addresses[1..]).await, addresses[1]);
        nothing_is_left();
    });
}

#[test]
fn addresses_that_refuse_are_passed_over_at_once() {
    on_every_backend(|| async {
        let listener = TcpListener::bind(any_port()).unwrap();
        let address = listener.local_addr().unwrap();
        let closed = Closed::new();
        // More than could be waited for one delay after the other.
        let mut addresses = vec![closed.address(); 200];
        addresses.push(address);
        assert_eq!(connected(&addresses).await, address);
        nothing_is_left();
    });
}

/// The kernel would try the dead ones for minutes.
#[test]
fn dead_addresses_cost_no_more_than_their_delay() {
    let Some(dead) = Dead::new() else { return };
    let dead = dead.address();
    on_every_backend(move || async move {
        let listener = TcpListener::bind(any_port()).unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(connected(&[dead, address]).await, address);
        assert_eq!(connected(&[dead, dead, address]).await, address);
        nothing_is_left();
    });
}

#[test]
fn a_failure_among_dead_addresses_makes_the_next_attempt_begin() {
    let Some(dead) = Dead::new() else { return };
    let dead = dead.address();
    on_every_backend(move || async move {
        let listener = TcpListener::bind(any_port()).unwrap();
        let address = listener.local_addr().unwrap();
        let closed = Closed::new();
        let addresses = [dead, closed.address(), closed.address(), address];
        assert_eq!(connected(&addresses).await, address);
        nothing_is_left();
    });
}

#[test]
fn an_address_that_comes_to_life_wins() {
    let Some(dead) = Dead::new() else { return };
    let event_loop = EventLoop::new().unwrap();
    socket_util::within_limit(&event_loop, async move {
        let (address, again) = (dead.address(), dead.address());
        let connecting = net::spawn(async move { connected(&[address, again]).await });
        // Two attempts, and nothing else to try.
        while stats().socket_waits < 2 {
            net::sleep(Duration::from_millis(1)).await;
        }
        while !connecting.is_finished() {
            dead.listener.set_nonblocking(true).unwrap();
            let _ = dead.listener.accept();
            net::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(connecting.await.unwrap(), address);
        nothing_is_left();
    });
}

#[test]
fn dropping_the_future_drops_every_attempt() {
    let Some(dead) = Dead::new() else { return };
    let dead = dead.address();
    on_every_backend(move || async move {
        let connecting = net::spawn(async move { connected(&[dead; 3]).await });
        while stats().socket_waits < 2 {
            net::sleep(Duration::from_millis(1)).await;
        }
        assert!(connecting.cancel());
        nothing_is_left();
    });
}

#[test]
fn no_more_attempts_go_on_at_once_than_the_limit() {
    let Some(dead) = Dead::new() else { return };
    let (event_loop, dead) = (EventLoop::new().unwrap(), dead.address());
    socket_util::within_limit(&event_loop, async move {
        let many = vec![dead; 2 * CONNECT_ATTEMPTS];
        let connecting = net::spawn(async move { connected(&many).await });
        // The last one begins when its timer has fired, and sets none.
        while stats().socket_waits < CONNECT_ATTEMPTS {
            net::sleep(Duration::from_millis(10)).await;
        }
        net::sleep(2 * net::CONNECT_DELAY).await;
        assert_eq!(stats().socket_waits, CONNECT_ATTEMPTS);
        assert!(!connecting.is_finished());
    });
}

#[test]
fn when_all_fail_the_error_names_them_all() {
    on_every_backend(|| async {
        let closed = [Closed::new(), Closed::new()];
        let addresses = closed.each_ref().map(Closed::address);
        let error = TcpStream::connect_any(&addresses).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let said = error.to_string();
        assert!(said.starts_with(&format!("cannot connect to {}: ", addresses[0])), "{said}");
        assert!(said.contains(&format!("; to {}: ", addresses[1])), "{said}");
        let failed: &ConnectError = error.get_ref().unwrap().downcast_ref().unwrap();
        let tried: Vec<_> = failed.failures().iter().map(|(address, _)| *address).collect();
        assert_eq!(tried, addresses);
        assert!(failed.failures().iter().all(|(_, e)| e.kind() == ErrorKind::ConnectionRefused));
        nothing_is_left();
    });
}

#[test]
fn a_refusal_says_more_than_the_lack_of_a_way() {
    on_every_backend(|| async {
        let closed = Closed::new();
        // From a loopback address there is no way to the broadcast address.
        let nowhere = SocketAddr::from((Ipv4Addr::BROADCAST, 9));
        let alone = TcpStream::connect_any(&[nowhere]).await.unwrap_err();
        assert_ne!(alone.kind(), ErrorKind::ConnectionRefused);
        let error = TcpStream::connect_any(&[nowhere, closed.address()]).await.unwrap_err();
        if alone.kind() == ErrorKind::NetworkUnreachable {
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        }
        assert!(error.to_string().contains("255.255.255.255:9"), "{error}");
    });
}

#[test]
fn without_an_address_there_is_nothing_to_connect_to() {
    on_every_backend(|| async {
        let error = TcpStream::connect_any(&[]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(error.to_string(), "cannot connect: there is no address");
    });
}

#[test]
fn outside_a_loop_nothing_is_tried() {
    let attempt = TcpStream::connect_any(&[]);
    let error = futures_lite::future::block_on(attempt).unwrap_err();
    assert!(error.get_ref().unwrap().is::<net::NoLoop>());
}

#[test]
fn both_families_are_tried() {
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
    let Ok(held) = PlainListener::bind(v6) else {
        println!("SKIPPED: no IPv6 loopback here");
        return;
    };
    drop(held);
    on_every_backend(move || async move {
        let listeners = [any_port(), v6].map(|address| TcpListener::bind(address).unwrap());
        let [v4, v6] = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
        let closed = Closed::new().address();
        assert_eq!(connected(&[closed, v6]).await, v6);
        assert_eq!(connected(&[v6, v4]).await, v6);
        assert_eq!(connected(&[closed, v4, v6]).await, v6, "the families take turns");
        nothing_is_left();
    });
}
