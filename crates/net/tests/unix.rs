//! Unix streams and listeners, over every backend of this machine.
#![cfg(unix)]
#![cfg_attr(not(target_os = "linux"), allow(dead_code, unused_imports))] // of tests for Linux alone

mod socket_util;

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream as Plain;
use std::rc::Rc;
use std::time::Duration;

use futures_lite::future::block_on;
use generator::Gen;
use net::{
    Address, AlreadyWaiting, Ask, Direction, EventLoop, NoLoop, UNIX_PAUSE, UnixAddr, UnixListener,
    UnixStream, WaitKind, WrongLoop, handlers,
};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use socket_util::{
    FEW_TURNS, Folder, LARGE, LIMIT, fill, on_every_backend, read_exactly, read_to_end,
    turns_within,
};
use socket2::{Domain, SockAddr, Socket, Type};

#[track_caller]
fn cause<E: std::error::Error + 'static>(error: &io::Error) -> &E {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    cause.unwrap_or_else(|| panic!("another cause: {error:?}"))
}

/// A listener at a path, and its folder.
fn listener() -> (UnixListener, UnixAddr, Folder) {
    let folder = Folder::new();
    let address = UnixAddr::path(folder.path("socket"));
    (UnixListener::bind(address.clone()).unwrap(), address, folder)
}

/// A stream whose other side is a plain blocking socket.
async fn with_plain() -> (UnixStream, Plain) {
    let (listener, address, _folder) = listener();
    let UnixAddr::Path(path) = address else { unreachable!() };
    let plain = Plain::connect(path).unwrap();
    plain.set_read_timeout(Some(LIMIT)).unwrap();
    plain.set_write_timeout(Some(LIMIT)).unwrap();
    (listener.accept().await.unwrap().0, plain)
}

/// Sends `bytes` and, with them, a descriptor.
fn send_with(plain: &Plain, bytes: &[u8], descriptor: BorrowedFd<'_>) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let descriptors = [descriptor];
    assert!(ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)));
    let sent = sendmsg(plain, &[IoSlice::new(bytes)], &mut ancillary, SendFlags::empty());
    assert_eq!(sent, Ok(bytes.len()));
}

async fn both_sides_know_each_other(address: UnixAddr) {
    let listener = UnixListener::bind(address.clone()).unwrap();
    assert_eq!(listener.local_addr().unwrap(), address);
    let mut client = UnixStream::connect(address.clone()).await.unwrap();
    let (mut server, peer) = listener.accept().await.unwrap();
    assert_eq!(peer, UnixAddr::Unnamed);
    assert_eq!(client.local_addr().unwrap(), UnixAddr::Unnamed);
    assert_eq!(client.peer_addr().unwrap(), address);
    assert_eq!(server.local_addr().unwrap(), address);
    assert_eq!(server.peer_addr().unwrap(), UnixAddr::Unnamed);
    client.write_all(b"question").await.unwrap();
    assert_eq!(read_exactly(&mut server, 8).await, b"question");
    server.write_all(b"answer").await.unwrap();
    drop(server);
    assert_eq!(read_to_end(&mut client).await, b"answer");
}

#[test]
fn a_path_reaches_its_listener() {
    on_every_backend(|| async {
        let folder = Folder::new();
        both_sides_know_each_other(UnixAddr::path(folder.path("socket"))).await;
        assert!(folder.path("socket").exists(), "nobody removes the file but the user");
    });
}

/// Abstract names that end where they should.
#[cfg(target_os = "linux")]
fn names() -> [Vec<u8>; 5] {
    let name = |end: &[u8]| [format!("net-{}-", std::process::id()).as_bytes(), end].concat();
    let full = [name(b""), vec![b'x'; 107]].concat()[..107].to_vec();
    [name(b"plain"), name(b"\0"), name(b"in\0side"), name(b"\xff\n"), full]
}

