//! How connections begin, and who has which address.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures_util::join;
use net::{TcpListener, TcpStream};

use crate::place::{At, World, accept, read_exactly, read_to_end, write_until_it_fails};

pub(crate) async fn both_sides_know_each_other(world: World) {
    let (mut listener, address) = world.far.listen().await;
    assert_eq!(address.ip(), world.far.v4);
    assert_ne!(address.port(), 0);
    let mut near = connect(&world, address).await;
    let (named, local) =
        near.with(async |s| (s.peer_addr().unwrap(), s.local_addr().unwrap())).await;
    assert_eq!(named, address);
    assert_eq!(local.ip(), world.near.v4);
    let accepted = listener.with(async |listener| listener.accept().await.unwrap());
    let (far, peer) = accepted.await;
    assert_eq!(peer, local);
    assert_eq!((far.local_addr().unwrap(), far.peer_addr().unwrap()), (address, local));
    near.close().await;
}

pub(crate) async fn nobody_there_refuses(world: World) {
    let (listener, address) = world.far.listen().await;
    listener.close().await;
    let refused = world.near.run(async move || TcpStream::connect(address).await.map(drop)).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

pub(crate) async fn connections_are_accepted_in_their_order(world: World) {
    let (mut listener, address) = world.far.listen().await;
    let mut locals = Vec::new();
    let mut streams = Vec::new();
    for _ in 0..5 {
        let mut near = connect(&world, address).await;
        locals.push(near.with(async |stream| stream.local_addr().unwrap()).await);
        streams.push(near);
    }
    for local in locals {
        assert_eq!(listener.with(async |l| l.accept().await.unwrap().1).await, local);
    }
}

pub(crate) async fn nobody_to_accept_would_block(world: World) {
    let (mut listener, address) = world.far.listen().await;
    let empty = listener.with(async |listener| listener.try_accept().map(drop)).await;
    assert_eq!(empty.unwrap_err().kind(), ErrorKind::WouldBlock);
    let near = connect(&world, address).await;
    let (far, mut listener) = accept(listener).await;
    let empty = listener.with(async |listener| listener.try_accept().map(drop)).await;
    assert_eq!(empty.unwrap_err().kind(), ErrorKind::WouldBlock);
    near.close().await;
    far.close().await;
}

pub(crate) async fn port_zero_finds_a_free_port(world: World) {
    let (one, first) = world.far.listen().await;
    let (other, second) = world.far.listen().await;
    assert_ne!(first.port(), second.port());
    one.close().await;
    other.close().await;
}

pub(crate) async fn an_address_in_use_is_refused(world: World) {
    let (listener, address) = world.far.listen().await;
    let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
    for taken in [address, everywhere] {
        let refused = world.far.run(async move || TcpListener::bind(taken).map(drop)).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::AddrInUse, "{taken}");
    }
    listener.close().await;
}

pub(crate) async fn an_address_is_free_again_when_its_listener_is_gone(world: World) {
    let (listener, address) = world.far.listen().await;
    let mut near = connect(&world, address).await;
    let (mut far, listener) = accept(listener).await;
    listener.close().await;
    // While a connection of the earlier one lives.
    let again = world.far.put(async move || TcpListener::bind(address).unwrap()).await;
    let second = connect(&world, address).await;
    let (accepted, again) = accept(again).await;
    near.with(async |stream| stream.write_all(b"still here").await.unwrap()).await;
    assert_eq!(far.with(async |stream| read_exactly(stream, 10).await).await, b"still here");
    for stream in [near, far, second, accepted] {
        stream.close().await;
    }
    again.close().await;
}

pub(crate) async fn the_port_of_a_connection_is_taken(world: World) {
    let (mut near, far) = world.pair().await;
    let taken = near.with(async |stream| TcpListener::bind(stream.local_addr().unwrap())).await;
    assert_eq!(taken.map(drop).unwrap_err().kind(), ErrorKind::AddrInUse);
    near.close().await;
    far.close().await;
}

pub(crate) async fn a_foreign_address_cannot_be_bound(world: World) {
    let foreign = SocketAddr::from(([192, 0, 2, 1], 0));
    let refused = world.near.run(async move || TcpListener::bind(foreign).map(drop)).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::AddrNotAvailable);
}

pub(crate) async fn a_wildcard_listener_is_reached_at_each_address(world: World) {
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let mut listener = world.far.put(async move || TcpListener::bind(any).unwrap()).await;
    let bound = listener.with(async |listener| listener.local_addr().unwrap()).await;
    assert_eq!(bound.ip(), Ipv4Addr::UNSPECIFIED);
    let address = SocketAddr::new(world.far.v4, bound.port());
    let near = connect(&world, address).await;
    let (mut far, listener) = accept(listener).await;
    assert_eq!(far.with(async |stream| stream.local_addr().unwrap()).await, address);
    near.close().await;
    far.close().await;
    listener.close().await;
}

pub(crate) async fn the_unspecified_address_means_this_machine(world: World) {
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let listener = TcpListener::bind(any).unwrap();
    let bound = listener.local_addr().unwrap();
    let mut near = connect(&world, bound).await;
    let (far, peer) = listener.accept().await.unwrap();
    let loopback = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), bound.port());
    assert_eq!(far.local_addr().unwrap(), loopback);
    assert_eq!(peer.ip(), Ipv4Addr::LOCALHOST);
    let ends = near.with(async |s| (s.local_addr().unwrap(), s.peer_addr().unwrap())).await;
    assert_eq!(ends, (peer, loopback));
}

