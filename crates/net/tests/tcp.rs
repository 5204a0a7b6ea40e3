//! TCP streams and listeners, over every backend of this machine.

mod socket_util;

use std::cell::Cell;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv6Addr, Shutdown, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use net::{Backend, EventLoop, TcpListener, TcpStream};
use socket_util::{
    FEW_TURNS, LARGE, any_port, drain_in_a_thread, fill, on_every_backend, pair, pair_with_plain,
    plain_client, read_exactly, read_to_end, reset, turns_within, within_limit,
};
use socket2::{Domain, Socket, Type};

async fn both_sides_know_each_other(address: SocketAddr) {
    let listener = TcpListener::bind(address).unwrap();
    let bound = listener.local_addr().unwrap();
    assert_eq!(bound.ip(), address.ip());
    assert_ne!(bound.port(), 0);
    let client = TcpStream::connect(bound).await.unwrap();
    let (server, peer) = listener.accept().await.unwrap();
    assert_eq!(client.peer_addr().unwrap(), bound);
    assert_eq!(server.local_addr().unwrap(), bound);
    assert_eq!(client.local_addr().unwrap(), peer);
    assert_eq!(server.peer_addr().unwrap(), peer);
}

#[test]
fn both_sides_know_each_others_address() {
    on_every_backend(|| both_sides_know_each_other(any_port()));
}

#[test]
fn ipv6_works_as_ipv4_does() {
    let address = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
    if std::net::TcpListener::bind(address).is_err() {
        println!("SKIPPED: no IPv6 loopback here");
        return;
    }
    on_every_backend(move || both_sides_know_each_other(address));
}

#[test]
fn a_refused_connect_gives_its_own_error() {
    on_every_backend(|| async {
        // It is bound, so that nobody else has the port, and does not listen.
        let held = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        held.bind(&any_port().into()).unwrap();
        let address = held.local_addr().unwrap().as_socket().unwrap();
        let error = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{error}");
    });
}

