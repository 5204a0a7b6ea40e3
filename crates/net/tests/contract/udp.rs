//! Datagrams of UDP: who gets which, and what is told of those that nobody gets.

use std::cell::Cell;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use futures_util::join;
use net::{Received, TcpListener, UdpSocket};

use crate::place::{At, Side, World};

/// A socket on a free port of a side, and its address.
async fn bind(side: &Side) -> (At<UdpSocket>, SocketAddr) {
    bind_to(side, side.v4).await
}

async fn bind_to(side: &Side, ip: IpAddr) -> (At<UdpSocket>, SocketAddr) {
    let any = (ip, 0).into();
    let mut socket = side.put(async move || UdpSocket::bind(any).unwrap()).await;
    let address = socket.with(async |socket| socket.local_addr().unwrap()).await;
    (socket, address)
}

async fn connect(socket: &mut At<UdpSocket>, to: SocketAddr) {
    socket.with(async move |socket| socket.connect(&to).unwrap()).await;
}

async fn send(socket: &mut At<UdpSocket>, bytes: &'static [u8]) {
    let sent = socket.with(async move |socket| socket.send(bytes).await.unwrap()).await;
    assert_eq!(sent, bytes.len());
}

async fn send_to(socket: &mut At<UdpSocket>, bytes: &'static [u8], to: SocketAddr) {
    let sent = socket.with(async move |socket| socket.send_to(bytes, &to).await.unwrap()).await;
    assert_eq!(sent, bytes.len());
}

/// A datagram, and who sent it.
async fn receive(socket: &mut At<UdpSocket>) -> (Vec<u8>, SocketAddr) {
    socket
        .with(async |socket| {
            let mut buffer = [0; 2048];
            let (received, from) = socket.recv_from(&mut buffer).await.unwrap();
            assert!(!received.truncated);
            (buffer[..received.length].to_vec(), from)
        })
        .await
}

/// The kind of the error that the next receive gives.
async fn refusal(socket: &mut At<UdpSocket>) -> ErrorKind {
    let received = socket.with(async |socket| socket.recv(&mut [0; 8]).await).await;
    received.unwrap_err().kind()
}

/// An address where nobody is.
async fn nobody(side: &Side) -> SocketAddr {
    let (socket, address) = bind(side).await;
    socket.close().await;
    address
}

pub(crate) async fn both_sides_know_who_sent(world: World) {
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let mut far = world.far.put(async move || UdpSocket::bind(any).unwrap()).await;
    let port = far.with(async |socket| socket.local_addr().unwrap().port()).await;
    let (mut near, address) = bind(&world.near).await;
    send_to(&mut near, b"question", (world.far.v4, port).into()).await;
    assert_eq!(receive(&mut far).await, (b"question".to_vec(), address));
    send_to(&mut far, b"answer", address).await;
    let answer = receive(&mut near).await;
    assert_eq!(answer, (b"answer".to_vec(), (world.far.v4, port).into()));
}

pub(crate) async fn a_connected_socket_hears_its_peer_alone(world: World) {
    let (mut near, address) = bind(&world.near).await;
    let (mut far, peer) = bind(&world.far).await;
    let (mut stranger, _) = bind(&world.far).await;
    connect(&mut near, peer).await;
    assert_eq!(near.with(async |socket| socket.peer_addr().unwrap()).await, peer);
    send_to(&mut stranger, b"strange", address).await;
    send_to(&mut far, b"known", address).await;
    assert_eq!(receive(&mut near).await, (b"known".to_vec(), peer));
    send(&mut near, b"back").await;
    assert_eq!(receive(&mut far).await, (b"back".to_vec(), address));
}

pub(crate) async fn a_socket_may_connect_again(world: World) {
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let mut near = world.near.put(async move || UdpSocket::bind(any).unwrap()).await;
    for _ in 0..2 {
        let (mut far, peer) = bind(&world.far).await;
        connect(&mut near, peer).await;
        let local = near.with(async |socket| socket.local_addr().unwrap()).await;
        assert_eq!(local.ip(), world.near.v4, "connecting chooses it");
        send(&mut near, b"hello").await;
        assert_eq!(receive(&mut far).await, (b"hello".to_vec(), local));
    }
}

pub(crate) async fn without_a_peer_there_is_nowhere_to_send(world: World) {
    let (mut near, _) = bind(&world.near).await;
    let refused = near.with(async |socket| socket.send(b"whereto?").await).await.unwrap_err();
    let wanted = rustix::io::Errno::DESTADDRREQ;
    assert_eq!(refused.raw_os_error(), Some(wanted.raw_os_error()));
    let peer = near.with(async |socket| socket.peer_addr()).await;
    assert_eq!(peer.unwrap_err().kind(), ErrorKind::NotConnected);
}

