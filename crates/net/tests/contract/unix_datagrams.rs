//! Datagrams over Unix sockets.

use std::io::ErrorKind;

use futures_util::join;
use net::{Received, UnixAddr, UnixDatagram, UnixListener, UnixStream, spawn};
use rustix::io::Errno;

use crate::place::World;

async fn receive(socket: &UnixDatagram) -> (Vec<u8>, UnixAddr) {
    let mut buffer = [0; 64];
    let (received, from) = socket.recv_from(&mut buffer).await.unwrap();
    (buffer[..received.length].to_vec(), from)
}

async fn carries(near: UnixAddr, far: UnixAddr) {
    let (one, other) =
        (UnixDatagram::bind(near.clone()).unwrap(), UnixDatagram::bind(far.clone()).unwrap());
    assert_eq!(one.local_addr().unwrap(), near);
    one.send_to(b"question", &far).await.unwrap();
    assert_eq!(receive(&other).await, (b"question".to_vec(), near.clone()));
    other.connect(&near).unwrap();
    assert_eq!(other.peer_addr().unwrap(), near);
    other.send(b"answer").await.unwrap();
    assert_eq!(receive(&one).await, (b"answer".to_vec(), far));
}

pub(crate) async fn paths_carry_datagrams(world: World) {
    carries(world.path("near"), world.path("far")).await;
}

pub(crate) async fn abstract_names_carry_datagrams(world: World) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    carries(world.name("near"), world.name("far")).await;
    drop(world);
}

pub(crate) async fn a_pair_carries_datagrams(_: World) {
    let (near, far) = UnixDatagram::pair().unwrap();
    assert_eq!(near.local_addr().unwrap(), UnixAddr::Unnamed);
    assert_eq!(near.peer_addr().unwrap(), UnixAddr::Unnamed);
    near.send(b"there").await.unwrap();
    far.send(b"back").await.unwrap();
    assert_eq!(receive(&far).await, (b"there".to_vec(), UnixAddr::Unnamed));
    assert_eq!(receive(&near).await, (b"back".to_vec(), UnixAddr::Unnamed));
    assert_eq!(near.try_recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
}

pub(crate) async fn an_unbound_socket_has_no_name(world: World) {
    let far = UnixDatagram::bind(world.path("far")).unwrap();
    let near = UnixDatagram::unbound().unwrap();
    assert_eq!(near.local_addr().unwrap(), UnixAddr::Unnamed);
    near.send_to(b"guess who", &world.path("far")).await.unwrap();
    assert_eq!(receive(&far).await, (b"guess who".to_vec(), UnixAddr::Unnamed));
}

pub(crate) async fn nobody_at_a_path_is_not_found(world: World) {
    let near = UnixDatagram::unbound().unwrap();
    let missing = near.send_to(b"hello?", &world.path("missing")).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    let missing = near.connect(&world.path("missing")).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
}

pub(crate) async fn a_bound_path_is_in_use(world: World) {
    let socket = UnixDatagram::bind(world.path("taken")).unwrap();
    let taken = UnixDatagram::bind(world.path("taken")).unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AddrInUse);
    drop(socket);
}

