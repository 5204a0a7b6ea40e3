//! UDP sockets, over every backend of this machine.
#![cfg(unix)]

mod socket_util;

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket as Plain};
use std::rc::Rc;
use std::time::Duration;

use futures_lite::future::block_on;
use futures_util::stream::{FuturesUnordered, StreamExt};
use generator::Gen;
use net::{AlreadyWaiting, Ask, Direction, EventLoop, NoLoop, Received, UdpSocket, WrongLoop};
use rustix::io::Errno;
use socket_util::{FEW_TURNS, any_port, on_every_backend, turns_within, within_limit};
use socket2::{Domain, SockRef, Socket, Type};

fn whole(length: usize) -> Received {
    Received { length, truncated: false }
}

fn cut(length: usize) -> Received {
    Received { length, truncated: true }
}

fn socket() -> UdpSocket {
    UdpSocket::bind(any_port()).unwrap()
}

/// A socket of the loop, and a plain one whose datagrams it receives.
fn with_plain() -> (UdpSocket, Plain) {
    let (socket, plain) = (socket(), Plain::bind(any_port()).unwrap());
    plain.connect(socket.local_addr().unwrap()).unwrap();
    plain.set_read_timeout(Some(socket_util::LIMIT)).unwrap();
    (socket, plain)
}

/// Two sockets connected to each other.
fn pair() -> (UdpSocket, UdpSocket) {
    let (near, far) = (socket(), socket());
    near.connect(&far.local_addr().unwrap()).unwrap();
    far.connect(&near.local_addr().unwrap()).unwrap();
    (near, far)
}

/// A socket that is connected to where nobody receives, and what keeps that port: a socket that
/// takes datagrams from itself alone.
fn to_nobody() -> (UdpSocket, Plain) {
    let held = Plain::bind(any_port()).unwrap();
    let address = held.local_addr().unwrap();
    held.connect(address).unwrap();
    let socket = socket();
    socket.connect(&address).unwrap();
    (socket, held)
}

#[track_caller]
fn cause<E: std::error::Error + 'static>(error: &io::Error) -> &E {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    cause.unwrap_or_else(|| panic!("another cause: {error:?}"))
}

async fn question_and_answer(address: SocketAddr) {
    let (server, client) = (UdpSocket::bind(address).unwrap(), UdpSocket::bind(address).unwrap());
    let (asked, asker) = (server.local_addr().unwrap(), client.local_addr().unwrap());
    assert_ne!(asked.port(), 0);
    assert_eq!(client.send_to(b"question", &asked).await.unwrap(), 8);
    let mut buffer = [0; 16];
    assert_eq!(server.recv_from(&mut buffer).await.unwrap(), (whole(8), asker));
    assert_eq!(&buffer[..8], b"question");
    client.connect(&asked).unwrap();
    assert_eq!(client.peer_addr().unwrap(), asked);
    assert_eq!(server.send_to(b"answer", &asker).await.unwrap(), 6);
    assert_eq!(client.recv(&mut buffer).await.unwrap(), whole(6));
    assert_eq!(client.send(b"thanks").await.unwrap(), 6);
    assert_eq!(server.recv_from(&mut buffer).await.unwrap(), (whole(6), asker));
}

#[test]
fn datagrams_say_who_sent_them() {
    on_every_backend(|| question_and_answer(any_port()));
}

#[test]
fn ipv6_works_as_ipv4_does() {
    let address = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
    if Plain::bind(address).is_err() {
        println!("SKIPPED: no IPv6 loopback here");
        return;
    }
    on_every_backend(move || question_and_answer(address));
}

#[test]
fn a_socket_that_is_not_connected_has_no_peer_and_sends_nowhere() {
    on_every_backend(|| async {
        let socket = socket();
        assert_eq!(socket.peer_addr().unwrap_err().kind(), ErrorKind::NotConnected);
        let error = socket.send(b"where to?").await.unwrap_err();
        assert_eq!(Errno::from_io_error(&error), Some(Errno::DESTADDRREQ), "{error}");
    });
}