#[test]
fn a_busy_address_is_refused_at_bind() {
    on_every_backend(|| async {
        let listener = TcpListener::bind(any_port()).unwrap();
        let error = TcpListener::bind(listener.local_addr().unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
    });
}

#[test]
fn every_way_to_read_and_write_carries_the_same_bytes() {
    on_every_backend(|| async {
        let (mut client, mut server) = pair().await;
        assert_eq!(client.write(b"one").await.unwrap(), 3);
        let mut buffer = [0; 16];
        assert_eq!(server.read(&mut buffer).await.unwrap(), 3);
        assert_eq!(&buffer[..3], b"one");

        server.write_all(b"two").await.unwrap();
        let chunk = client.chunk().await.unwrap().unwrap();
        assert_eq!(&*chunk, b"two");

        drop(client);
        assert!(server.chunk().await.unwrap().is_none());
        assert_eq!(server.read(&mut buffer).await.unwrap(), 0, "the end stays the end");
    });
}

#[test]
fn an_empty_buffer_loses_nothing() {
    on_every_backend(|| async {
        let (mut client, mut server) = pair().await;
        assert_eq!(client.write(b"").await.unwrap(), 0);
        client.write_all(b"").await.unwrap();
        client.write_all(b"data").await.unwrap();
        assert_eq!(server.read(&mut []).await.unwrap(), 0);
        assert_eq!(server.read(&mut []).await.unwrap(), 0);
        assert_eq!(read_exactly(&mut server, 4).await, b"data");
    });
}

#[test]
fn a_chunk_is_never_larger_than_it_says() {
    on_every_backend(|| async {
        let (mut client, mut server) = pair().await;
        client.write_all(&[7; 3 * net::CHUNK_SIZE]).await.unwrap();
        let mut left = 3 * net::CHUNK_SIZE;
        while left > 0 {
            let chunk = server.chunk().await.unwrap().unwrap();
            assert!((1..=net::CHUNK_SIZE).contains(&chunk.len()));
            assert!(chunk.iter().all(|byte| *byte == 7));
            left -= chunk.len();
        }
    });
}

/// Byte number `at` of a large transfer.
fn pattern(at: usize) -> u8 {
    (at % 251) as u8
}

async fn send_pattern(mut writer: net::WriteHalf, length: usize) {
    let bytes: Vec<u8> = (0..length).map(pattern).collect();
    writer.write_all(&bytes).await.unwrap();
    writer.shutdown().unwrap();
}

/// Reads slowly: takes little at a time and gives up its turn in between.
async fn receive_pattern(mut reader: net::ReadHalf) -> usize {
    let (mut buffer, mut have) = (vec![0; 50_000], 0);
    loop {
        let read = reader.read(&mut buffer).await.unwrap();
        if read == 0 {
            return have;
        }
        for (at, byte) in buffer[..read].iter().enumerate() {
            assert_eq!(*byte, pattern(have + at));
        }
        have += read;
        net::yield_now().await;
    }
}

#[test]
fn large_transfers_go_both_ways_at_once_through_halves_in_four_tasks() {
    const LENGTH: usize = 4 << 20;
    on_every_backend(|| async {
        let (client, server) = pair().await;
        let (client_reader, client_writer) = client.split();
        let (server_reader, server_writer) = server.split();
        let up = net::spawn(send_pattern(client_writer, LENGTH));
        let down = net::spawn(send_pattern(server_writer, LENGTH));
        let at_server = net::spawn(receive_pattern(server_reader));
        let at_client = net::spawn(receive_pattern(client_reader));
        assert_eq!(at_server.await.unwrap(), LENGTH);
        assert_eq!(at_client.await.unwrap(), LENGTH);
        up.await.unwrap();
        down.await.unwrap();
    });
}

#[test]
fn a_reader_that_does_not_read_stops_the_writer() {
    on_every_backend(|| async {
        let (mut stream, plain) = pair_with_plain().await;
        let filled = fill(&mut stream).await;
        assert!(filled < LARGE, "{filled} bytes are on their way to nobody");
        let reader = drain_in_a_thread(plain);
        let rest = vec![b'r'; LARGE];
        stream.write_all(&rest).await.unwrap();
        drop(stream);
        assert_eq!(reader.join().unwrap(), filled + LARGE);
    });
}

#[test]
fn halves_of_one_connection_become_one_again() {
    on_every_backend(|| async {
        let (mut client, server) = pair().await;
        let (mut reader, mut writer) = server.split();
        client.write_all(b"question").await.unwrap();
        assert_eq!(&*reader.chunk().await.unwrap().unwrap(), b"question");
        writer.write(b"answer").await.unwrap();
        let mut server = reader.reunite(writer).unwrap();
        assert_eq!(read_exactly(&mut client, 6).await, b"answer");
        client.write_all(b"more").await.unwrap();
        assert_eq!(read_exactly(&mut server, 4).await, b"more");
    });
}

#[test]
fn halves_of_two_connections_come_back() {
    on_every_backend(|| async {
        let ((mut client, server), (other, _kept)) = (pair().await, pair().await);
        let (reader, writer) = server.split();
        let (other_reader, other_writer) = other.split();
        let net::ReuniteError(reader, other_writer) = reader.reunite(other_writer).unwrap_err();
        other_reader.reunite(other_writer).unwrap();
        let mut server = reader.reunite(writer).unwrap();
        client.write_all(b"well").await.unwrap();
        assert_eq!(read_exactly(&mut server, 4).await, b"well");
    });
}

#[test]
fn a_connection_closes_with_its_second_half_and_not_with_the_first() {
    on_every_backend(|| async {
        let (mut client, server) = pair().await;
        let (reader, mut writer) = server.split();
        drop(reader);
        writer.write_all(b"still here").await.unwrap();
        assert_eq!(read_exactly(&mut client, 10).await, b"still here");
        drop(writer);
        assert_eq!(read_to_end(&mut client).await, b"");
    });
}

#[test]
fn each_direction_is_closed_by_itself() {
    on_every_backend(|| async {
        let (mut client, mut server) = pair().await;
        client.write_all(b"that was all").await.unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_to_end(&mut server).await, b"that was all");
        server.write_all(b"an answer all the same").await.unwrap();
        server.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_to_end(&mut client).await, b"an answer all the same");
        let error = client.write_all(b"too late").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn closing_the_read_direction_ends_a_read_that_waits() {
    on_every_backend(|| async {
        let (mut client, _server) = pair().await;
        client.shutdown(Shutdown::Read).unwrap();
        assert_eq!(read_to_end(&mut client).await, b"");
    });
}

#[test]
fn a_half_that_shuts_down_ends_the_other_sides_read() {
    on_every_backend(|| async {
        let (client, mut server) = pair().await;
        let waits = net::spawn(async move { read_to_end(&mut server).await });
        net::yield_now().await;
        let (_reader, mut writer) = client.split();
        writer.shutdown().unwrap();
        assert_eq!(waits.await.unwrap(), b"");
    });
}

#[test]
fn a_reset_by_the_peer_is_an_error_of_the_read_that_waits() {
    on_every_backend(|| async {
        let (mut stream, plain) = pair_with_plain().await;
        let reader = net::spawn(async move { stream.chunk().await.map(drop) });
        net::yield_now().await;
        reset(plain);
        let error = reader.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn a_reset_by_the_peer_is_an_error_of_the_write_that_waits() {
    on_every_backend(|| async {
        let (mut stream, plain) = pair_with_plain().await;
        fill(&mut stream).await;
        let writer = net::spawn(async move { stream.write_all(b"more").await });
        net::yield_now().await;
        reset(plain);
        let kind = writer.await.unwrap().unwrap_err().kind();
        assert!(matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{kind}");
    });
}

#[test]
fn writing_to_a_peer_that_closed_is_an_error_and_no_signal() {
    on_every_backend(|| async {
        let (mut stream, plain) = pair_with_plain().await;
        drop(plain);
        for _ in 0..1_000 {
            match stream.write_all(b"anybody there?").await {
                Ok(()) => net::yield_now().await,
                Err(error) => {
                    let expected = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
                    assert!(expected.contains(&error.kind()), "{error}");
                    return;
                }
            }
        }
        panic!("a peer that closed takes everything");
    });
}

#[test]
fn options_are_what_they_were_set_to() {
    on_every_backend(|| async {
        let (client, _server) = pair().await;
        for on in [true, false] {
            client.set_nodelay(on).unwrap();
            assert_eq!(client.nodelay().unwrap(), on);
        }
        for idle in [Some(Duration::from_secs(7)), None] {
            client.set_keepalive(idle).unwrap();
            assert_eq!(client.keepalive().unwrap(), idle.is_some());
        }
        for linger in [Some(Duration::from_secs(3)), None] {
            client.set_linger(linger).unwrap();
            assert_eq!(client.linger().unwrap(), linger);
        }
        client.set_ttl(42).unwrap();
        assert_eq!(client.ttl().unwrap(), 42);
        client.set_recv_buffer_size(20_000).unwrap();
        assert!(client.recv_buffer_size().unwrap() >= 20_000);
        client.set_send_buffer_size(20_000).unwrap();
        assert!(client.send_buffer_size().unwrap() >= 20_000);
        assert!(client.take_error().unwrap().is_none());
    });
}

#[test]
fn the_time_to_live_of_an_ipv6_connection_is_its_hop_limit() {
    let address = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
    if std::net::TcpListener::bind(address).is_err() {
        println!("SKIPPED: no IPv6 loopback here");
        return;
    }
    on_every_backend(move || async move {
        let listener = TcpListener::bind(address).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        client.set_ttl(42).unwrap();
        assert_eq!(client.ttl().unwrap(), 42);
        #[cfg(target_os = "linux")]
        assert_eq!(duplicate(&client).unicast_hops_v6().unwrap(), 42);
    });
}

/// The descriptor behind a stream, found by its address.
#[cfg(target_os = "linux")]
fn duplicate(stream: &TcpStream) -> Socket {
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
    let this = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
    let address = stream.local_addr().unwrap();
    let entries = std::fs::read_dir("/proc/self/fd").unwrap();
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|number| pidfd_getfd(&this, number, PidfdGetfdFlags::empty()).ok())
        .map(Socket::from)
        .find(|socket| {
            socket.local_addr().ok().and_then(|found| found.as_socket()) == Some(address)
        })
        .expect("the stream has a descriptor")
}

const MOMENT: Duration = Duration::from_millis(5);

#[test]
fn a_read_that_was_given_up_can_be_made_again() {
    on_every_backend(|| async {
        let (mut client, mut server) = pair().await;
        for round in 0..3_u8 {
            assert!(net::timeout(MOMENT, server.chunk()).await.is_err());
            assert!(net::timeout(MOMENT, server.read(&mut [0])).await.is_err());
            client.write_all(&[round]).await.unwrap();
            assert_eq!(read_exactly(&mut server, 1).await, [round]);
        }
    });
}

#[test]
fn a_read_given_up_in_one_task_can_be_made_in_another() {
    on_every_backend(|| async {
        let (mut client, mut server) = pair().await;
        assert!(net::timeout(MOMENT, server.chunk()).await.is_err());
        let reader = net::spawn(async move { read_exactly(&mut server, 3).await });
        net::yield_now().await;
        client.write_all(b"new").await.unwrap();
        assert_eq!(reader.await.unwrap(), b"new");
    });
}

#[test]
fn a_cancelled_task_leaves_its_half_free_for_nobody_to_wait_in() {
    on_every_backend(|| async {
        let (client, mut server) = pair().await;
        let (mut reader, mut writer) = client.split();
        let waits = net::spawn(async move { reader.chunk().await.map(drop) });
        net::yield_now().await;
        assert!(waits.cancel());
        writer.write_all(b"the other half works").await.unwrap();
        assert_eq!(read_exactly(&mut server, 20).await, b"the other half works");
    });
}

#[test]
fn a_write_that_was_given_up_can_be_made_again() {
    on_every_backend(|| async {
        let (mut stream, plain) = pair_with_plain().await;
        let filled = fill(&mut stream).await;
        assert!(net::timeout(MOMENT, stream.write(b"given up")).await.is_err());
        let reader = drain_in_a_thread(plain);
        stream.write_all(b"made again").await.unwrap();
        drop(stream);
        assert_eq!(reader.join().unwrap(), filled + 10);
    });
}

#[test]
fn an_accept_that_was_given_up_can_be_made_again() {
    on_every_backend(|| async {
        let listener = TcpListener::bind(any_port()).unwrap();
        for _ in 0..3 {
            assert!(net::timeout(MOMENT, listener.accept()).await.is_err());
            let plain = plain_client(listener.local_addr().unwrap());
            let (_, peer) = listener.accept().await.unwrap();
            assert_eq!(peer, plain.local_addr().unwrap());
        }
    });
}

/// A listener whose backlog is full: the next connect neither succeeds nor fails.
fn full_listener() -> (Socket, SocketAddr, Vec<std::net::TcpStream>) {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&any_port().into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let connect = || std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200));
    let held = std::iter::from_fn(|| connect().ok()).take(64).collect();
    (listener, address, held)
}

#[test]
fn a_connect_that_was_given_up_leaves_the_loop_well() {
    let (_listener, full, _held) = full_listener();
    on_every_backend(move || async move {
        assert!(net::timeout(10 * MOMENT, TcpStream::connect(full)).await.is_err());
        let (mut client, mut server) = pair().await;
        client.write_all(b"well").await.unwrap();
        assert_eq!(read_exactly(&mut server, 4).await, b"well");
    });
}

#[test]
fn an_operation_that_is_not_ready_says_so_at_once() {
    on_every_backend(|| async {
        let listener = TcpListener::bind(any_port()).unwrap();
        assert_eq!(listener.try_accept().unwrap_err().kind(), ErrorKind::WouldBlock);
        let mut plain = plain_client(listener.local_addr().unwrap());
        let (mut stream, _) = listener.accept().await.unwrap();
        let error = stream.try_read(&mut [0; 8]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        assert_eq!(stream.try_write(b"hello").unwrap(), 5);
        let mut answer = [0; 5];
        plain.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"hello");
    });
}

#[test]
fn a_socket_that_nobody_reads_does_not_spin() {
    for backend in Backend::available() {
        let event_loop = EventLoop::with_backend(*backend).unwrap();
        let (stream, mut plain) = within_limit(&event_loop, pair_with_plain());
        plain.write_all(b"nobody asked").unwrap();
        let turns = turns_within(&event_loop, Duration::from_millis(200));
        assert!(turns < FEW_TURNS, "{backend}: {turns} turns over unread bytes");
        plain.shutdown(Shutdown::Both).unwrap();
        let turns = turns_within(&event_loop, Duration::from_millis(200));
        assert!(turns < FEW_TURNS, "{backend}: {turns} turns over a hangup");
        let mut stream = stream;
        let read = within_limit(&event_loop, async move { read_to_end(&mut stream).await });
        assert_eq!(read, b"nobody asked", "{backend}");
    }
}

#[test]
fn a_listener_that_nobody_accepts_from_does_not_spin() {
    for backend in Backend::available() {
        let event_loop = EventLoop::with_backend(*backend).unwrap();
        let listener = event_loop.enter(|| TcpListener::bind(any_port())).unwrap();
        let _plain = plain_client(listener.local_addr().unwrap());
        let turns = turns_within(&event_loop, Duration::from_millis(200));
        assert!(turns < FEW_TURNS, "{backend}: {turns} turns over a backlog");
        within_limit(&event_loop, async move { listener.accept().await.map(drop) }).unwrap();
    }
}

#[test]
fn a_wait_that_was_given_up_does_not_spin() {
    for backend in Backend::available() {
        let event_loop = EventLoop::with_backend(*backend).unwrap();
        let (stream, mut plain) = within_limit(&event_loop, async {
            let (mut stream, plain) = pair_with_plain().await;
            fill(&mut stream).await;
            assert!(net::timeout(MOMENT, stream.write(b"given up")).await.is_err());
            assert!(net::timeout(MOMENT, stream.chunk()).await.is_err());
            (stream, plain)
        });
        plain.write_all(b"unread").unwrap();
        let reader = drain_in_a_thread(plain.try_clone().unwrap());
        let turns = turns_within(&event_loop, Duration::from_millis(200));
        assert!(turns < FEW_TURNS, "{backend}: {turns} turns with nobody waiting");
        event_loop.enter(|| drop(stream));
        assert!(reader.join().unwrap() > 0);
    }
}

#[test]
fn a_reader_that_waits_does_not_make_the_unread_write_direction_spin() {
    for backend in Backend::available() {
        let event_loop = EventLoop::with_backend(*backend).unwrap();
        let (mut stream, mut plain) = within_limit(&event_loop, pair_with_plain());
        let read = Rc::new(Cell::new(0));
        let count = Rc::clone(&read);
        let reader = event_loop.spawn(async move {
            while let Some(chunk) = stream.chunk().await.unwrap() {
                count.set(count.get() + chunk.len());
            }
        });
        let turns = turns_within(&event_loop, Duration::from_millis(200));
        assert!(turns < FEW_TURNS, "{backend}: {turns} turns with a reader that waits");
        plain.write_all(b"at last").unwrap();
        drop(plain);
        within_limit(&event_loop, async { reader.await.unwrap() });
        assert_eq!(read.get(), 7);
    }
}

#[test]
fn many_connections_at_once_are_all_served() {
    const CLIENTS: usize = 300;
    on_every_backend(|| async {
        let listener = TcpListener::bind(any_port()).unwrap();
        let address = listener.local_addr().unwrap();
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                net::spawn(async move {
                    let mut client = TcpStream::connect(address).await.unwrap();
                    let question = (number as u32).to_be_bytes();
                    client.write_all(&question).await.unwrap();
                    assert_eq!(read_exactly(&mut client, 4).await, question);
                })
            })
            .collect();
        for _ in 0..CLIENTS {
            let (mut stream, _) = listener.accept().await.unwrap();
            drop(net::spawn(async move {
                let question = read_exactly(&mut stream, 4).await;
                stream.write_all(&question).await.unwrap();
            }));
        }
        for client in clients {
            client.await.unwrap();
        }
    });
}

/// What an operation that had to wait was refused with.
fn refused<T: std::fmt::Debug>(result: std::io::Result<T>) -> net::WrongLoop {
    let error = result.unwrap_err();
    *error.get_ref().and_then(|inner| inner.downcast_ref()).expect("the loop's own error")
}

#[test]
fn a_socket_that_outlives_its_loop_refuses_to_wait() {
    for backend in Backend::available() {
        let event_loop = EventLoop::with_backend(*backend).unwrap();
        let (mut stream, plain) = within_limit(&event_loop, pair_with_plain());
        drop(event_loop);
        let read = futures_lite::future::block_on(stream.chunk());
        assert_eq!(refused(read), net::WrongLoop::Gone, "{backend}");
        let other = EventLoop::with_backend(*backend).unwrap();
        let read = within_limit(&other, async move { stream.chunk().await });
        assert_eq!(refused(read), net::WrongLoop::Gone, "{backend}");
        drop(plain);
    }
}

#[test]
fn a_socket_of_another_loop_refuses_to_wait() {
    for backend in Backend::available() {
        let home = EventLoop::with_backend(*backend).unwrap();
        let (mut stream, mut plain) = within_limit(&home, pair_with_plain());
        let other = EventLoop::with_backend(*backend).unwrap();
        let mut stream = within_limit(&other, async move {
            let read = stream.chunk().await;
            assert_eq!(refused(read), net::WrongLoop::Other);
            stream
        });
        plain.write_all(b"home again").unwrap();
        let read = within_limit(&home, async move { read_exactly(&mut stream, 10).await });
        assert_eq!(read, b"home again");
    }
}

#[test]
fn sockets_need_a_loop() {
    let error = TcpListener::bind(any_port()).unwrap_err();
    assert!(error.get_ref().unwrap().is::<net::NoLoop>(), "{error}");
    let connect = TcpStream::connect(([127, 0, 0, 1], 1).into());
    let error = futures_lite::future::block_on(connect).unwrap_err();
    assert!(error.get_ref().unwrap().is::<net::NoLoop>(), "{error}");
}
