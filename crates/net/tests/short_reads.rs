//! Where a short read does not mean that nothing is left: bytes behind an urgent byte, an end of the
//! stream that comes with data, data that comes between event and read. On every backend.
#![cfg(target_os = "linux")]

mod socket_util;

use std::io::Write;
use std::net::Shutdown;

use net::TcpStream;
use socket_util::{on_every_backend, pair_with_plain, read_exactly, read_to_end};
use socket2::SockRef;

/// Sends an urgent byte, which readers of the stream do not see.
fn send_urgent(plain: &std::net::TcpStream) {
    assert_eq!(SockRef::from(plain).send_out_of_band(b"!").unwrap(), 1);
}

/// What `body` makes of a stream whose other side did `before`.
async fn after(before: impl FnOnce(&mut std::net::TcpStream)) -> (TcpStream, std::net::TcpStream) {
    let (stream, mut plain) = pair_with_plain().await;
    before(&mut plain);
    (stream, plain)
}

#[test]
fn bytes_behind_an_urgent_byte_are_delivered_without_a_further_event() {
    on_every_backend(|| async {
        let (mut stream, plain) = after(|plain| {
            plain.write_all(b"before").unwrap();
            send_urgent(plain);
            plain.write_all(b"behind").unwrap();
        })
        .await;
        assert_eq!(read_exactly(&mut stream, 12).await, b"beforebehind");
        drop(plain);
        assert_eq!(read_to_end(&mut stream).await, b"");
    });
}

#[test]
fn bytes_behind_an_urgent_byte_reach_a_reader_that_waits() {
    on_every_backend(|| async {
        let (mut stream, mut plain) = pair_with_plain().await;
        let reader = net::spawn(async move { read_exactly(&mut stream, 12).await });
        net::yield_now().await;
        plain.write_all(b"before").unwrap();
        send_urgent(&plain);
        plain.write_all(b"behind").unwrap();
        assert_eq!(reader.await.unwrap(), b"beforebehind");
    });
}

#[test]
fn bytes_behind_an_urgent_byte_that_came_first_are_delivered() {
    on_every_backend(|| async {
        let (mut stream, mut plain) = pair_with_plain().await;
        send_urgent(&plain);
        // It was seen, and there was nothing to read.
        let waited = net::timeout(std::time::Duration::from_millis(5), stream.chunk()).await;
        assert!(waited.is_err());
        plain.write_all(b"behind").unwrap();
        assert_eq!(read_exactly(&mut stream, 6).await, b"behind");
        plain.write_all(b"and on").unwrap();
        assert_eq!(read_exactly(&mut stream, 6).await, b"and on");
    });
}

#[test]
fn an_end_behind_an_urgent_byte_is_delivered() {
    on_every_backend(|| async {
        let (mut stream, _plain) = after(|plain| {
            plain.write_all(b"before").unwrap();
            send_urgent(plain);
            plain.shutdown(Shutdown::Write).unwrap();
        })
        .await;
        assert_eq!(read_to_end(&mut stream).await, b"before");
    });
}

#[test]
fn a_half_close_that_comes_with_data_is_delivered() {
    on_every_backend(|| async {
        let (mut stream, _plain) = after(|plain| {
            plain.write_all(b"all").unwrap();
            plain.shutdown(Shutdown::Write).unwrap();
        })
        .await;
        assert_eq!(read_to_end(&mut stream).await, b"all");
    });
}

#[test]
fn a_half_close_that_comes_with_data_reaches_a_reader_that_waits() {
    on_every_backend(|| async {
        let (mut stream, mut plain) = pair_with_plain().await;
        let reader = net::spawn(async move { read_to_end(&mut stream).await });
        net::yield_now().await;
        plain.write_all(b"all").unwrap();
        plain.shutdown(Shutdown::Write).unwrap();
        assert_eq!(reader.await.unwrap(), b"all");
    });
}

#[test]
fn a_half_close_between_event_and_read_is_delivered() {
    on_every_backend(|| async {
        let (mut stream, mut plain) = pair_with_plain().await;
        plain.write_all(b"one").unwrap();
        // The event is taken in while nobody reads.
        net::yield_now().await;
        net::sleep(std::time::Duration::from_millis(1)).await;
        plain.write_all(b"two").unwrap();
        plain.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_to_end(&mut stream).await, b"onetwo");
    });
}

#[test]
fn data_between_event_and_read_is_delivered_once() {
    on_every_backend(|| async {
        let (mut stream, mut plain) = pair_with_plain().await;
        for round in 0..50_u8 {
            plain.write_all(&[round]).unwrap();
            net::sleep(std::time::Duration::from_micros(100)).await;
            plain.write_all(&[round]).unwrap();
            assert_eq!(read_exactly(&mut stream, 2).await, [round, round]);
            net::yield_now().await;
        }
        plain.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_to_end(&mut stream).await, b"");
    });
}

#[test]
fn data_that_comes_while_the_reader_has_its_turn_is_delivered() {
    on_every_backend(|| async {
        let (mut stream, mut plain) = pair_with_plain().await;
        plain.write_all(b"1").unwrap();
        for _ in 0..200 {
            assert_eq!(stream.chunk().await.unwrap().as_deref(), Some(&b"1"[..]));
            // The read was short; what comes now must come as news.
            plain.write_all(b"1").unwrap();
        }
    });
}

#[test]
fn a_read_that_fills_its_buffer_leaves_the_rest_for_the_next() {
    on_every_backend(|| async {
        let (mut stream, _plain) = after(|plain| {
            plain.write_all(b"abcdef").unwrap();
            plain.shutdown(Shutdown::Write).unwrap();
        })
        .await;
        let mut buffer = [0; 3];
        for expected in [&b"abc"[..], b"def"] {
            assert_eq!(stream.read(&mut buffer).await.unwrap(), 3);
            assert_eq!(buffer, expected);
        }
        assert_eq!(stream.read(&mut buffer).await.unwrap(), 0);
    });
}

/// A small generator of numbers, the same each time.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Sends and reads in an order that `seed` decides, and checks that every byte comes, in order.
async fn play(seed: u64) {
    let (mut dice, (mut stream, mut plain)) = (Dice(seed), pair_with_plain().await);
    let (mut sent, mut received, mut buffer) = (Vec::new(), Vec::new(), [0; 64]);
    let mut urgent_left = 1;
    for _ in 0..60 {
        match dice.throw(6) {
            0 | 1 => {
                let length = 1 + dice.throw(70) as usize;
                let bytes: Vec<u8> =
                    (0..length).map(|at| b'a' + ((sent.len() + at) % 26) as u8).collect();
                plain.write_all(&bytes).unwrap();
                sent.extend_from_slice(&bytes);
            }
            2 if urgent_left > 0 => {
                send_urgent(&plain);
                urgent_left -= 1;
            }
            3 => net::yield_now().await,
            _ if received.len() < sent.len() => {
                let size = 1 + dice.throw(64) as usize;
                let read = stream.read(&mut buffer[..size]).await.unwrap();
                received.extend_from_slice(&buffer[..read]);
            }
            _ => {}
        }
    }
    plain.shutdown(Shutdown::Write).unwrap();
    received.extend(read_to_end(&mut stream).await);
    assert_eq!(received, sent, "seed {seed}");
}

#[test]
fn whatever_the_order_every_byte_comes_once() {
    on_every_backend(|| async {
        for seed in 0..200 {
            eprintln!("seed {seed}");
            play(seed).await;
        }
    });
}