pub(crate) async fn every_loopback_address_is_this_machine(world: World) {
    let another = IpAddr::from([127, 0, 0, 7]);
    let listener = TcpListener::bind((another, 0).into()).unwrap();
    let address = listener.local_addr().unwrap();
    let near = connect(&world, address).await;
    let (far, peer) = listener.accept().await.unwrap();
    assert_eq!((far.local_addr().unwrap(), peer.ip()), (address, Ipv4Addr::LOCALHOST.into()));
    near.close().await;
    let elsewhere = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), address.port());
    let refused = TcpStream::connect(elsewhere).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
}

pub(crate) async fn two_connections_do_not_mix(world: World) {
    let (listener, address) = world.far.listen().await;
    let mut one = connect(&world, address).await;
    let mut other = connect(&world, address).await;
    let (mut first, listener) = accept(listener).await;
    let (mut second, listener) = accept(listener).await;
    listener.close().await;
    other.with(async |stream| stream.write_all(b"other").await.unwrap()).await;
    one.with(async |stream| stream.write_all(b"one").await.unwrap()).await;
    one.close().await;
    other.close().await;
    assert_eq!(first.with(async |stream| read_to_end(stream).await).await, b"one");
    assert_eq!(second.with(async |stream| read_to_end(stream).await).await, b"other");
}

pub(crate) async fn the_backlog_of_a_dropped_listener_is_reset(world: World) {
    let (listener, address) = world.far.listen().await;
    let mut near = connect(&world, address).await;
    listener.close().await;
    let read = near.with(async |stream| stream.read(&mut [0; 8]).await).await;
    assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
    let refused = world.near.run(async move || TcpStream::connect(address).await.map(drop)).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

pub(crate) async fn a_write_learns_that_the_listener_is_gone(world: World) {
    let (listener, address) = world.far.listen().await;
    let mut near = connect(&world, address).await;
    listener.close().await;
    let errors = near.with(async |stream| {
        (write_until_it_fails(stream).await, write_until_it_fails(stream).await)
    });
    assert_eq!(errors.await, (ErrorKind::ConnectionReset, ErrorKind::BrokenPipe));
}

pub(crate) async fn a_connection_that_ends_in_the_backlog_is_accepted(world: World) {
    let (listener, address) = world.far.listen().await;
    let mut near = connect(&world, address).await;
    let local = near.with(async |stream| {
        stream.write_all(b"too late").await.unwrap();
        stream.local_addr().unwrap()
    });
    let local = local.await;
    near.close().await;
    let (mut far, listener) = accept(listener).await;
    assert_eq!(far.with(async |stream| read_to_end(stream).await).await, b"too late");
    assert_eq!(far.with(async |stream| stream.peer_addr().unwrap()).await, local);
    listener.close().await;
}

pub(crate) async fn a_connection_that_is_reset_in_the_backlog_is_accepted(world: World) {
    let (listener, address) = world.far.listen().await;
    let mut near = connect(&world, address).await;
    let reset = near.with(async |stream| stream.set_linger(Some(Duration::ZERO)).unwrap());
    reset.await;
    near.close().await;
    let (mut far, listener) = accept(listener).await;
    let read = far.with(async |stream| stream.read(&mut [0; 8]).await).await;
    assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
    listener.close().await;
}

pub(crate) async fn version_six_connects(world: World) {
    let Some(ip) = world.far.v6 else { return };
    let bound = async move || TcpListener::bind((ip, 0).into()).unwrap();
    let mut listener = world.far.put(bound).await;
    let address = listener.with(async |listener| listener.local_addr().unwrap()).await;
    assert_eq!(address.ip(), ip);
    let mut near = connect(&world, address).await;
    let (mut far, listener) = accept(listener).await;
    let (wrote, read) = join!(
        near.with(async |stream| stream.write_all(b"six").await),
        far.with(async |stream| read_exactly(stream, 3).await),
    );
    wrote.unwrap();
    assert_eq!(read, b"six");
    assert_eq!(Some(far.with(async |s| s.peer_addr().unwrap()).await.ip()), world.near.v6);
    listener.close().await;
}

pub(crate) async fn options_are_kept(world: World) {
    let (mut near, far) = world.pair().await;
    near.with(async |stream| {
        assert!(!stream.nodelay().unwrap() && !stream.keepalive().unwrap());
        assert_eq!(stream.linger().unwrap(), None);
        assert_eq!(stream.ttl().unwrap(), 64);
        stream.set_nodelay(true).unwrap();
        stream.set_keepalive(Some(Duration::from_secs(60))).unwrap();
        stream.set_linger(Some(Duration::from_secs(2))).unwrap();
        stream.set_ttl(9).unwrap();
        assert!(stream.nodelay().unwrap() && stream.keepalive().unwrap());
        assert_eq!(stream.linger().unwrap(), Some(Duration::from_secs(2)));
        assert_eq!(stream.ttl().unwrap(), 9);
        stream.set_linger(None).unwrap();
        stream.set_keepalive(None).unwrap();
        assert_eq!(stream.linger().unwrap(), None);
        assert!(!stream.keepalive().unwrap());
        assert!(stream.recv_buffer_size().unwrap() > 0 && stream.send_buffer_size().unwrap() > 0);
        assert!(stream.take_error().unwrap().is_none());
    })
    .await;
    near.close().await;
    far.close().await;
}

async fn connect(world: &World, address: SocketAddr) -> At<TcpStream> {
    world.near.put(async move || TcpStream::connect(address).await.unwrap()).await
}
