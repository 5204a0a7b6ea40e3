//! Connections over Unix sockets.

use std::io::ErrorKind;
use std::net::Shutdown;

use futures_util::join;
use net::{UnixAddr, UnixDatagram, UnixListener, UnixStream, spawn};
use rustix::io::Errno;

use crate::place::{World, fill, numbered, read_exactly, read_to_end, write_until_it_fails};

async fn connects(address: UnixAddr) {
    let listener = UnixListener::bind(address.clone()).unwrap();
    assert_eq!(listener.local_addr().unwrap(), address);
    assert_eq!(listener.try_accept().map(drop).unwrap_err().kind(), ErrorKind::WouldBlock);
    let mut near = UnixStream::connect(address.clone()).await.unwrap();
    // There before it is accepted.
    near.write_all(b"hello").await.unwrap();
    let (mut far, peer) = listener.accept().await.unwrap();
    assert_eq!((&peer, far.peer_addr().unwrap()), (&UnixAddr::Unnamed, UnixAddr::Unnamed));
    assert_eq!(near.local_addr().unwrap(), UnixAddr::Unnamed);
    assert_eq!((near.peer_addr().unwrap(), far.local_addr().unwrap()), (address.clone(), address));
    assert_eq!(read_exactly(&mut far, 5).await, b"hello");
}

pub(crate) async fn a_path_connects(world: World) {
    connects(world.path("listener")).await;
}

pub(crate) async fn an_abstract_name_connects(world: World) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        connects(world.name("listener")).await;
        let again = UnixListener::bind(world.name("listener"));
        again.expect("the name is gone with its socket");
        let nobody = UnixStream::connect(world.name("listener")).await.unwrap_err();
        assert_eq!(nobody.kind(), ErrorKind::ConnectionRefused);
    }
    drop(world);
}

pub(crate) async fn a_pair_has_no_address(_: World) {
    let (mut near, mut far) = UnixStream::pair().unwrap();
    for side in [&near, &far] {
        assert_eq!(side.local_addr().unwrap(), UnixAddr::Unnamed);
        assert_eq!(side.peer_addr().unwrap(), UnixAddr::Unnamed);
    }
    near.write_all(b"there").await.unwrap();
    far.write_all(b"back").await.unwrap();
    assert_eq!(read_exactly(&mut far, 5).await, b"there");
    assert_eq!(read_exactly(&mut near, 4).await, b"back");
}

pub(crate) async fn a_path_without_a_socket_is_not_found(world: World) {
    let missing = UnixStream::connect(world.path("missing")).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    let unnamed = UnixListener::bind(UnixAddr::Unnamed).unwrap_err();
    assert_eq!(unnamed.kind(), ErrorKind::InvalidInput);
}

pub(crate) async fn a_path_in_use_is_refused(world: World) {
    let listener = UnixListener::bind(world.path("taken")).unwrap();
    let taken = UnixListener::bind(world.path("taken")).unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AddrInUse);
    let taken = UnixDatagram::bind(world.path("taken")).unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AddrInUse);
    drop(listener);
}

pub(crate) async fn a_path_whose_listener_is_gone_refuses(world: World) {
    drop(UnixListener::bind(world.path("left")).unwrap());
    let nobody = UnixStream::connect(world.path("left")).await.unwrap_err();
    assert_eq!(nobody.kind(), ErrorKind::ConnectionRefused);
}

pub(crate) async fn a_path_of_datagrams_takes_no_stream(world: World) {
    let socket = UnixDatagram::bind(world.path("datagrams")).unwrap();
    let wrong = UnixStream::connect(world.path("datagrams")).await.unwrap_err();
    assert_eq!(wrong.raw_os_error(), Some(Errno::PROTOTYPE.raw_os_error()));
    drop(socket);
}

pub(crate) async fn unix_half_closes_follow_each_other(_: World) {
    let (mut near, mut far) = UnixStream::pair().unwrap();
    near.write_all(b"question").await.unwrap();
    near.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&mut far).await, b"question");
    assert_eq!(near.write(b"more").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    far.write_all(b"answer").await.unwrap();
    assert_eq!(read_exactly(&mut near, 6).await, b"answer");
    far.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&mut near).await, b"");
    near.shutdown(Shutdown::Both).unwrap();
    near.peer_addr().expect("it stays connected");
}

pub(crate) async fn a_close_is_the_end_and_a_broken_pipe(_: World) {
    let (mut near, mut far) = UnixStream::pair().unwrap();
    far.write_all(b"last words").await.unwrap();
    drop(far);
    assert_eq!(write_until_it_fails(&mut near).await, ErrorKind::BrokenPipe);
    assert_eq!(read_to_end(&mut near).await, b"last words");
    assert_eq!(write_until_it_fails(&mut near).await, ErrorKind::BrokenPipe);
}