pub(crate) async fn an_empty_datagram_is_one(world: World) {
    let (mut near, address) = bind(&world.near).await;
    let (mut far, peer) = bind(&world.far).await;
    for bytes in [b"".as_slice(), b"full", b""] {
        send_to(&mut near, bytes, peer).await;
        assert_eq!(receive(&mut far).await, (bytes.to_vec(), address));
    }
}

pub(crate) async fn what_does_not_fit_is_lost(world: World) {
    let (mut near, _) = bind(&world.near).await;
    let (mut far, peer) = bind(&world.far).await;
    send_to(&mut near, b"too long for it", peer).await;
    send_to(&mut near, b"fits", peer).await;
    send_to(&mut near, b"unseen", peer).await;
    far.with(async |socket| {
        let mut buffer = [0; 4];
        let received = socket.recv(&mut buffer).await.unwrap();
        assert_eq!(received, Received { length: 4, truncated: true });
        assert_eq!(&buffer, b"too ");
        let received = socket.recv(&mut buffer).await.unwrap();
        assert_eq!(received, Received { length: 4, truncated: false });
        assert_eq!(&buffer, b"fits");
        let received = socket.recv(&mut []).await.unwrap();
        assert_eq!(received, Received { length: 0, truncated: true });
        assert_eq!(socket.try_recv(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
    })
    .await;
}

pub(crate) async fn a_peek_leaves_the_datagram(world: World) {
    let (mut near, address) = bind(&world.near).await;
    let (mut far, peer) = bind(&world.far).await;
    send_to(&mut near, b"look", peer).await;
    far.with(async move |socket| {
        let mut buffer = [0; 2];
        let (received, from) = socket.peek_from(&mut buffer).await.unwrap();
        assert_eq!((received, from), (Received { length: 2, truncated: true }, address));
    })
    .await;
    assert_eq!(receive(&mut far).await.0, b"look");
}

pub(crate) async fn nobody_there_refuses_a_connected_socket(world: World) {
    let (mut near, _) = bind(&world.near).await;
    let nobody = nobody(&world.far).await;
    connect(&mut near, nobody).await;
    for _ in 0..2 {
        send(&mut near, b"anybody there?").await;
        assert_eq!(refusal(&mut near).await, ErrorKind::ConnectionRefused);
        let empty = near.with(async |socket| socket.try_recv(&mut [0; 8])).await.unwrap_err();
        assert_eq!(empty.kind(), ErrorKind::WouldBlock, "told once");
    }
}

pub(crate) async fn an_unconnected_socket_is_not_told(world: World) {
    let (mut near, address) = bind(&world.near).await;
    let (mut far, peer) = bind(&world.far).await;
    let nobody = nobody(&world.far).await;
    send_to(&mut near, b"anybody there?", nobody).await;
    send_to(&mut far, b"I am", address).await;
    assert_eq!(receive(&mut near).await, (b"I am".to_vec(), peer));
    // Neither is one that is connected to somebody else.
    connect(&mut near, peer).await;
    send_to(&mut near, b"anybody there?", nobody).await;
    send_to(&mut far, b"still", address).await;
    assert_eq!(receive(&mut near).await, (b"still".to_vec(), peer));
}

pub(crate) async fn a_stranger_is_refused_by_a_connected_socket(world: World) {
    let (mut near, address) = bind(&world.near).await;
    let (known, peer) = bind(&world.far).await;
    connect(&mut near, peer).await;
    let (mut stranger, _) = bind(&world.far).await;
    connect(&mut stranger, address).await;
    send(&mut stranger, b"may I?").await;
    assert_eq!(refusal(&mut stranger).await, ErrorKind::ConnectionRefused);
    known.close().await;
}

pub(crate) async fn datagrams_come_in_their_order(world: World) {
    let (mut near, _) = bind(&world.near).await;
    let (mut far, peer) = bind(&world.far).await;
    near.with(async move |socket| {
        for number in 0..50u8 {
            socket.send_to(&[number], &peer).await.unwrap();
        }
    })
    .await;
    for number in 0..50 {
        assert_eq!(receive(&mut far).await.0, [number]);
    }
}

pub(crate) async fn what_finds_no_room_is_dropped(world: World) {
    let (mut near, _) = bind(&world.near).await;
    let (mut far, peer) = bind(&world.far).await;
    const SENT: u16 = 5000;
    near.with(async move |socket| {
        for number in 0..SENT {
            let mut datagram = [0; 1000];
            datagram[..2].copy_from_slice(&number.to_be_bytes());
            assert_eq!(socket.send_to(&datagram, &peer).await.unwrap(), 1000);
        }
    })
    .await;
    // One that finds room tells that the others have come or been dropped.
    let heard = Rc::new(Cell::new(false));
    let hears = Rc::clone(&heard);
    let repeat = near.with(async move |socket| {
        while !heard.get() {
            socket.send_to(b"room again", &peer).await.unwrap();
            net::sleep(Duration::from_millis(1)).await;
        }
    });
    let receive = far.with(async move |socket| {
        let (mut buffer, mut received) = ([0; 1000], 0);
        while socket.recv(&mut buffer).await.unwrap().length == 1000 {
            assert_eq!(buffer[..2], u16::to_be_bytes(received), "the first are kept");
            received += 1;
        }
        assert_eq!(&buffer[..10], b"room again");
        hears.set(true);
        received
    });
    let ((), received) = join!(repeat, receive);
    assert!(received > 0 && received < SENT, "{received}");
}

pub(crate) async fn no_datagram_would_block(world: World) {
    let (mut near, address) = bind(&world.near).await;
    let (mut far, _) = bind(&world.far).await;
    let empty = near.with(async |socket| socket.try_recv(&mut [0; 8])).await.unwrap_err();
    assert_eq!(empty.kind(), ErrorKind::WouldBlock);
    let sent = far.with(async move |socket| socket.try_send_to(b"now", &address).unwrap());
    let (sent, received) = join!(sent, receive(&mut near));
    assert_eq!((sent, received.0), (3, b"now".to_vec()));
}

pub(crate) async fn a_bound_address_is_in_use(world: World) {
    let (socket, address) = bind(&world.near).await;
    let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
    for taken in [address, everywhere] {
        let refused = world.near.run(async move || UdpSocket::bind(taken).map(drop)).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::AddrInUse);
    }
    let foreign = SocketAddr::from(([192, 0, 2, 1], 0));
    let refused = world.near.run(async move || UdpSocket::bind(foreign).map(drop)).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::AddrNotAvailable);
    // TCP has its own ports. Somebody else's socket may have this one.
    let mut taken = vec![socket];
    loop {
        let (socket, address) = bind(&world.near).await;
        taken.push(socket);
        if world.near.run(async move || TcpListener::bind(address).is_ok()).await {
            return;
        }
        assert!(taken.len() < 100, "TCP has none of these ports");
    }
}