#[test]
fn a_datagram_without_bytes_is_a_datagram() {
    on_every_backend(|| async {
        let (near, far) = pair();
        let near_address = near.local_addr().unwrap();
        let mut buffer = [7; 4];
        for bytes in [&b""[..], b"1", b""] {
            assert_eq!(near.send(bytes).await.unwrap(), bytes.len());
        }
        assert_eq!(far.peek_from(&mut buffer).await.unwrap(), (whole(0), near_address));
        assert_eq!(far.recv(&mut buffer).await.unwrap(), whole(0));
        assert_eq!(far.recv_from(&mut buffer).await.unwrap(), (whole(1), near_address));
        assert_eq!(far.recv(&mut []).await.unwrap(), whole(0));
        assert_eq!(far.try_recv(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn what_does_not_fit_is_told_and_lost_and_the_next_is_whole() {
    on_every_backend(|| async {
        let (near, far) = pair();
        let from = near.local_addr().unwrap();
        for bytes in [&b"too long"[..], b"long", b"too long", b"too long", b"last"] {
            near.send(bytes).await.unwrap();
        }
        let mut buffer = [0; 4];
        assert_eq!(far.recv(&mut buffer).await.unwrap(), cut(4));
        assert_eq!(&buffer, b"too ");
        assert_eq!(far.recv(&mut buffer).await.unwrap(), whole(4));
        assert_eq!(&buffer, b"long");
        assert_eq!(far.peek_from(&mut buffer).await.unwrap(), (cut(4), from));
        assert_eq!(far.try_recv_from(&mut buffer).unwrap(), (cut(4), from));
        assert_eq!(far.recv(&mut []).await.unwrap(), cut(0));
        assert_eq!(far.recv_from(&mut buffer).await.unwrap(), (whole(4), from));
        assert_eq!(&buffer, b"last");
    });
}

#[test]
fn what_is_peeked_at_stays() {
    on_every_backend(|| async {
        let (socket, plain) = with_plain();
        let from = plain.local_addr().unwrap();
        plain.send(b"here").unwrap();
        let mut buffer = [0; 8];
        for _ in 0..3 {
            buffer.fill(0);
            assert_eq!(socket.peek_from(&mut buffer).await.unwrap(), (whole(4), from));
            assert_eq!(&buffer[..4], b"here");
        }
        assert_eq!(socket.recv_from(&mut buffer).await.unwrap(), (whole(4), from));
        let waits = net::timeout(Duration::from_millis(5), socket.peek_from(&mut buffer)).await;
        assert!(waits.is_err(), "there is nothing left to see");
    });
}

#[test]
fn several_datagrams_behind_one_event_all_come_and_others_have_their_turns() {
    // Fewer than the kernel keeps, more than a step may take.
    const DATAGRAMS: u16 = 200;
    on_every_backend(|| async {
        let (socket, plain) = with_plain();
        let turns = Rc::new(Cell::new(0));
        let count = Rc::clone(&turns);
        let neighbour = net::spawn(async move {
            loop {
                count.set(count.get() + 1);
                net::yield_now().await;
            }
        });
        for _ in 0..2 {
            (0..DATAGRAMS).for_each(|number| {
                plain.send(&number.to_ne_bytes()).unwrap();
            });
            let (mut buffer, before) = ([0; 2], turns.get());
            for number in 0..DATAGRAMS {
                assert_eq!(socket.recv(&mut buffer).await.unwrap(), whole(2));
                assert_eq!(u16::from_ne_bytes(buffer), number);
            }
            let had = turns.get() - before;
            assert!(had >= i32::from(DATAGRAMS) / net::BUDGET as i32, "{had} turns");
        }
        neighbour.cancel();
    });
}

#[test]
fn a_receiver_that_waits_is_brought_back_once_per_datagram() {
    on_every_backend(|| async {
        let (socket, plain) = with_plain();
        let receiver = net::spawn(async move {
            let mut buffer = [0; 8];
            let mut heard = Vec::new();
            while let Ok(received @ Received { length: 1.., .. }) = socket.recv(&mut buffer).await {
                heard.push(buffer[..received.length].to_vec());
            }
            heard
        });
        for bytes in [&b"one"[..], b"two", b""] {
            net::yield_now().await;
            net::sleep(Duration::from_millis(1)).await;
            plain.send(bytes).unwrap();
        }
        assert_eq!(receiver.await.unwrap(), [b"one", b"two"]);
    });
}

#[test]
fn a_connected_socket_hears_its_peer_alone() {
    on_every_backend(|| async {
        let (socket, stranger) = with_plain();
        let peer = Plain::bind(any_port()).unwrap();
        stranger.send(b"before").unwrap();
        socket.connect(&peer.local_addr().unwrap()).unwrap();
        stranger.send(b"after").unwrap();
        peer.send_to(b"peer", socket.local_addr().unwrap()).unwrap();
        let mut buffer = [0; 16];
        // What was in the queue stays there.
        let (received, from) = socket.recv_from(&mut buffer).await.unwrap();
        assert_eq!((received, from), (whole(6), stranger.local_addr().unwrap()));
        let (received, from) = socket.recv_from(&mut buffer).await.unwrap();
        assert_eq!((received, from), (whole(4), peer.local_addr().unwrap()));

        socket.connect(&stranger.local_addr().unwrap()).unwrap();
        peer.send_to(b"peer", socket.local_addr().unwrap()).unwrap();
        // It was told that nobody took its second one.
        let refused = stranger.take_error().unwrap().map(|error| error.kind());
        assert!(matches!(refused, None | Some(ErrorKind::ConnectionRefused)), "{refused:?}");
        stranger.send(b"friend").unwrap();
        assert_eq!(socket.recv(&mut buffer).await.unwrap(), whole(6));
        assert_eq!(socket.send(b"hello").await.unwrap(), 5);
        assert_eq!(stranger.recv(&mut buffer).unwrap(), 5);
    });
}

#[test]
fn a_datagram_to_nobody_refuses_the_next_receive() {
    on_every_backend(|| async {
        let (socket, _held) = to_nobody();
        assert_eq!(socket.send(b"anybody?").await.unwrap(), 8);
        let mut buffer = [0; 8];
        let error = socket.recv(&mut buffer).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{error}");
        // It was told once; the socket is as good as before.
        let plain = Plain::bind(any_port()).unwrap();
        socket.connect(&plain.local_addr().unwrap()).unwrap();
        plain.send_to(b"me", socket.local_addr().unwrap()).unwrap();
        assert_eq!(socket.recv(&mut buffer).await.unwrap(), whole(2));
    });
}

#[test]
fn a_datagram_to_nobody_refuses_a_receive_that_waits() {
    on_every_backend(|| async {
        let (socket, _held) = to_nobody();
        let socket = Rc::new(socket);
        let waits = Rc::clone(&socket);
        let receiver = net::spawn(async move { waits.recv(&mut [0; 8]).await });
        net::yield_now().await;
        socket.send(b"anybody?").await.unwrap();
        let error = receiver.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{error}");
    });
}

#[test]
fn a_datagram_to_nobody_refuses_the_next_send_or_leaves_its_error() {
    on_every_backend(|| async {
        let (socket, _held) = to_nobody();
        socket.send(b"anybody?").await.unwrap();
        let error = socket.send(b"hello?").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{error}");
        socket.send(b"anybody?").await.unwrap();
        let error = socket.take_error().unwrap().expect("the error of the datagram");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{error}");
        assert!(socket.take_error().unwrap().is_none());
        assert_eq!(socket.try_recv(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn a_refusal_that_nobody_takes_does_not_spin() {
    for backend in net::Backend::available() {
        let event_loop = EventLoop::with_backend(*backend).unwrap();
        let (socket, _held) = event_loop.enter(to_nobody);
        let task = event_loop.spawn(async move {
            socket.send(b"anybody?").await.unwrap();
            net::sleep(Duration::from_secs(60)).await;
            drop(socket);
        });
        let turns = turns_within(&event_loop, Duration::from_millis(50));
        assert!(turns <= FEW_TURNS, "{backend}: {turns} turns");
        drop(task);
    }
}

#[test]
fn the_largest_datagram_goes_and_a_longer_one_is_refused() {
    const LARGEST: usize = 65_507; // 65,535 without the headers of IP and UDP
    on_every_backend(|| async {
        let (near, far) = pair();
        let bytes: Vec<u8> = (0..=LARGEST).map(|at| (at % 251) as u8).collect();
        let error = near.send(&bytes).await.unwrap_err();
        assert_eq!(Errno::from_io_error(&error), Some(Errno::MSGSIZE), "{error}");
        let to = far.local_addr().unwrap();
        let error = near.try_send_to(&bytes, &to).unwrap_err();
        assert_eq!(Errno::from_io_error(&error), Some(Errno::MSGSIZE), "{error}");
        assert_eq!(near.send(&bytes[..LARGEST]).await.unwrap(), LARGEST);
        let mut buffer = vec![0; LARGEST];
        assert_eq!(far.recv(&mut buffer).await.unwrap(), whole(LARGEST));
        assert_eq!(buffer, bytes[..LARGEST]);
    });
}

#[test]
fn a_second_receiver_is_refused_and_both_are_named() {
    on_every_backend(|| async {
        let (socket, plain) = with_plain();
        let socket = Rc::new(socket);
        let receive = |socket: &Rc<UdpSocket>| {
            let socket = Rc::clone(socket);
            net::spawn(async move { socket.recv_from(&mut [0; 8]).await })
        };
        let (first, second) = (receive(&socket), receive(&socket));
        let (first_id, second_id) = (first.id(), second.id());
        let error = second.await.unwrap().unwrap_err();
        let expected = AlreadyWaiting {
            direction: Direction::Read,
            first: Some(first_id),
            second: Some(second_id),
        };
        assert_eq!(cause::<AlreadyWaiting>(&error), &expected);
        let error = socket.readable().await.unwrap_err();
        assert_eq!(cause::<AlreadyWaiting>(&error).first, Some(first_id));
        plain.send(b"1").unwrap();
        assert_eq!(first.await.unwrap().unwrap().0, whole(1));
    });
}

#[test]
fn one_task_receives_while_another_sends() {
    const ROUNDS: u8 = 100;
    on_every_backend(|| async {
        let (near, far) = pair();
        let (near, echo) = (Rc::new(near), net::spawn(echo(far)));
        let sender = Rc::clone(&near);
        let sent = net::spawn(async move {
            for round in 0..ROUNDS {
                sender.send(&[round]).await.unwrap();
                net::yield_now().await;
            }
        });
        let mut buffer = [0; 1];
        for round in 0..ROUNDS {
            assert_eq!(near.recv(&mut buffer).await.unwrap(), whole(1));
            assert_eq!(buffer, [round]);
        }
        sent.await.unwrap();
        echo.cancel();
    });
}

async fn echo(socket: UdpSocket) {
    let mut buffer = [0; 1];
    loop {
        let (_, from) = socket.recv_from(&mut buffer).await.unwrap();
        socket.send_to(&buffer, &from).await.unwrap();
    }
}

#[test]
fn a_generator_receives_and_sends() {
    on_every_backend(|| async {
        let (socket, plain) = with_plain();
        let task = net::spawn_generator(Gen::new(|co| async move {
            let mut buffer = [0; 16];
            for _ in 0..2 {
                let (received, from) = loop {
                    match socket.try_recv_from(&mut buffer) {
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {
                            co.yield_(Ask::read(&socket)).await?;
                        }
                        received => break received?,
                    }
                };
                co.yield_(Ask::write(&socket)).await?;
                socket.try_send_to(&buffer[..received.length], &from)?;
            }
            socket.connect(&socket.local_addr()?)?;
            socket.try_send(b"to myself")
        }));
        let mut buffer = [0; 16];
        for bytes in [&b"one"[..], b"three"] {
            net::yield_now().await;
            plain.send(bytes).unwrap();
            net::yield_now().await;
            net::sleep(Duration::from_millis(1)).await;
            assert_eq!(plain.recv(&mut buffer).unwrap(), bytes.len());
        }
        assert_eq!(task.await.unwrap().unwrap(), 9);
    });
}

#[test]
fn a_receive_that_is_dropped_while_it_waits_takes_nothing() {
    on_every_backend(|| async {
        let (socket, plain) = with_plain();
        let socket = Rc::new(socket);
        let mut buffer = [0; 8];
        let waited = net::timeout(Duration::from_millis(1), socket.recv(&mut buffer)).await;
        assert!(waited.is_err());
        let other = Rc::clone(&socket);
        let task = net::spawn(async move { other.recv(&mut [0; 8]).await });
        net::yield_now().await;
        task.cancel();
        assert_eq!(net::stats().socket_waits, 0);
        plain.send(b"mine").unwrap();
        assert_eq!(socket.recv(&mut buffer).await.unwrap(), whole(4));
    });
}

#[test]
fn many_sockets_are_received_from_at_once() {
    on_every_backend(|| async {
        let sockets: Vec<_> = (0..20).map(|_| with_plain()).collect();
        let mut receives: FuturesUnordered<_> = sockets
            .iter()
            .map(|(socket, _)| async move {
                let mut buffer = [0; 1];
                socket.recv(&mut buffer).await.map(|received| (received, buffer))
            })
            .collect();
        let nothing = net::timeout(Duration::from_millis(1), receives.next()).await;
        assert!(nothing.is_err());
        for (number, (_, plain)) in (0..20).zip(&sockets).rev() {
            plain.send(&[number]).unwrap();
            assert_eq!(receives.next().await.unwrap().unwrap(), (whole(1), [number]));
        }
    });
}

#[test]
fn readable_says_what_is_there_as_often_as_it_is_asked() {
    on_every_backend(|| async {
        let (socket, plain) = with_plain();
        plain.send(b"1").unwrap();
        plain.send(b"2").unwrap();
        let mut buffer = [0; 1];
        for _ in 0..3 {
            socket.readable().await.unwrap();
        }
        for expected in [b"1", b"2"] {
            socket.readable().await.unwrap();
            assert_eq!(socket.try_recv(&mut buffer).unwrap(), whole(1));
            assert_eq!(&buffer, expected);
        }
        assert_eq!(socket.try_recv(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert!(net::timeout(Duration::from_millis(5), socket.readable()).await.is_err());
        plain.send(b"3").unwrap();
        socket.readable().await.unwrap();
        assert_eq!(socket.try_recv(&mut buffer).unwrap(), whole(1));
    });
}

#[test]
fn a_socket_without_its_loop_says_so() {
    let event_loop = EventLoop::new().unwrap();
    let (socket, plain) = event_loop.enter(with_plain);
    let other = EventLoop::new().unwrap();
    let (socket, error) = within_limit(&other, async move {
        let error = socket.recv(&mut [0; 8]).await.unwrap_err();
        (socket, error)
    });
    assert_eq!(cause::<WrongLoop>(&error), &WrongLoop::Other);
    drop(event_loop);
    let mut buffer = [0; 8];
    let error = block_on(socket.recv_from(&mut buffer)).unwrap_err();
    assert_eq!(cause::<WrongLoop>(&error), &WrongLoop::Gone);
    // What needs no waiting works.
    plain.send(b"late").unwrap();
    assert_eq!(socket.try_recv(&mut buffer).unwrap(), whole(4));
    assert_eq!(socket.try_send_to(b"yes", &plain.local_addr().unwrap()).unwrap(), 3);
}

#[test]
fn a_socket_needs_a_loop_of_the_kernel_and_a_free_address() {
    let error = UdpSocket::bind(any_port()).unwrap_err();
    assert_eq!(cause::<NoLoop>(&error), &NoLoop);
    let (manual, _clock) = EventLoop::manual();
    let error = manual.enter(|| UdpSocket::bind(any_port())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    on_every_backend(|| async {
        let socket = socket();
        let error = UdpSocket::bind(socket.local_addr().unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        // An address of IPv6 means nothing to a socket of IPv4.
        let other = SocketAddr::from((Ipv6Addr::LOCALHOST, 9));
        assert!(socket.send_to(b"where?", &other).await.is_err());
        assert!(socket.connect(&other).is_err());
    });
}

#[test]
fn options_are_what_they_were_set_to() {
    on_every_backend(|| async {
        let socket = socket();
        assert!(!socket.broadcast().unwrap());
        socket.set_broadcast(true).unwrap();
        assert!(socket.broadcast().unwrap());
        socket.set_ttl(7).unwrap();
        assert_eq!(socket.ttl().unwrap(), 7);
        socket.set_recv_buffer_size(100_000).unwrap();
        assert!(socket.recv_buffer_size().unwrap() >= 100_000);
        socket.set_send_buffer_size(100_000).unwrap();
        assert!(socket.send_buffer_size().unwrap() >= 100_000);
        if let Ok(socket) = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0).into()) {
            socket.set_ttl(7).unwrap();
            assert_eq!(socket.ttl().unwrap(), 7);
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_broadcast_needs_its_option() {
    on_every_backend(|| async {
        let everybody = SocketAddr::from((Ipv4Addr::new(127, 255, 255, 255), 9));
        let socket = socket();
        let error = socket.send_to(b"all", &everybody).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
        socket.set_broadcast(true).unwrap();
        assert_eq!(socket.send_to(b"all", &everybody).await.unwrap(), 3);
    });
}

/// Receives what `sender` sends to `group`, and after `leave` no longer.
async fn hears_a_group(
    receiver: UdpSocket,
    sender: Socket,
    group: SocketAddr,
    leave: impl Fn(&UdpSocket) -> io::Result<()>,
) {
    let mut buffer = [0; 16];
    if let Err(error) = sender.send_to(b"to the group", &group.into()) {
        println!("SKIPPED: no multicast on the loopback here: {error}");
        return;
    }
    let heard = net::timeout(Duration::from_secs(1), receiver.recv(&mut buffer)).await;
    let Ok(heard) = heard else {
        println!("SKIPPED: the loopback carries no multicast here");
        return;
    };
    assert_eq!(heard.unwrap(), whole(12));
    leave(&receiver).unwrap();
    sender.send_to(b"to the group", &group.into()).unwrap();
    let alone = match group {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::LOCALHOST, group.port())),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::LOCALHOST, group.port())),
    };
    SockRef::from(&sender).send_to(b"to it", &alone.into()).unwrap();
    assert_eq!(receiver.recv(&mut buffer).await.unwrap(), whole(5));
}

#[test]
fn a_group_of_ipv4_is_heard_until_it_is_left() {
    on_every_backend(|| async {
        let (group, interface) = (Ipv4Addr::new(239, 255, 71, 83), Ipv4Addr::LOCALHOST);
        let receiver = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0).into()).unwrap();
        let to = (group, receiver.local_addr().unwrap().port()).into();
        if let Err(error) = receiver.join_multicast_v4(group, interface) {
            println!("SKIPPED: no multicast here: {error}");
            return;
        }
        let sender = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
        sender.set_multicast_if_v4(&interface).unwrap();
        let leave = |socket: &UdpSocket| socket.leave_multicast_v4(group, interface);
        hears_a_group(receiver, sender, to, leave).await;
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_group_of_ipv6_is_heard_until_it_is_left() {
    on_every_backend(|| async {
        let group: Ipv6Addr = "ff02::4753".parse().unwrap();
        let Ok(receiver) = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0).into()) else {
            println!("SKIPPED: no IPv6 here");
            return;
        };
        let index = std::fs::read_to_string("/sys/class/net/lo/ifindex").unwrap();
        let index = index.trim().parse().unwrap();
        let to = (group, receiver.local_addr().unwrap().port()).into();
        if let Err(error) = receiver.join_multicast_v6(group, index) {
            println!("SKIPPED: no multicast here: {error}");
            return;
        }
        let sender = Socket::new(Domain::IPV6, Type::DGRAM, None).unwrap();
        sender.set_multicast_if_v6(index).unwrap();
        let leave = |socket: &UdpSocket| socket.leave_multicast_v6(group, index);
        hears_a_group(receiver, sender, to, leave).await;
    });
}
