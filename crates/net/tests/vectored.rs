//! Vectored reads and writes, peeking, and waiting without reading, over every backend and for both
//! families of streams.
#![cfg(unix)]

mod socket_util;

use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use futures_util::future::join;
use futures_util::stream::{FuturesUnordered, StreamExt};
use net::{EventLoop, Family, Stream, UnixStream};
use socket_util::{
    FEW_TURNS, LARGE, fill, on_every_backend, pair, pair_with_plain, read_exactly, read_to_end,
    turns_within,
};

/// Runs `body` on a pair of TCP and one of Unix sockets, on every backend.
macro_rules! on_every_kind {
    ($body:ident) => {
        on_every_backend(|| async {
            let (near, far) = pair().await;
            $body(near, far).await;
            let (near, far) = UnixStream::pair().unwrap();
            $body(near, far).await;
        })
    };
}

/// The bytes of a large transfer.
fn patterned(length: usize) -> Vec<u8> {
    let pattern: Vec<u8> = (0..251).collect();
    pattern.repeat(length / 251 + 1)[..length].to_vec()
}

async fn one_after_the_other<K: Family>(mut near: Stream<K>, mut far: Stream<K>) {
    let words = [&b"one"[..], b"", b"two", b"three"].map(IoSlice::new);
    assert_eq!(near.write_vectored(&words).await.unwrap(), 11);
    let (mut first, mut none, mut second) = ([0; 4], [0; 0], [0; 16]);
    let mut buffers = [&mut first[..], &mut none, &mut second].map(IoSliceMut::new);
    assert_eq!(far.read_vectored(&mut buffers).await.unwrap(), 11);
    assert_eq!((&first, &second[..7]), (b"onet", &b"wothree"[..]));
    // What was short proved the socket empty or not: the next bytes come either way.
    for round in 0..50_u8 {
        near.write_vectored(&[IoSlice::new(&[round]), IoSlice::new(&[round])]).await.unwrap();
        let mut buffers = [&mut first[..], &mut second].map(IoSliceMut::new);
        assert_eq!(far.read_vectored(&mut buffers).await.unwrap(), 2);
        assert_eq!(first[..2], [round; 2]);
    }
    near.shutdown(Shutdown::Write).unwrap();
    let mut buffers = [&mut first[..], &mut second].map(IoSliceMut::new);
    assert_eq!(far.read_vectored(&mut buffers).await.unwrap(), 0);
}

#[test]
fn buffers_are_sent_and_filled_one_after_the_other() {
    on_every_kind!(one_after_the_other);
}

/// Buffers that are filled to the last byte leave bytes behind, and the end behind them.
async fn filled_is_not_empty<K: Family>(mut near: Stream<K>, mut far: Stream<K>) {
    near.write_all(b"abcdefgh").await.unwrap();
    near.shutdown(Shutdown::Write).unwrap();
    let (mut first, mut second) = ([0; 1], [0; 3]);
    for expected in [b"abcd", b"efgh"] {
        let mut buffers = [&mut first[..], &mut second].map(IoSliceMut::new);
        assert_eq!(far.read_vectored(&mut buffers).await.unwrap(), 4);
        assert_eq!([&first[..], &second].concat(), expected);
    }
    assert!(far.chunk().await.unwrap().is_none());
}

#[test]
fn a_vectored_read_that_fills_its_buffers_leaves_the_rest_for_the_next() {
    on_every_kind!(filled_is_not_empty);
}

/// Lists without buffers, or with empty ones, lose nothing.
async fn no_buffers<K: Family>(mut near: Stream<K>, mut far: Stream<K>) {
    assert_eq!(near.write_vectored(&[]).await.unwrap(), 0);
    assert_eq!(near.write_vectored(&[IoSlice::new(&[])]).await.unwrap(), 0);
    near.write_all(b"data").await.unwrap();
    assert_eq!(far.read_vectored(&mut []).await.unwrap(), 0);
    assert_eq!(far.read_vectored(&mut [IoSliceMut::new(&mut [])]).await.unwrap(), 0);
    assert_eq!(far.peek(&mut []).await.unwrap(), 0);
    assert_eq!(read_exactly(&mut far, 4).await, b"data");
}

#[test]
fn a_list_without_buffers_loses_nothing() {
    on_every_kind!(no_buffers);
}

/// More buffers than the system takes in one call.
async fn many_buffers<K: Family>(near: Stream<K>, far: Stream<K>) {
    const LENGTH: usize = 3_000;
    let (mut reader, mut writer) = (far, near);
    let bytes = patterned(2 * LENGTH);
    let sent = async {
        let mut sent = 0;
        while sent < bytes.len() {
            let slices: Vec<_> = bytes[sent..].chunks(2).map(IoSlice::new).collect();
            let some = writer.write_vectored(&slices).await.unwrap();
            assert_ne!(some, 0);
            sent += some;
        }
        writer.shutdown(Shutdown::Write).unwrap();
    };
    let received = async {
        let mut received = Vec::new();
        loop {
            let mut space = vec![0; LENGTH];
            let mut buffers: Vec<_> = space.chunks_mut(1).map(IoSliceMut::new).collect();
            match reader.read_vectored(&mut buffers).await.unwrap() {
                0 => return received,
                length => received.extend_from_slice(&space[..length]),
            }
        }
    };
    assert_eq!(join(sent, received).await.1, patterned(2 * LENGTH));
}

