//! Unix datagram sockets, over every backend of this machine.
#![cfg(unix)]
#![cfg_attr(not(target_os = "linux"), allow(dead_code, unused_imports))] // of tests for Linux alone

mod socket_util;

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::os::unix::net::UnixDatagram as Plain;
use std::rc::Rc;
use std::time::Duration;

use futures_lite::future::block_on;
use futures_util::stream::{FuturesUnordered, StreamExt};
use generator::Gen;
use net::{
    Address, AlreadyWaiting, Ask, Direction, EventLoop, NoLoop, Received, UNIX_PAUSE, UnixAddr,
    UnixDatagram, WaitKind, WrongLoop,
};
use socket_util::{FEW_TURNS, Folder, LIMIT, on_every_backend, turns_within};

fn whole(length: usize) -> Received {
    Received { length, truncated: false }
}

fn cut(length: usize) -> Received {
    Received { length, truncated: true }
}

#[track_caller]
fn cause<E: std::error::Error + 'static>(error: &io::Error) -> &E {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    cause.unwrap_or_else(|| panic!("another cause: {error:?}"))
}

/// A socket at a path in a folder.
fn bound(folder: &Folder, name: &str) -> (UnixDatagram, UnixAddr) {
    let address = UnixAddr::path(folder.path(name));
    (UnixDatagram::bind(address.clone()).unwrap(), address)
}

/// A plain receiver that reads nothing yet.
fn plain(folder: &Folder, name: &str) -> (Plain, UnixAddr) {
    let plain = Plain::bind(folder.path(name)).unwrap();
    plain.set_read_timeout(Some(LIMIT)).unwrap();
    (plain, UnixAddr::path(folder.path(name)))
}

/// Sends to `to` until its queue is full, and says how many datagrams that took.
fn fill(socket: &UnixDatagram, to: &UnixAddr) -> usize {
    for sent in 0..1_000_000 {
        if let Err(error) = socket.try_send_to(b"full", to) {
            assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
            return sent;
        }
    }
    panic!("the queue has no end");
}

async fn question_and_answer(server: UnixAddr, client: UnixAddr) {
    let (asked, asker) = (server.clone(), client.clone());
    let (server, client) =
        (UnixDatagram::bind(server).unwrap(), UnixDatagram::bind(client).unwrap());
    assert_eq!(server.local_addr().unwrap(), asked);
    assert_eq!(client.send_to(b"question", &asked).await.unwrap(), 8);
    let mut buffer = [0; 16];
    assert_eq!(server.peek_from(&mut buffer).await.unwrap(), (whole(8), asker.clone()));
    assert_eq!(server.recv_from(&mut buffer).await.unwrap(), (whole(8), asker.clone()));
    client.connect(&asked).unwrap();
    assert_eq!(client.peer_addr().unwrap(), asked);
    assert_eq!(server.peer_addr().unwrap_err().kind(), ErrorKind::NotConnected);
    assert_eq!(server.send_to(b"answer", &asker).await.unwrap(), 6);
    assert_eq!(client.recv_from(&mut buffer).await.unwrap(), (whole(6), asked));
    assert_eq!(client.send(b"thanks").await.unwrap(), 6);
    assert_eq!(server.recv(&mut buffer).await.unwrap(), whole(6));
}

#[test]
fn datagrams_go_to_a_path() {
    on_every_backend(|| async {
        let folder = Folder::new();
        let [server, client] = ["server", "client"].map(|name| UnixAddr::path(folder.path(name)));
        question_and_answer(server, client).await;
        assert!(folder.path("server").exists(), "nobody removes the file but the user");
    });
}

#[cfg(target_os = "linux")]
#[test]
fn datagrams_go_to_an_abstract_name() {
    on_every_backend(|| async {
        let name = |end| format!("net-{}-{end}", std::process::id()).into_bytes();
        let [server, client] = ["server\0", "client"].map(|end| UnixAddr::Abstract(name(end)));
        question_and_answer(server, client).await;
    });
}