pub(crate) async fn unix_closing_with_unread_data_resets(_: World) {
    let (mut near, mut far) = UnixStream::pair().unwrap();
    near.write_all(b"unread").await.unwrap();
    far.write_all(b"goodbye").await.unwrap();
    far.peek(&mut [0; 8]).await.unwrap();
    drop(far);
    assert_eq!(write_until_it_fails(&mut near).await, ErrorKind::BrokenPipe);
    assert_eq!(read_exactly(&mut near, 7).await, b"goodbye");
    let reset = near.read(&mut [0; 8]).await.unwrap_err();
    assert_eq!(reset.kind(), ErrorKind::ConnectionReset);
    assert_eq!(near.read(&mut [0; 8]).await.unwrap(), 0);
}

pub(crate) async fn who_stops_reading_breaks_the_pipe(_: World) {
    let (mut near, mut far) = UnixStream::pair().unwrap();
    near.shutdown(Shutdown::Read).unwrap();
    assert_eq!(near.read(&mut [0; 8]).await.unwrap(), 0);
    assert_eq!(write_until_it_fails(&mut far).await, ErrorKind::BrokenPipe);
    near.write_all(b"heard").await.unwrap();
    assert_eq!(read_exactly(&mut far, 5).await, b"heard");
}

pub(crate) async fn unix_shutdowns_of_both_directions(_: World) {
    let (mut near, mut far) = UnixStream::pair().unwrap();
    near.write_all(b"last words").await.unwrap();
    near.shutdown(Shutdown::Both).unwrap();
    assert_eq!(near.read(&mut [0; 8]).await.unwrap(), 0);
    assert_eq!(near.write(b"more").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_eq!(read_to_end(&mut far).await, b"last words");
    assert_eq!(write_until_it_fails(&mut far).await, ErrorKind::BrokenPipe);
}

pub(crate) async fn the_backlog_of_a_dropped_unix_listener_is_reset(world: World) {
    let listener = UnixListener::bind(world.path("listener")).unwrap();
    let mut near = UnixStream::connect(world.path("listener")).await.unwrap();
    drop(listener);
    assert_eq!(write_until_it_fails(&mut near).await, ErrorKind::BrokenPipe);
    let reset = near.read(&mut [0; 8]).await.unwrap_err();
    assert_eq!(reset.kind(), ErrorKind::ConnectionReset);
    assert_eq!(near.read(&mut [0; 8]).await.unwrap(), 0);
}

/// More than any backlog holds: Linux has 4096 at first.
const MANY: usize = 6000;

pub(crate) async fn a_full_backlog_waits(world: World) {
    let _ = net::raise_descriptor_limit();
    let path = world.path("listener");
    let listener = UnixListener::bind(path.clone()).unwrap();
    let connect = spawn(async move {
        let mut streams = Vec::new();
        for _ in 0..MANY {
            streams.push(UnixStream::connect(path.clone()).await.unwrap());
        }
    });
    // The last ones wait for room, which comes with those that are accepted.
    for _ in 0..MANY {
        drop(listener.accept().await.unwrap());
    }
    connect.await.unwrap();
}

pub(crate) async fn a_full_unix_connection_takes_more_once_it_is_read(_: World) {
    let (mut near, mut far) = UnixStream::pair().unwrap();
    for _ in 0..3 {
        let filled = fill(&mut near);
        let more = async {
            near.writable().await.unwrap();
            near.write(&[b'f'; 100]).await.unwrap()
        };
        let (more, _) = join!(more, read_exactly(&mut far, filled));
        read_exactly(&mut far, more).await;
    }
    let bytes = numbered(500_000);
    let read = spawn(async move { read_to_end(&mut far).await });
    near.write_all(&bytes).await.unwrap();
    drop(near);
    assert!(read.await.unwrap() == bytes);
}

pub(crate) async fn a_unix_peek_takes_nothing(_: World) {
    let (mut near, mut far) = UnixStream::pair().unwrap();
    near.write_all(b"look").await.unwrap();
    let mut buffer = [0; 2];
    for _ in 0..2 {
        assert!(far.peek(&mut buffer).await.unwrap() >= 1);
        assert_eq!(buffer[0], b'l');
    }
    assert_eq!(read_exactly(&mut far, 4).await, b"look");
}

pub(crate) async fn empty_reads_and_writes_of_unix_streams(_: World) {
    let (mut near, mut far) = UnixStream::pair().unwrap();
    assert_eq!(near.try_read(&mut []).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(far.write(b"").await.unwrap(), 0);
    far.write_all(b"kept").await.unwrap();
    assert_eq!(near.read(&mut []).await.unwrap(), 0);
    assert_eq!(read_exactly(&mut near, 4).await, b"kept");
    drop(far);
    assert_eq!(near.read(&mut []).await.unwrap(), 0);
}
