//! How long a wait lasts.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use poll::{Events, Interest, Selector};

use crate::util::*;

#[test]
fn no_wait_ends_early() {
    on_every_backend(|backend| {
        let (near, _far) = pair();
        let mut selector = selector(backend);
        let mut events = Events::new();
        for is_empty in [true, false] {
            for micros in [1, 300, 1_000, 1_001, 2_999, 7_000] {
                let timeout = Duration::from_micros(micros);
                let start = Instant::now();
                let count = selector.select(&mut events, Some(timeout)).expect("a wait");
                assert_eq!(count, 0);
                assert!(start.elapsed() >= timeout, "empty: {is_empty}, {micros} µs");
            }
            if is_empty {
                selector.register(&near, Interest::READ, ()).expect("registered");
            }
        }
    });
}

#[test]
fn a_timeout_of_zero_looks_once() {
    on_every_backend(|backend| {
        let (near, far) = pair();
        let mut selector = selector(backend);
        assert!(look(&mut selector).is_empty(), "with nothing registered");
        selector.register(&near, Interest::READ, ()).expect("registered");
        assert!(look(&mut selector).is_empty());
        send(&far, b"hello");
        settle(&near, Interest::READ);
        assert_eq!(look(&mut selector).len(), 1);
        assert_eq!(selector.counters().waits, 3);
    });
}

#[test]
fn too_long_is_for_ever() {
    on_every_backend(|backend| {
        for timeout in [None, Some(Duration::MAX), Some(Duration::from_secs(u32::MAX.into()))] {
            let mut selector: Selector<TcpStream> = selector(backend);
            let notifier = selector.notifier();
            std::thread::scope(|scope| {
                scope.spawn(move || notifier.notify().expect("notified"));
                let count = selector.select(&mut Events::new(), timeout).expect("a wait");
                assert_eq!(count, 0);
            });
            assert_eq!(selector.counters().notifications, 1);
        }
    });
}

#[test]
fn an_event_ends_a_wait_at_once() {
    on_every_backend(|backend| {
        let (near, far) = pair();
        let mut selector = selector(backend);
        let key = selector.register(&near, Interest::READ, ()).expect("registered");
        let start = Instant::now();
        std::thread::scope(|scope| {
            scope.spawn(|| send(&far, b"hello"));
            wait_for(&mut selector, key);
        });
        assert!(start.elapsed() < PATIENCE);
        let mut events = Events::new();
        for timeout in [Some(Duration::ZERO), Some(PATIENCE), None] {
            assert_eq!(selector.select(&mut events, timeout).expect("a wait"), 1);
        }
    });
}

#[test]
fn an_event_ends_a_wait_without_a_timeout() {
    on_every_backend(|backend| {
        let (near, far) = pair();
        let mut selector = selector(backend);
        selector.register(&near, Interest::READ, ()).expect("registered");
        std::thread::scope(|scope| {
            scope.spawn(|| send(&far, b"hello"));
            let count = selector.select(&mut Events::new(), None).expect("a wait");
            assert_eq!(count, 1);
        });
    });
}