#[test]
fn a_sender_without_a_name_is_unnamed() {
    on_every_backend(|| async {
        let folder = Folder::new();
        let (server, address) = bound(&folder, "server");
        let client = UnixDatagram::unbound().unwrap();
        assert_eq!(client.local_addr().unwrap(), UnixAddr::Unnamed);
        client.send_to(b"guess who", &address).await.unwrap();
        let mut buffer = [0; 16];
        let heard = server.recv_from(&mut buffer).await.unwrap();
        assert_eq!(heard, (whole(9), UnixAddr::Unnamed));
        let error = server.send_to(b"who?", &heard.1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_sender_whose_path_fills_its_address_is_unnamed() {
    use rustix::net::{SendFlags, SocketAddrUnix, bind, sendto};
    use socket2::{Domain, Socket, Type};
    on_every_backend(|| async {
        let folder = Folder::new();
        let (server, _) = bound(&folder, "server");
        let mut path = folder.path("").into_os_string().into_string().unwrap();
        path.extend(std::iter::repeat_n('x', 108 - path.len()));
        let client = Socket::new(Domain::UNIX, Type::DGRAM, None).unwrap();
        bind(&client, &SocketAddrUnix::new(path.as_str()).unwrap()).unwrap();
        let to = SocketAddrUnix::new(folder.path("server").as_path()).unwrap();
        sendto(&client, b"hello", SendFlags::empty(), &to).unwrap();
        let mut buffer = [0; 8];
        let heard = server.recv_from(&mut buffer).await.unwrap();
        assert_eq!(heard, (whole(5), UnixAddr::Unnamed));
    });
}

#[test]
fn a_pair_is_connected_and_has_no_address() {
    on_every_backend(|| async {
        let (near, far) = UnixDatagram::pair().unwrap();
        assert_eq!(near.local_addr().unwrap(), UnixAddr::Unnamed);
        assert_eq!(near.peer_addr().unwrap(), UnixAddr::Unnamed);
        let mut buffer = [0; 4];
        for bytes in [&b""[..], b"1", b"four", b"too long", b"last", b""] {
            assert_eq!(near.send(bytes).await.unwrap(), bytes.len());
        }
        let mut heard = Vec::new();
        for _ in 0..6 {
            let (received, from) = far.recv_from(&mut buffer).await.unwrap();
            assert_eq!(from, UnixAddr::Unnamed);
            heard.push((received, buffer[..received.length].to_vec()));
        }
        let expected = [
            (whole(0), &b""[..]),
            (whole(1), b"1"),
            (whole(4), b"four"),
            (cut(4), b"too "),
            (whole(4), b"last"),
            (whole(0), b""),
        ];
        assert_eq!(heard, expected.map(|(received, bytes)| (received, bytes.to_vec())));
        assert_eq!(far.try_recv(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn an_end_whose_other_end_is_gone_says_so() {
    on_every_backend(|| async {
        let (near, far) = UnixDatagram::pair().unwrap();
        drop(far);
        let error = near.send(b"anybody?").await.unwrap_err();
        let gone = [ErrorKind::ConnectionRefused, ErrorKind::NotConnected, ErrorKind::BrokenPipe];
        assert!(gone.contains(&error.kind()), "{error}");
    });
}

#[test]
fn an_address_that_nobody_receives_on_is_refused() {
    on_every_backend(|| async {
        let folder = Folder::new();
        let (server, address) = bound(&folder, "server");
        let client = UnixDatagram::unbound().unwrap();
        assert_eq!(UnixDatagram::bind(address.clone()).unwrap_err().kind(), ErrorKind::AddrInUse);
        drop(server);
        let missing = UnixAddr::path(folder.path("missing"));
        for (to, kind) in
            [(&address, ErrorKind::ConnectionRefused), (&missing, ErrorKind::NotFound)]
        {
            assert_eq!(client.send_to(b"anybody?", to).await.unwrap_err().kind(), kind);
            assert_eq!(client.try_send_to(b"anybody?", to).unwrap_err().kind(), kind);
            assert_eq!(client.connect(to).unwrap_err().kind(), kind);
        }
        for nowhere in [UnixAddr::Unnamed, UnixAddr::path(""), UnixAddr::path("zero\0byte")] {
            let error = UnixDatagram::bind(nowhere.clone()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
            assert_eq!(client.connect(&nowhere).unwrap_err().kind(), ErrorKind::InvalidInput);
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn sending_to_a_full_queue_waits_for_room_and_goes_on() {
    on_every_backend(|| async {
        let folder = Folder::new();
        let (receiver, address) = plain(&folder, "receiver");
        let client = Rc::new(UnixDatagram::unbound().unwrap());
        let queued = fill(&client, &address);
        let (sender, to) = (Rc::clone(&client), address.clone());
        let sent = net::spawn(async move { sender.send_to(b"one more", &to).await });
        net::sleep(2 * UNIX_PAUSE).await;
        assert!(!sent.is_finished(), "there is no room");
        for _ in 0..queued {
            assert_eq!(receiver.recv(&mut [0; 16]).unwrap(), 4);
        }
        assert_eq!(sent.await.unwrap().unwrap(), 8);
        assert_eq!(receiver.recv(&mut [0; 16]).unwrap(), 8);

        // One that is dropped sends nothing.
        let queued = fill(&client, &address);
        let dropped = net::timeout(UNIX_PAUSE, client.send_to(b"nothing", &address)).await;
        assert!(dropped.is_err());
        for _ in 0..queued {
            assert_eq!(receiver.recv(&mut [0; 16]).unwrap(), 4);
        }
        receiver.set_nonblocking(true).unwrap();
        assert_eq!(receiver.recv(&mut [0; 16]).unwrap_err().kind(), ErrorKind::WouldBlock);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_queue_of_one_receiver_keeps_nothing_from_another() {
    on_every_backend(|| async {
        let folder = Folder::new();
        let (full, full_address) = plain(&folder, "full");
        let (empty, empty_address) = plain(&folder, "empty");
        let client = UnixDatagram::unbound().unwrap();
        fill(&client, &full_address);
        assert_eq!(client.send_to(b"for you", &empty_address).await.unwrap(), 7);
        client.connect(&empty_address).unwrap();
        fill_connected(&client);
        // What it is connected to is full too; a third one is not.
        let (third, third_address) = plain(&folder, "third");
        assert_eq!(client.send_to(b"for you", &third_address).await.unwrap(), 7);
        assert_eq!(third.recv(&mut [0; 8]).unwrap(), 7);
        drop((full, empty));
    });
}

/// As [`fill`], of what the socket is connected to.
fn fill_connected(socket: &UnixDatagram) -> usize {
    for sent in 0..1_000_000 {
        if let Err(error) = socket.try_send(b"full") {
            assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
            return sent;
        }
    }
    panic!("the queue has no end");
}

#[cfg(target_os = "linux")]
#[test]
fn a_send_of_a_connected_socket_waits_for_room_and_is_told() {
    on_every_backend(|| async {
        let folder = Folder::new();
        let (receiver, address) = plain(&folder, "receiver");
        let client = Rc::new(UnixDatagram::unbound().unwrap());
        client.connect(&address).unwrap();
        for _ in 0..20 {
            let mut queued = fill_connected(&client);
            let sender = Rc::clone(&client);
            let sent = net::spawn(async move { sender.send(b"one more").await });
            net::yield_now().await;
            net::sleep(Duration::from_millis(1)).await;
            assert!(!sent.is_finished(), "there is no room");
            while queued > 0 {
                assert_eq!(receiver.recv(&mut [0; 16]).unwrap(), 4);
                queued -= 1;
            }
            assert_eq!(sent.await.unwrap().unwrap(), 8);
            assert_eq!(receiver.recv(&mut [0; 16]).unwrap(), 8);
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_send_waits_for_room_after_a_try_to_send_to_found_none() {
    on_every_backend(|| async {
        let folder = Folder::new();
        let (receiver, address) = plain(&folder, "receiver");
        let (full, full_address) = plain(&folder, "full");
        let client = UnixDatagram::unbound().unwrap();
        client.connect(&address).unwrap();
        // It says nothing of whom the socket is connected to.
        fill(&client, &full_address);
        assert_eq!(client.send(b"for you").await.unwrap(), 7);
        assert_eq!(receiver.recv(&mut [0; 8]).unwrap(), 7);
        drop(full);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_send_that_waits_goes_to_whom_the_socket_is_connected_to_by_then() {
    on_every_backend(|| async {
        let folder = Folder::new();
        let (full, full_address) = plain(&folder, "full");
        let (empty, empty_address) = plain(&folder, "empty");
        let client = Rc::new(UnixDatagram::unbound().unwrap());
        client.connect(&full_address).unwrap();
        fill_connected(&client);
        let sender = Rc::clone(&client);
        let sent = net::spawn(async move { sender.send(b"for you").await });
        net::yield_now().await;
        client.connect(&empty_address).unwrap();
        assert_eq!(sent.await.unwrap().unwrap(), 7);
        assert_eq!(empty.recv(&mut [0; 8]).unwrap(), 7);
        drop(full);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_receiver_that_goes_ends_the_wait_of_its_senders() {
    on_every_backend(|| async {
        let folder = Folder::new();
        let (receiver, address) = plain(&folder, "receiver");
        let connected = UnixDatagram::unbound().unwrap();
        connected.connect(&address).unwrap();
        fill_connected(&connected);
        let connected = net::spawn(async move { connected.send(b"x").await });
        let other =
            net::spawn(
                async move { UnixDatagram::unbound().unwrap().send_to(b"x", &address).await },
            );
        net::sleep(UNIX_PAUSE).await;
        drop(receiver);
        for sent in [connected, other] {
            let error = sent.await.unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{error}");
        }
    });
}

#[test]
fn a_pair_that_is_full_waits_for_room() {
    const DATAGRAMS: usize = 2_000;
    on_every_backend(|| async {
        let (near, far) = UnixDatagram::pair().unwrap();
        let sender = net::spawn(async move {
            for number in 0..DATAGRAMS {
                let bytes = [number as u8; 1024];
                assert_eq!(near.send(&bytes).await.unwrap(), 1024);
            }
        });
        let mut buffer = [0; 1024];
        net::sleep(Duration::from_millis(1)).await;
        assert!(!sender.is_finished(), "two megabytes are on their way");
        for number in 0..DATAGRAMS {
            assert_eq!(far.recv(&mut buffer).await.unwrap(), whole(1024));
            assert!(buffer.iter().all(|byte| *byte == number as u8));
        }
        sender.await.unwrap();
    });
}

#[test]
fn senders_to_one_receiver_all_get_through() {
    const SENDERS: usize = 20;
    const DATAGRAMS: usize = 50;
    on_every_backend(|| async {
        let folder = Folder::new();
        let (server, address) = bound(&folder, "server");
        let senders: Vec<_> = (0..SENDERS)
            .map(|number| {
                let address = address.clone();
                net::spawn(async move {
                    let socket = UnixDatagram::unbound().unwrap();
                    if number % 2 == 0 {
                        socket.connect(&address).unwrap();
                    }
                    for _ in 0..DATAGRAMS {
                        if number % 2 == 0 {
                            socket.send(&[number as u8]).await.unwrap();
                        } else {
                            socket.send_to(&[number as u8], &address).await.unwrap();
                        }
                    }
                })
            })
            .collect();
        let mut heard = [0; SENDERS];
        for _ in 0..SENDERS * DATAGRAMS {
            let mut from = [0; 1];
            assert_eq!(server.recv(&mut from).await.unwrap(), whole(1));
            heard[usize::from(from[0])] += 1;
        }
        assert_eq!(heard, [DATAGRAMS; SENDERS]);
        for sender in senders {
            sender.await.unwrap();
        }
    });
}

#[test]
fn a_generator_receives_and_sends() {
    on_every_backend(|| async {
        let (near, far) = UnixDatagram::pair().unwrap();
        let echo = net::spawn_generator(Gen::new(|co| async move {
            let mut buffer = [0; 8];
            loop {
                match far.try_recv(&mut buffer) {
                    Ok(Received { length: 0, .. }) => return Ok(()),
                    Ok(received) => {
                        while let Err(error) = far.try_send(&buffer[..received.length]) {
                            assert_eq!(error.kind(), ErrorKind::WouldBlock);
                            co.yield_(Ask::write(&far)).await?;
                        }
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        co.yield_(Ask::read(&far)).await?;
                    }
                    Err(error) => return Err(error),
                }
            }
        }));
        let mut buffer = [0; 8];
        for number in 0..100_u8 {
            near.send(&[number]).await.unwrap();
            assert_eq!(near.recv(&mut buffer).await.unwrap(), whole(1));
            assert_eq!(buffer[0], number);
        }
        near.send(b"").await.unwrap();
        echo.await.unwrap().unwrap();
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_generator_that_finds_a_full_queue_tries_again_after_a_while() {
    on_every_backend(|| async {
        let folder = Folder::new();
        let (receiver, address) = plain(&folder, "receiver");
        let client = UnixDatagram::unbound().unwrap();
        let queued = fill(&client, &address);
        let sender = net::spawn_generator(Gen::new(|co| async move {
            let mut tries = 0;
            while let Err(error) = client.try_send_to(b"more", &address) {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                tries += 1;
                co.yield_(Ask::Until(net::now() + UNIX_PAUSE)).await?;
            }
            io::Result::Ok(tries)
        }));
        net::sleep(UNIX_PAUSE).await;
        for _ in 0..queued {
            assert_eq!(receiver.recv(&mut [0; 8]).unwrap(), 4);
        }
        assert!(sender.await.unwrap().unwrap() > 0);
        assert_eq!(receiver.recv(&mut [0; 8]).unwrap(), 4);
    });
}

#[test]
fn receivers_and_senders_wait_with_foreign_wakers() {
    on_every_backend(|| async {
        let pairs: Vec<_> = (0..10).map(|_| UnixDatagram::pair().unwrap()).collect();
        let mut receives: FuturesUnordered<_> = pairs
            .iter()
            .map(|(near, _)| async move { near.recv(&mut [0; 8]).await.unwrap() })
            .collect();
        for (_, far) in &pairs {
            far.send(b"news").await.unwrap();
            assert_eq!(receives.next().await, Some(whole(4)));
        }
    });
}

#[test]
fn a_second_receiver_is_refused_and_a_dropped_one_leaves_nothing() {
    on_every_backend(|| async {
        let (near, far) = UnixDatagram::pair().unwrap();
        let (near, done) = (Rc::new(near), Rc::new(Cell::new(false)));
        let (socket, told) = (Rc::clone(&near), Rc::clone(&done));
        let first = net::spawn(async move {
            socket.recv(&mut [0; 8]).await.unwrap();
            told.set(true);
        });
        net::yield_now().await;
        let error = near.recv_from(&mut [0; 8]).await.unwrap_err();
        let waiting: &AlreadyWaiting = cause(&error);
        assert_eq!((waiting.direction, waiting.first), (Direction::Read, Some(first.id())));
        first.cancel();
        far.send(b"mine").await.unwrap();
        assert_eq!(near.recv(&mut [0; 8]).await.unwrap(), whole(4));
        assert!(!done.get());
    });
}

#[test]
fn the_listing_says_where_a_receiver_listens() {
    on_every_backend(|| async {
        let folder = Folder::new();
        let (server, address) = bound(&folder, "server");
        let task = net::spawn(async move { server.recv(&mut [0; 8]).await });
        net::yield_now().await;
        let listed = net::tasks().into_iter().find(|listed| listed.id == task.id()).unwrap();
        let local = Some(Address::Local(address.clone()));
        let direction = Direction::Read;
        assert_eq!(listed.waits[0].kind, WaitKind::Socket { direction, local, peer: None });
        assert!(listed.to_string().contains(&format!("waits to read {address} for ")));
        task.cancel();
    });
}

#[test]
fn a_sender_that_waits_for_room_does_not_spin() {
    for backend in net::Backend::available() {
        let event_loop = EventLoop::with_backend(*backend).unwrap();
        let (near, far) = event_loop.enter(UnixDatagram::pair).unwrap();
        let task = event_loop.spawn(async move {
            loop {
                near.send(&[0; 1024]).await.unwrap();
            }
        });
        // The first turns fill the queue.
        turns_within(&event_loop, Duration::from_millis(10));
        let turns = turns_within(&event_loop, Duration::from_millis(50));
        assert!(turns <= FEW_TURNS, "{backend}: {turns} turns");
        drop((task, far));
    }
}

#[test]
fn a_socket_needs_a_loop_of_the_kernel() {
    let folder = Folder::new();
    let address = UnixAddr::path(folder.path("socket"));
    let refused = [
        UnixDatagram::unbound().map(drop),
        UnixDatagram::pair().map(drop),
        UnixDatagram::bind(address.clone()).map(drop),
    ];
    for refused in refused {
        assert_eq!(cause::<NoLoop>(&refused.unwrap_err()), &NoLoop);
    }
    let (manual, _clock) = EventLoop::manual();
    manual.enter(|| {
        assert_eq!(UnixDatagram::unbound().unwrap_err().kind(), ErrorKind::Unsupported);
        assert_eq!(UnixDatagram::pair().unwrap_err().kind(), ErrorKind::Unsupported);
        assert_eq!(UnixDatagram::bind(address).unwrap_err().kind(), ErrorKind::Unsupported);
    });
    assert!(!folder.path("socket").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_socket_without_its_loop_says_so() {
    let folder = Folder::new();
    let (receiver, address) = plain(&folder, "receiver");
    let event_loop = EventLoop::new().unwrap();
    let client = event_loop.enter(UnixDatagram::unbound).unwrap();
    fill(&client, &address);
    let mut waits = Box::pin(client.send_to(b"more", &address));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    event_loop.enter(|| assert!(waits.as_mut().poll(&mut cx).is_pending()));
    drop(event_loop);
    let error = block_on(waits).unwrap_err();
    assert_eq!(cause::<WrongLoop>(&error), &WrongLoop::Gone);
    let error = block_on(client.send_to(b"more", &address)).unwrap_err();
    assert_eq!(cause::<WrongLoop>(&error), &WrongLoop::Gone);
    let error = block_on(client.recv(&mut [0; 8])).unwrap_err();
    assert_eq!(cause::<WrongLoop>(&error), &WrongLoop::Gone);
    receiver.recv(&mut [0; 8]).unwrap();
    assert_eq!(block_on(client.send_to(b"room", &address)).unwrap(), 4);
}