#[test]
fn more_buffers_than_the_system_takes_are_taken_in_part() {
    on_every_kind!(many_buffers);
}

/// A writer that runs out of room goes on where it was.
async fn partial_writes<K: Family>(mut near: Stream<K>, mut far: Stream<K>) {
    const LENGTH: usize = LARGE / 2;
    let filled = fill(&mut near).await;
    let writer = net::spawn(async move {
        let bytes = patterned(LENGTH);
        let (mut sent, mut partial) = (0, 0);
        while sent < LENGTH {
            let slices: Vec<_> = bytes[sent..].chunks(100_000).map(IoSlice::new).collect();
            let some = near.write_vectored(&slices).await.unwrap();
            sent += some;
            partial += usize::from(sent < LENGTH);
        }
        near.shutdown(Shutdown::Write).unwrap();
        partial
    });
    net::yield_now().await;
    assert!(read_exactly(&mut far, filled).await.iter().all(|byte| *byte == b'f'));
    let received = read_to_end(&mut far).await;
    assert!(received == patterned(LENGTH), "{} bytes came", received.len());
    assert!(writer.await.unwrap() > 0, "it never ran out of room");
}

#[test]
fn a_vectored_write_without_room_waits_and_goes_on() {
    on_every_kind!(partial_writes);
}