pub(crate) async fn a_closed_socket_frees_its_port(world: World) {
    let (far, peer) = bind(&world.far).await;
    let (mut near, address) = bind(&world.near).await;
    connect(&mut near, peer).await;
    far.close().await;
    send(&mut near, b"anybody there?").await;
    assert_eq!(refusal(&mut near).await, ErrorKind::ConnectionRefused);
    let mut again = world.far.put(async move || UdpSocket::bind(peer).unwrap()).await;
    send(&mut near, b"and now?").await;
    assert_eq!(receive(&mut again).await, (b"and now?".to_vec(), address));
}

pub(crate) async fn a_datagram_that_is_too_long_is_refused(world: World) {
    let (mut near, _) = bind(&world.near).await;
    let (mut far, peer) = bind(&world.far).await;
    let long = near.with(async move |socket| socket.send_to(&[0; 65_508], &peer).await).await;
    let wanted = rustix::io::Errno::MSGSIZE;
    assert_eq!(long.unwrap_err().raw_os_error(), Some(wanted.raw_os_error()));
    let sent = near.with(async move |socket| socket.send_to(&[7; 65_507], &peer).await.unwrap());
    assert_eq!(sent.await, 65_507);
    let received = far.with(async |socket| {
        let mut buffer = vec![0; 70_000];
        let received = socket.recv(&mut buffer).await.unwrap();
        (received, buffer[65_506])
    });
    assert_eq!(received.await, (Received { length: 65_507, truncated: false }, 7));
}

pub(crate) async fn version_six_carries_datagrams(world: World) {
    let (Some(near_ip), Some(far_ip)) = (world.near.v6, world.far.v6) else { return };
    let (mut near, address) = bind_to(&world.near, near_ip).await;
    let (mut far, peer) = bind_to(&world.far, far_ip).await;
    send_to(&mut near, b"six", peer).await;
    assert_eq!(receive(&mut far).await, (b"six".to_vec(), address));
}

pub(crate) async fn an_address_of_the_other_version_is_refused(world: World) {
    let Some(far_ip) = world.far.v6 else { return };
    let (mut near, _) = bind(&world.near).await;
    let wanted = rustix::io::Errno::AFNOSUPPORT.raw_os_error();
    let refused = near.with(async move |socket| {
        let to = (far_ip, 7).into();
        (socket.send_to(b"six", &to).await.unwrap_err(), socket.connect(&to).unwrap_err())
    });
    let (sent, connected) = refused.await;
    assert_eq!((sent.raw_os_error(), connected.raw_os_error()), (Some(wanted), Some(wanted)));
}
