//! Many sources, and much through one.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::rc::Rc;

use poll::{Backend, Interest, Mode, Readiness, Selector};

use crate::util::*;

#[test]
fn each_of_many_is_found_by_its_key() {
    /// Each number once, in an order that is not that of the keys.
    const COUNT: usize = 100;
    const STRIDE: usize = 37;
    on_every_backend(|backend| {
        let pairs: Vec<_> = (0..COUNT).map(|_| tcp_pair()).collect();
        let (near, far): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        let mut selector = selector(backend);
        let mut keys = Vec::new();
        for (at, near) in near.into_iter().enumerate() {
            keys.push(selector.register(near, Interest::READ, at).expect("registered"));
        }
        for at in (0..COUNT).map(|turn| turn * STRIDE % COUNT) {
            send(&far[at], b"x");
            assert_eq!(wait_for(&mut selector, keys[at]), Readiness::READ);
            let (near, data) = selector.unregister(keys[at]).expect("registered");
            assert_eq!((data, drain(&near)), (at, 1));
        }
        assert!(selector.is_empty());
    });
}

#[test]
fn messages_go_through_many_pairs() {
    const COUNT: usize = 12;
    on_every_backend(|backend| {
        let mut selector = selector(backend);
        let mut pairs = Vec::new();
        for at in 0..COUNT {
            let (near, far) = pair();
            let reader = selector.register(Rc::new(near), Interest::READ, at).expect("registered");
            let writer = selector.register(Rc::new(far), Interest::WRITE, at).expect("registered");
            pairs.push((reader, writer));
        }
        for (left, (reader, writer)) in (1..=COUNT).rev().zip(pairs) {
            let ready = wait(&mut selector);
            assert_eq!(ready.len(), left, "all writers, and nobody has something to read");
            assert!(ready.iter().all(|event| event.readiness == Readiness::WRITE));
            send(&**selector.get(writer).expect("registered").source(), b"a message");
            selector.unregister(writer).expect("registered");
            let near = Rc::clone(selector.get(reader).expect("registered").source());
            settle(&near, Interest::READ);
            let ready = wait(&mut selector);
            let mut readable = ready.iter().filter(|event| event.readiness.is_readable());
            assert_eq!(readable.next().map(|event| event.key), Some(reader));
            assert!(readable.next().is_none());
            assert_eq!(drain(&*near), 9);
            selector.unregister(reader).expect("registered");
        }
        assert!(selector.is_empty());
    });
}

/// How much goes through in the tests below: more than any buffer holds.
const AMOUNT: usize = 8 << 20;

/// Works on `stream` when it is ready for `interest`, until nothing is left to be done.
///
/// `work` gets the stream and how much is left, and says how much it did. It is called until it
/// would block, or once for each event where one call is enough.
fn follow(
    (backend, mode): (Backend, Mode),
    stream: &TcpStream,
    interest: Interest,
    mut work: impl FnMut(&TcpStream, usize) -> std::io::Result<usize>,
) {
    let mut selector = selector(backend);
    let key = selector.register_with(stream, interest, mode, ()).expect("registered");
    let mut total = 0;
    while total < AMOUNT {
        wait_for(&mut selector, key);
        loop {
            match work(stream, AMOUNT - total) {
                Ok(0) => panic!("it ended after {total} bytes"),
                Ok(count) => total += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("after {total} bytes: {error}"),
            }
            if mode != Mode::Edge || total >= AMOUNT {
                break;
            }
        }
        if mode == Mode::OneShot {
            selector.modify(key, interest).expect("armed");
        }
    }
    assert_eq!(total, AMOUNT);
}

/// Two connected streams, of which the second one blocks, but not for ever.
fn half_blocking_pair() -> (TcpStream, TcpStream) {
    let (near, far) = tcp_pair();
    far.set_nonblocking(false).expect("blocking");
    far.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    far.set_write_timeout(Some(PATIENCE)).expect("a timeout");
    (near, far)
}

#[test]
fn a_long_stream_is_read_whole_in_every_mode() {
    on_every_backend(|backend| {
        for mode in modes(&selector::<&TcpStream, ()>(backend)) {
            let (near, far) = half_blocking_pair();
            std::thread::scope(|scope| {
                scope.spawn(|| send(&far, &vec![1; AMOUNT]));
                let mut buffer = vec![0; 65536];
                follow((backend, mode), &near, Interest::READ, |mut near, _| {
                    near.read(&mut buffer)
                });
            });
        }
    });
}

#[test]
fn a_long_stream_is_written_whole_in_every_mode() {
    on_every_backend(|backend| {
        for mode in modes(&selector::<&TcpStream, ()>(backend)) {
            let (near, far) = half_blocking_pair();
            std::thread::scope(|scope| {
                scope.spawn(|| (&far).read_exact(&mut vec![0; AMOUNT]).expect("all of it"));
                let buffer = vec![1; 65536];
                follow((backend, mode), &near, Interest::WRITE, |mut near, left| {
                    near.write(&buffer[..left.min(buffer.len())])
                });
            });
        }
    });
}

#[test]
fn a_dropped_selector_closes_what_it_owns() {
    on_every_backend(|backend| {
        let ((near, far), (kept, kept_far)) = (tcp_pair(), tcp_pair());
        let mut selector: Selector<_> = selector(backend);
        selector.register(near, Interest::READ, ()).expect("registered");
        let key = selector.register(kept, Interest::READ, ()).expect("registered");
        let (kept, ()) = selector.unregister(key).expect("registered");
        drop(selector);
        settle(&far, Interest::READ);
        assert_eq!((&far).read(&mut [0; 8]).expect("the end"), 0);
        let open = (&kept_far).read(&mut [0; 8]).map_err(|error| error.kind());
        assert_eq!(open, Err(ErrorKind::WouldBlock), "what was given back is open");
        drop(kept);
        settle(&kept_far, Interest::READ);
        assert_eq!((&kept_far).read(&mut [0; 8]).expect("the end"), 0);
    });
}