#[test]
fn a_vectored_write_to_who_is_gone_is_an_error_and_no_signal() {
    on_every_backend(|| async {
        let (mut near, far) = UnixStream::pair().unwrap();
        drop(far);
        let error = near.write_vectored(&[IoSlice::new(b"anybody?")]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        assert_eq!(near.read_vectored(&mut [IoSliceMut::new(&mut [0])]).await.unwrap(), 0);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_vectored_read_takes_what_is_behind_an_urgent_byte() {
    on_every_backend(|| async {
        let (mut stream, mut plain) = pair_with_plain().await;
        plain.write_all(b"before").unwrap();
        socket2::SockRef::from(&plain).send_out_of_band(b"!").unwrap();
        plain.write_all(b"behind").unwrap();
        let mut received = Vec::new();
        while received.len() < 12 {
            let (mut first, mut second) = ([0; 5], [0; 20]);
            let mut buffers = [&mut first[..], &mut second].map(IoSliceMut::new);
            let length = stream.read_vectored(&mut buffers).await.unwrap();
            received.extend_from_slice(&[&first[..], &second].concat()[..length]);
        }
        assert_eq!(received, b"beforebehind");
        drop(plain);
        assert!(stream.chunk().await.unwrap().is_none());
    });
}

/// What was looked at is read afterwards.
async fn peeks<K: Family>(mut near: Stream<K>, mut far: Stream<K>) {
    let mut buffer = [0; 8];
    assert!(net::timeout(Duration::from_millis(1), far.peek(&mut buffer)).await.is_err());
    near.write_all(b"peek").await.unwrap();
    for _ in 0..100 {
        buffer.fill(0);
        assert_eq!(far.peek(&mut buffer).await.unwrap(), 4);
        assert_eq!(&buffer[..4], b"peek");
        assert_eq!(far.peek(&mut buffer[..2]).await.unwrap(), 2);
    }
    assert_eq!(far.read(&mut buffer[..1]).await.unwrap(), 1);
    assert_eq!(far.peek(&mut buffer).await.unwrap(), 3);
    assert_eq!(&buffer[..3], b"eek");
    assert_eq!(read_exactly(&mut far, 3).await, b"eek");
    assert!(net::timeout(Duration::from_millis(1), far.peek(&mut buffer)).await.is_err());
    near.write_all(b"a").await.unwrap();
    // It fills the buffer, so that more may be there.
    assert_eq!(far.peek(&mut buffer[..1]).await.unwrap(), 1);
    assert_eq!(read_exactly(&mut far, 1).await, b"a");
    near.write_all(b"last").await.unwrap();
    near.shutdown(Shutdown::Write).unwrap();
    assert_eq!(far.peek(&mut buffer).await.unwrap(), 4);
    assert_eq!(read_to_end(&mut far).await, b"last");
    for _ in 0..2 {
        assert_eq!(far.peek(&mut buffer).await.unwrap(), 0, "the end stays the end");
    }
}

#[test]
fn what_was_peeked_at_is_read_afterwards() {
    on_every_kind!(peeks);
}

/// A peek that waits sees what comes, and the end.
async fn peeks_that_wait<K: Family>(near: Stream<K>, far: Stream<K>) {
    let (mut reader, _kept) = far.split();
    let peeked = net::spawn(async move {
        let mut buffer = [0; 8];
        let length = reader.peek(&mut buffer).await.unwrap();
        let read = reader.read(&mut buffer).await.unwrap();
        let end = reader.peek(&mut buffer).await.unwrap();
        (length, read, end)
    });
    net::yield_now().await;
    let (_reader, mut writer) = near.split();
    writer.write_all(b"news").await.unwrap();
    net::sleep(Duration::from_millis(1)).await;
    writer.shutdown().unwrap();
    assert_eq!(peeked.await.unwrap(), (4, 4, 0));
}

#[test]
fn a_peek_waits_as_a_read_does() {
    on_every_kind!(peeks_that_wait);
}

#[test]
fn peeks_wait_with_foreign_wakers() {
    on_every_backend(|| async {
        let (mut nears, mut fars) = (Vec::new(), Vec::new());
        for _ in 0..10 {
            let (near, far) = pair().await;
            nears.push(near);
            fars.push(far);
        }
        let mut peeks: FuturesUnordered<_> = fars
            .iter_mut()
            .map(|far| async move {
                let mut byte = [0];
                far.peek(&mut byte).await.unwrap();
                far.read(&mut byte).await.unwrap();
                byte[0]
            })
            .collect();
        assert!(net::timeout(Duration::from_millis(1), peeks.next()).await.is_err());
        for (number, near) in nears.iter_mut().enumerate() {
            near.write_all(&[number as u8]).await.unwrap();
            assert_eq!(peeks.next().await, Some(number as u8));
        }
    });
}

/// Readiness that was seen and not used is seen again; what was used up is waited for.
async fn waits_without_reading<K: Family>(mut near: Stream<K>, mut far: Stream<K>) {
    let mut buffer = [0; 4];
    near.write_all(b"12345").await.unwrap();
    for _ in 0..3 {
        far.readable().await.unwrap();
    }
    assert_eq!(far.try_read(&mut buffer).unwrap(), 4);
    far.readable().await.unwrap();
    assert_eq!(far.try_read(&mut buffer).unwrap(), 1);
    // It may say so once too often, and then waits.
    while let Ok(readable) = net::timeout(Duration::from_millis(5), far.readable()).await {
        readable.unwrap();
        assert_eq!(far.try_read(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
    }
    near.write_all(b"6").await.unwrap();
    far.readable().await.unwrap();
    assert_eq!(far.try_read(&mut buffer).unwrap(), 1);

    let bytes = vec![0; 65_536];
    let mut filled = 0;
    while let Ok(writable) = net::timeout(Duration::from_millis(50), near.writable()).await {
        writable.unwrap();
        filled += near.try_write(&bytes).unwrap_or(0);
        assert!(filled < 4 * LARGE);
    }
    // A little may fit before a lot does, which is what the event tells of.
    let full = loop {
        match near.try_write(&bytes) {
            Ok(sent) => filled += sent,
            Err(error) => break error,
        }
    };
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
    let drained = net::spawn(async move { (read_exactly(&mut far, filled).await.len(), far) });
    near.writable().await.unwrap();
    assert_ne!(near.try_write(&bytes).unwrap(), 0);
    assert_eq!(drained.await.unwrap().0, filled);
}

#[test]
fn readiness_is_seen_until_it_is_used_up() {
    on_every_backend(|| async {
        let (near, far) = UnixStream::pair().unwrap();
        waits_without_reading(near, far).await;
        let (near, far) = pair().await;
        waits_without_reading(near, far).await;
    });
}

#[test]
fn a_reader_that_was_told_and_does_not_read_does_not_spin() {
    for backend in net::Backend::available() {
        let event_loop = EventLoop::with_backend(*backend).unwrap();
        let (mut near, mut far) = event_loop.enter(UnixStream::pair).unwrap();
        let task = event_loop.spawn(async move {
            far.write_all(b"unread").await.unwrap();
            near.readable().await.unwrap();
            near.peek(&mut [0; 8]).await.unwrap();
            net::sleep(Duration::from_secs(60)).await;
            drop((near, far));
        });
        let turns = turns_within(&event_loop, Duration::from_millis(50));
        assert!(turns <= FEW_TURNS, "{backend}: {turns} turns");
        drop(task);
    }
}

#[test]
fn the_halves_do_all_of_it_too() {
    on_every_backend(|| async {
        let (stream, mut plain) = pair_with_plain().await;
        let (mut reader, mut writer) = stream.split();
        writer.writable().await.unwrap();
        assert_eq!(writer.try_write(b"tried ").unwrap(), 6);
        let words = [IoSlice::new(b"and "), IoSlice::new(b"vectored")];
        assert_eq!(writer.write_vectored(&words).await.unwrap(), 12);
        let mut buffer = [0; 18];
        plain.read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"tried and vectored");
        plain.write_all(b"answer").unwrap();
        reader.readable().await.unwrap();
        assert_eq!(reader.peek(&mut buffer).await.unwrap(), 6);
        assert_eq!(reader.try_read(&mut buffer[..2]).unwrap(), 2);
        let mut buffers = [IoSliceMut::new(&mut buffer)];
        assert_eq!(reader.read_vectored(&mut buffers).await.unwrap(), 4);
        assert_eq!(reader.try_read(&mut [0; 4]).unwrap_err().kind(), ErrorKind::WouldBlock);
    });
}