#[cfg(target_os = "linux")]
#[test]
fn an_abstract_name_reaches_its_listener_and_ends_with_it() {
    on_every_backend(|| async {
        for name in names() {
            let address = UnixAddr::Abstract(name);
            both_sides_know_each_other(address.clone()).await;
            let error = UnixStream::connect(address.clone()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{address}");
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_client_that_has_a_name_is_known_by_it() {
    on_every_backend(|| async {
        let (listener, address, folder) = listener();
        let server = SockAddr::unix(folder.path("socket")).unwrap();
        let named = [
            (SockAddr::unix(folder.path("client")).unwrap(), UnixAddr::path(folder.path("client"))),
            (SockAddr::unix("\0net-client").unwrap(), UnixAddr::Abstract(b"net-client".to_vec())),
            // A name of no bytes is a name.
            (SockAddr::unix("\0").unwrap(), UnixAddr::Abstract(Vec::new())),
        ];
        for (name, expected) in named {
            let client = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
            client.bind(&name).unwrap();
            client.connect(&server).unwrap();
            let (accepted, peer) = listener.accept().await.unwrap();
            assert_eq!((&peer, &accepted.peer_addr().unwrap()), (&expected, &expected));
            assert_eq!(accepted.local_addr().unwrap(), address);
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_client_whose_path_fills_its_address_is_accepted() {
    on_every_backend(|| async {
        let (listener, _, folder) = listener();
        // 108 bytes, which leave no room for a zero byte at the end.
        let mut path = folder.path("").into_os_string().into_string().unwrap();
        path.extend(std::iter::repeat_n('x', 108 - path.len()));
        let client = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        let address = rustix::net::SocketAddrUnix::new(path.as_str()).unwrap();
        rustix::net::bind(&client, &address).unwrap();
        client.connect(&SockAddr::unix(folder.path("socket")).unwrap()).unwrap();
        let (mut accepted, peer) = listener.accept().await.unwrap();
        assert_eq!(peer, UnixAddr::path(&path));
        assert_eq!(accepted.peer_addr().unwrap(), peer);
        (&client).write_all(b"hello").unwrap();
        assert_eq!(read_exactly(&mut accepted, 5).await, b"hello");
        let error = UnixStream::connect(peer).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "it has no room here: {error}");
    });
}

#[test]
fn a_path_that_is_no_address_is_refused() {
    let folder = Folder::new();
    let long = folder.path(&"x".repeat(200));
    let paths = ["".into(), "zero\0byte".into(), "\0hidden".into(), long];
    on_every_backend(move || {
        let addresses: Vec<_> = paths.iter().map(UnixAddr::path).collect();
        async move {
            for address in addresses.into_iter().chain([UnixAddr::Unnamed]) {
                let error = UnixListener::bind(address.clone()).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidInput, "{address:?}: {error}");
                let error = UnixStream::connect(address.clone()).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidInput, "{address:?}: {error}");
            }
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn an_abstract_name_that_is_too_long_is_refused() {
    on_every_backend(|| async {
        let error = UnixListener::bind(UnixAddr::Abstract(vec![b'x'; 108])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    });
}

#[test]
fn an_address_that_nobody_listens_on_refuses_with_its_own_error() {
    on_every_backend(|| async {
        let (listener, address, folder) = listener();
        let missing = UnixAddr::path(folder.path("missing"));
        let error = UnixStream::connect(missing).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        let nowhere = UnixAddr::path(folder.path("no folder/socket"));
        assert_eq!(UnixListener::bind(nowhere).unwrap_err().kind(), ErrorKind::NotFound);

        let error = UnixListener::bind(address.clone()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        drop(listener);
        // The file is still there, and nobody listens.
        let error = UnixStream::connect(address.clone()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{error}");
        let error = UnixListener::bind(address.clone()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        std::fs::remove_file(folder.path("socket")).unwrap();
        UnixListener::bind(address).unwrap();
    });
}

#[test]
fn a_pair_has_no_address_and_carries_bytes_both_ways() {
    on_every_backend(|| async {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        for address in [near.local_addr(), near.peer_addr(), far.local_addr(), far.peer_addr()] {
            assert_eq!(address.unwrap(), UnixAddr::Unnamed);
        }
        near.write_all(b"there").await.unwrap();
        far.write_all(b"back").await.unwrap();
        assert_eq!(read_exactly(&mut near, 4).await, b"back");
        assert_eq!(read_exactly(&mut far, 5).await, b"there");
    });
}

#[test]
fn a_half_close_ends_one_direction() {
    on_every_backend(|| async {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        near.write_all(b"last words").await.unwrap();
        near.shutdown(Shutdown::Write).unwrap();
        let error = near.write(b"one more").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        assert_eq!(read_to_end(&mut far).await, b"last words");
        assert_eq!(read_to_end(&mut far).await, b"", "the end stays the end");
        far.write_all(b"answer").await.unwrap();
        drop(far);
        assert_eq!(read_to_end(&mut near).await, b"answer");
    });
}

#[test]
fn a_half_close_with_data_reaches_a_reader_that_waits() {
    on_every_backend(|| async {
        let (mut stream, mut plain) = with_plain().await;
        let reader = net::spawn(async move { read_to_end(&mut stream).await });
        net::yield_now().await;
        plain.write_all(b"all").unwrap();
        plain.shutdown(Shutdown::Write).unwrap();
        assert_eq!(reader.await.unwrap(), b"all");
    });
}

#[test]
fn writing_to_who_is_gone_is_an_error_and_no_signal() {
    on_every_backend(|| async {
        let (mut near, far) = UnixStream::pair().unwrap();
        drop(far);
        let error = near.write_all(b"anybody?").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe, "{error}");
        assert!(near.chunk().await.unwrap().is_none());
    });
}

#[test]
fn a_writer_waits_for_room_and_goes_on() {
    on_every_backend(|| async {
        let (mut stream, mut plain) = with_plain().await;
        let filled = fill(&mut stream).await;
        assert!(filled < LARGE, "{filled} bytes are on their way to nobody");
        let reader = std::thread::spawn(move || io::copy(&mut plain, &mut io::sink()).unwrap());
        stream.write_all(&vec![b'r'; LARGE]).await.unwrap();
        drop(stream);
        assert_eq!(reader.join().unwrap(), (filled + LARGE) as u64);
    });
}

#[test]
fn bytes_behind_passed_descriptors_are_delivered_and_the_descriptors_closed() {
    const MESSAGES: usize = 20;
    on_every_backend(|| async {
        let (mut stream, mut plain) = with_plain().await;
        let (mut passed, writer) = io::pipe().unwrap();
        plain.write_all(b"before").unwrap();
        let mut expected = b"before".to_vec();
        for _ in 0..MESSAGES {
            send_with(&plain, b"with", writer.as_fd());
            plain.write_all(b"behind").unwrap();
            expected.extend(b"withbehind");
        }
        assert_eq!(read_exactly(&mut stream, expected.len()).await, expected);
        drop(writer);
        // All copies of the writing end are closed, so that the pipe has ended.
        assert_eq!(passed.read(&mut [0; 1]).unwrap(), 0);
        drop(plain);
        assert!(stream.chunk().await.unwrap().is_none());
    });
}

#[test]
fn bytes_behind_passed_descriptors_reach_a_reader_that_waits() {
    on_every_backend(|| async {
        let (mut stream, mut plain) = with_plain().await;
        let reader = net::spawn(async move {
            for _ in 0..10 {
                assert_eq!(read_exactly(&mut stream, 10).await, b"withbehind");
            }
        });
        for _ in 0..10 {
            net::yield_now().await;
            net::sleep(Duration::from_millis(1)).await;
            send_with(&plain, b"with", io::stderr().as_fd());
            plain.write_all(b"behind").unwrap();
        }
        reader.await.unwrap();
    });
}

#[test]
fn descriptors_one_after_the_other_and_then_the_end_are_delivered() {
    on_every_backend(|| async {
        let (mut stream, plain) = with_plain().await;
        for byte in b"abcdef" {
            send_with(&plain, &[*byte], io::stderr().as_fd());
        }
        plain.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_to_end(&mut stream).await, b"abcdef");
    });
}

/// A plain listener whose backlog is full, who fills it, and its address.
fn full() -> (Socket, Vec<Socket>, UnixAddr, Folder) {
    let folder = Folder::new();
    let path = folder.path("full");
    let address = SockAddr::unix(&path).unwrap();
    let listener = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    listener.bind(&address).unwrap();
    listener.listen(0).unwrap();
    let mut waiting = Vec::new();
    loop {
        let client = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        client.set_nonblocking(true).unwrap();
        match client.connect(&address) {
            Ok(()) => waiting.push(client),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
                return (listener, waiting, UnixAddr::path(path), folder);
            }
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_connect_waits_until_a_full_backlog_has_room() {
    on_every_backend(|| async {
        let (listener, waiting, address, _folder) = full();
        let client = net::spawn(UnixStream::connect(address));
        net::sleep(2 * UNIX_PAUSE).await;
        assert!(!client.is_finished(), "there is no room");
        for _ in &waiting {
            listener.accept().unwrap();
        }
        let mut client = client.await.unwrap().unwrap();
        let (mut served, _) = listener.accept().unwrap();
        served.write_all(b"your turn").unwrap();
        assert_eq!(read_exactly(&mut client, 9).await, b"your turn");
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_connect_that_waits_ends_with_the_listener_and_leaves_nothing_when_it_is_dropped() {
    on_every_backend(|| async {
        let (listener, waiting, address, _folder) = full();
        let dropped = net::spawn(UnixStream::connect(address.clone()));
        let refused = net::spawn(UnixStream::connect(address.clone()));
        net::yield_now().await;
        let timers = net::stats().timers;
        dropped.cancel();
        assert_eq!(net::stats().timers, timers - 1);
        drop(listener);
        let error = refused.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{error}");
        drop(waiting);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn the_process_at_the_other_end_is_known() {
    on_every_backend(|| async {
        let (near, far) = UnixStream::pair().unwrap();
        let credentials = near.peer_credentials().unwrap();
        assert_eq!(credentials.process, std::process::id() as i32);
        assert_eq!(credentials.user, rustix::process::geteuid().as_raw());
        assert_eq!(credentials.group, rustix::process::getegid().as_raw());
        assert_eq!(far.peer_credentials().unwrap(), credentials);
        let (stream, plain) = with_plain().await;
        drop(plain);
        assert_eq!(stream.peer_credentials().unwrap(), credentials, "it stays known");
    });
}

#[test]
fn halves_carry_a_lot_both_ways_at_once_in_four_tasks() {
    on_every_backend(|| async {
        let (listener, address, _folder) = listener();
        let served = net::spawn(async move {
            let (stream, peer) = listener.accept().await.unwrap();
            handlers::echo(stream, peer).await
        });
        let (mut reader, mut writer) = UnixStream::connect(address).await.unwrap().split();
        let sent = net::spawn(async move {
            writer.write_all(&vec![3; 1 << 20]).await.unwrap();
            writer.shutdown().unwrap();
            writer
        });
        let mut heard = 0;
        while let Some(chunk) = reader.chunk().await.unwrap() {
            assert!(chunk.iter().all(|byte| *byte == 3));
            heard += chunk.len();
        }
        assert_eq!(heard, 1 << 20);
        served.await.unwrap().unwrap();
        let stream = reader.reunite(sent.await.unwrap()).unwrap();
        assert_eq!(stream.local_addr().unwrap(), UnixAddr::Unnamed);
    });
}

#[test]
fn a_generator_accepts_reads_and_writes() {
    on_every_backend(|| async {
        let (listener, address, _folder) = listener();
        let served = net::spawn_generator(Gen::new(|co| async move {
            co.yield_(Ask::read(&listener)).await?;
            let (mut stream, _) = listener.try_accept()?;
            let (mut buffer, mut heard) = ([0; 3], Vec::new());
            loop {
                match stream.try_read(&mut buffer) {
                    Ok(0) => break,
                    Ok(length) => heard.extend_from_slice(&buffer[..length]),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        co.yield_(Ask::read(&stream)).await?;
                    }
                    Err(error) => return Err(error),
                }
            }
            co.yield_(Ask::write(&stream)).await?;
            stream.try_write(b"thanks")?;
            Ok(heard)
        }));
        let mut client = UnixStream::connect(address).await.unwrap();
        for bytes in [&b"one"[..], b"two and more"] {
            client.write_all(bytes).await.unwrap();
            net::yield_now().await;
        }
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_to_end(&mut client).await, b"thanks");
        assert_eq!(served.await.unwrap().unwrap(), b"onetwo and more");
    });
}

#[test]
fn a_listener_has_one_accepter() {
    on_every_backend(|| async {
        let (listener, address, _folder) = listener();
        let listener = Rc::new(listener);
        let accept = |listener: &Rc<UnixListener>| {
            let listener = Rc::clone(listener);
            net::spawn(async move { listener.accept().await.map(drop) })
        };
        let (first, second) = (accept(&listener), accept(&listener));
        let ids = (Some(first.id()), Some(second.id()));
        let error = second.await.unwrap().unwrap_err();
        let AlreadyWaiting { direction, first: waits, second } = *cause(&error);
        assert_eq!((direction, (waits, second)), (Direction::Read, ids));
        UnixStream::connect(address).await.unwrap();
        first.await.unwrap().unwrap();
    });
}

#[test]
fn the_listing_names_the_address_that_says_more() {
    on_every_backend(|| async {
        let (listener, address, _folder) = listener();
        let accepter = net::spawn(async move { listener.accept().await.unwrap().0 });
        let text = |id| net::tasks().into_iter().find(|task| task.id == id).unwrap().to_string();
        net::yield_now().await;
        assert!(text(accepter.id()).contains(&format!("waits to read {address} for ")));
        let mut client = UnixStream::connect(address.clone()).await.unwrap();
        let mut server = accepter.await.unwrap();
        let tasks = [
            net::spawn(async move { server.chunk().await.map(drop) }),
            net::spawn(async move { client.chunk().await.map(drop) }),
        ];
        net::yield_now().await;
        let addresses =
            [(address.clone(), UnixAddr::Unnamed), (UnixAddr::Unnamed, address.clone())];
        for (task, (local, peer)) in tasks.iter().zip(addresses) {
            let listed = net::tasks().into_iter().find(|listed| listed.id == task.id()).unwrap();
            let kind = WaitKind::Socket {
                direction: Direction::Read,
                local: Some(local.into()),
                peer: Some(peer.into()),
            };
            assert_eq!(listed.waits[0].kind, kind);
            // The other side, unless that has no name.
            assert!(text(task.id()).contains(&format!("to read {address} ")), "{listed}");
        }
        assert!(tasks.into_iter().all(|task| task.cancel()));
        let (mut near, _far) = UnixStream::pair().unwrap();
        let task = net::spawn(async move { near.chunk().await.map(drop) });
        net::yield_now().await;
        assert!(text(task.id()).contains("to read (unnamed) for "), "{}", text(task.id()));
        task.cancel();
    });
}

#[test]
fn addresses_are_written_as_they_are() {
    let address = Address::from(UnixAddr::path("/run/a b"));
    assert_eq!(address.to_string(), "/run/a b");
    assert_eq!(UnixAddr::try_from(address.clone()), Ok(UnixAddr::path("/run/a b")));
    assert_eq!(std::net::SocketAddr::try_from(address.clone()), Err(address));
    let address = Address::from(socket_util::any_port());
    assert_eq!(UnixAddr::try_from(address.clone()), Err(address));
    assert_eq!(UnixAddr::default(), UnixAddr::Unnamed);
    #[cfg(target_os = "linux")]
    assert_eq!(UnixAddr::Abstract(b"a\0b\xff".to_vec()).to_string(), "@a\\x00b\\xff");
}

#[test]
fn an_idle_stream_that_was_read_from_does_not_spin() {
    for backend in net::Backend::available() {
        let event_loop = EventLoop::with_backend(*backend).unwrap();
        let (mut near, mut far) = event_loop.enter(UnixStream::pair).unwrap();
        let tasks = [
            event_loop.spawn(async move { while near.chunk().await.unwrap().is_some() {} }),
            event_loop.spawn(async move {
                far.write_all(b"something").await.unwrap();
                far.chunk().await.map(drop).unwrap();
            }),
        ];
        let turns = turns_within(&event_loop, Duration::from_millis(50));
        assert!(turns <= FEW_TURNS, "{backend}: {turns} turns");
        drop(tasks);
    }
}

#[test]
fn a_stream_needs_a_loop_of_the_kernel() {
    let folder = Folder::new();
    let address = UnixAddr::path(folder.path("socket"));
    assert_eq!(cause::<NoLoop>(&UnixStream::pair().unwrap_err()), &NoLoop);
    assert_eq!(cause::<NoLoop>(&UnixListener::bind(address.clone()).unwrap_err()), &NoLoop);
    let error = block_on(UnixStream::connect(address.clone())).unwrap_err();
    assert_eq!(cause::<NoLoop>(&error), &NoLoop);
    let (manual, _clock) = EventLoop::manual();
    manual.enter(|| {
        assert_eq!(UnixStream::pair().unwrap_err().kind(), ErrorKind::Unsupported);
        let refused = UnixListener::bind(address.clone()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
    });
    assert!(!folder.path("socket").exists());
    let event_loop = EventLoop::new().unwrap();
    let (mut near, far) = event_loop.enter(UnixStream::pair).unwrap();
    drop(event_loop);
    let error = block_on(near.chunk()).unwrap_err();
    assert_eq!(cause::<WrongLoop>(&error), &WrongLoop::Gone);
    drop(far);
    assert_eq!(near.try_read(&mut [0; 8]).unwrap(), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_connect_to_a_full_backlog_outside_its_loop_is_an_error() {
    let event_loop = EventLoop::new().unwrap();
    let (_listener, _waiting, address, _folder) = full();
    let mut connect = Box::pin(UnixStream::connect(address));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    event_loop.enter(|| assert!(connect.as_mut().poll(&mut cx).is_pending()));
    drop(event_loop);
    let error = block_on(connect).unwrap_err();
    assert_eq!(cause::<WrongLoop>(&error), &WrongLoop::Gone);
}