pub(crate) async fn a_path_whose_socket_is_gone_refuses(world: World) {
    let far = UnixDatagram::bind(world.path("far")).unwrap();
    let near = UnixDatagram::unbound().unwrap();
    near.connect(&world.path("far")).unwrap();
    drop(far);
    assert_eq!(near.send(b"hello?").await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    let refused = near.send_to(b"hello?", &world.path("far")).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    assert_eq!(near.connect(&world.path("far")).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

pub(crate) async fn the_other_end_of_a_pair_is_gone(_: World) {
    let (near, far) = UnixDatagram::pair().unwrap();
    far.send(b"last words").await.unwrap();
    drop(far);
    assert_eq!(receive(&near).await.0, b"last words");
    // A datagram socket has no end.
    assert_eq!(near.try_recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(near.send(b"hello?").await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert_eq!(near.send(b"hello?").await.unwrap_err().kind(), ErrorKind::NotConnected);
}

/// More than any queue holds: Linux has ten at first, and by their size for a pair.
const MANY: u16 = 2000;

async fn receive_many(socket: UnixDatagram, many: u16) {
    for number in 0..many {
        let mut buffer = [0; 2];
        socket.recv(&mut buffer).await.unwrap();
        assert_eq!(u16::from_be_bytes(buffer), number);
    }
}

pub(crate) async fn a_full_queue_waits(world: World) {
    let far = UnixDatagram::bind(world.path("far")).unwrap();
    let near = UnixDatagram::unbound().unwrap();
    let path = world.path("far");
    let mut queued = 0;
    let full = loop {
        match near.try_send_to(&u16::to_be_bytes(queued), &path) {
            Ok(_) => queued += 1,
            Err(error) => break error,
        }
        assert!(queued < MANY);
    };
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
    let send = async {
        // Few, since who finds no room waits for a while.
        for number in queued..queued + 10 {
            near.send_to(&number.to_be_bytes(), &path).await.unwrap();
        }
    };
    join!(send, receive_many(far, queued + 10));
}

pub(crate) async fn a_full_queue_of_a_connected_socket_waits(world: World) {
    let far = UnixDatagram::bind(world.path("far")).unwrap();
    let near = UnixDatagram::unbound().unwrap();
    near.connect(&world.path("far")).unwrap();
    let send = spawn(async move {
        for number in 0..MANY {
            near.send(&number.to_be_bytes()).await.unwrap();
        }
    });
    receive_many(far, MANY).await;
    send.await.unwrap();
}

pub(crate) async fn a_full_pair_waits(_: World) {
    let (near, far) = UnixDatagram::pair().unwrap();
    let send = spawn(async move {
        for number in 0..MANY {
            near.send(&number.to_be_bytes()).await.unwrap();
        }
    });
    receive_many(far, MANY).await;
    send.await.unwrap();
}

pub(crate) async fn a_waiting_sender_learns_that_the_receiver_is_gone(world: World) {
    let far = UnixDatagram::bind(world.path("far")).unwrap();
    let near = UnixDatagram::unbound().unwrap();
    near.connect(&world.path("far")).unwrap();
    while near.try_send(b"fill").is_ok() {}
    let (sent, ()) = join!(near.send(b"one more"), async { drop(far) });
    assert_eq!(sent.unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

pub(crate) async fn a_receiver_that_is_connected_hears_its_peer_alone(world: World) {
    let far = UnixDatagram::bind(world.path("far")).unwrap();
    let near = UnixDatagram::bind(world.path("near")).unwrap();
    far.connect(&world.path("near")).unwrap();
    let stranger = UnixDatagram::unbound().unwrap();
    let refused = stranger.send_to(b"strange", &world.path("far")).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
    let refused = stranger.connect(&world.path("far")).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
    near.send_to(b"known", &world.path("far")).await.unwrap();
    assert_eq!(receive(&far).await, (b"known".to_vec(), world.path("near")));
}

pub(crate) async fn unix_datagrams_come_in_their_order(world: World) {
    let far = UnixDatagram::bind(world.path("far")).unwrap();
    let near = UnixDatagram::unbound().unwrap();
    for number in 0..8u8 {
        near.send_to(&[number], &world.path("far")).await.unwrap();
    }
    for number in 0..8 {
        assert_eq!(receive(&far).await.0, [number]);
    }
}

pub(crate) async fn empty_and_cut_unix_datagrams(_: World) {
    let (near, far) = UnixDatagram::pair().unwrap();
    for bytes in [b"".as_slice(), b"too long", b"fits"] {
        assert_eq!(near.send(bytes).await.unwrap(), bytes.len());
    }
    let mut buffer = [0; 4];
    for wanted in [(0, false), (4, true), (4, false)] {
        let received = far.recv(&mut buffer).await.unwrap();
        assert_eq!(received, Received { length: wanted.0, truncated: wanted.1 });
    }
    assert_eq!(&buffer, b"fits");
}

pub(crate) async fn without_a_peer_there_is_nowhere_to_send_on_unix(_: World) {
    let near = UnixDatagram::unbound().unwrap();
    assert_eq!(near.send(b"whereto?").await.unwrap_err().kind(), ErrorKind::NotConnected);
    assert_eq!(near.peer_addr().unwrap_err().kind(), ErrorKind::NotConnected);
}

pub(crate) async fn a_path_of_streams_takes_no_datagram(world: World) {
    let listener = UnixListener::bind(world.path("streams")).unwrap();
    let near = UnixDatagram::unbound().unwrap();
    let wrong = near.send_to(b"hello?", &world.path("streams")).await.unwrap_err();
    assert_eq!(wrong.raw_os_error(), Some(Errno::PROTOTYPE.raw_os_error()));
    // A stream may still connect.
    UnixStream::connect(world.path("streams")).await.unwrap();
    drop(listener);
}
