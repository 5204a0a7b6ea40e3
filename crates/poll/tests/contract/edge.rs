//! Edge mode: news is reported once.

use std::io::{ErrorKind, Read};

use poll::{Backend, Event, Interest, Mode, Readiness, Refusal, Selector};

use crate::util::*;

fn on_every_backend_with_edge(check: impl Fn(Backend)) {
    on_every_backend(|backend| {
        if selector::<&std::net::TcpStream, ()>(backend).supports(Mode::Edge) {
            check(backend);
        }
    });
}

#[test]
fn a_backend_without_it_refuses_at_registration() {
    on_every_backend(|backend| {
        let (near, _far) = pair();
        let mut selector: Selector<_, &str> = selector(backend);
        assert!(selector.supports(Mode::Level) && selector.supports(Mode::OneShot));
        match selector.register_with(near, Interest::READ, Mode::Edge, "data") {
            Ok(_) => assert!(selector.supports(Mode::Edge)),
            Err(refused) => {
                assert!(!selector.supports(Mode::Edge));
                let cause = Refusal::NoSuchMode(backend, Mode::Edge);
                assert_eq!(Refusal::of(refused.error()), Some(&cause));
                let (_, near, data) = refused.into_parts();
                assert_eq!(data, "data");
                selector.register(near, Interest::READ, data).expect("as good as new");
            }
        }
    });
}

#[cfg(not(any(windows, target_os = "illumos")))]
#[test]
fn some_backend_has_it() {
    let selector = Selector::<std::net::TcpStream>::new().expect("a selector");
    assert!(selector.supports(Mode::Edge), "{selector:?}");
}

#[test]
fn each_arrival_is_reported_once() {
    on_every_backend_with_edge(|backend| {
        let (near, far) = pair();
        let mut selector = selector(backend);
        let key =
            selector.register_with(&near, Interest::READ, Mode::Edge, ()).expect("registered");
        for _ in 0..3 {
            send(&far, b"hello");
            assert_eq!(wait_for(&mut selector, key), Readiness::READ);
            assert_quiet(&mut selector);
        }
        selector.modify(key, Interest::READ).expect("modified");
        assert_eq!(wait_for(&mut selector, key), Readiness::READ, "modifying counts as news");
        selector.modify(key, None).expect("disarmed");
        send(&far, b"hello");
        assert_quiet(&mut selector);
        selector.modify(key, Interest::READ).expect("armed");
        assert_eq!(wait_for(&mut selector, key), Readiness::READ, "so does arming");
    });
}

#[test]
fn both_directions_are_news_together() {
    on_every_backend_with_edge(|backend| {
        let (near, far) = pair();
        let mut selector = selector(backend);
        let both = Interest::READ | Interest::WRITE;
        let near_key = selector.register_with(&near, both, Mode::Edge, ()).expect("registered");
        let far_key = selector.register_with(&far, both, Mode::Edge, ()).expect("registered");
        let mut seen = wait(&mut selector);
        seen.sort_by_key(|event| event.key);
        let expect = |readiness| [near_key, far_key].map(|key| Event { key, readiness });
        assert_eq!(seen, expect(Readiness::WRITE));
        assert_quiet(&mut selector);

        send(&far, b"hello");
        send(&near, b"hello");
        let mut seen = wait(&mut selector);
        seen.sort_by_key(|event| event.key);
        assert_eq!(seen, expect(Readiness::READ | Readiness::WRITE));

        selector.unregister(near_key).expect("registered");
        selector.modify(far_key, Interest::WRITE).expect("modified");
        assert_eq!(wait_for(&mut selector, far_key), Readiness::WRITE);
        assert_quiet(&mut selector);
    });
}

#[test]
fn what_a_short_read_left_is_no_news() {
    on_every_backend_with_edge(|backend| {
        let (near, far) = pair();
        let mut selector = selector(backend);
        let key =
            selector.register_with(&near, Interest::READ, Mode::Edge, ()).expect("registered");
        send(&far, b"hello");
        assert_eq!(wait_for(&mut selector, key), Readiness::READ);
        (&near).read_exact(&mut [0; 3]).expect("three bytes");
        assert_quiet(&mut selector);
        send(&far, b"world");
        assert_eq!(wait_for(&mut selector, key), Readiness::READ);
        assert_eq!(drain(&near), 7);
        assert_quiet(&mut selector);
    });
}

#[test]
fn an_operation_that_would_block_makes_the_next_change_news() {
    on_every_backend_with_edge(|backend| {
        let (near, far) = pair();
        let mut selector = selector(backend);
        let key =
            selector.register_with(&near, Interest::READ, Mode::Edge, ()).expect("registered");
        for _ in 0..3 {
            send(&far, b"hello");
            assert_eq!(wait_for(&mut selector, key), Readiness::READ);
            assert_eq!(drain(&near), 5);
            assert_quiet(&mut selector);
        }
        selector.modify(key, Interest::WRITE).expect("modified");
        for _ in 0..3 {
            assert_eq!(wait_for(&mut selector, key), Readiness::WRITE);
            fill(&near);
            assert_quiet(&mut selector);
            drain(&far);
        }
    });
}

#[test]
fn a_half_close_is_news_though_nothing_was_sent() {
    on_every_backend_with_edge(|backend| {
        let (near, far) = tcp_pair();
        let mut selector = selector(backend);
        let both = Interest::READ | Interest::WRITE;
        let key = selector.register_with(&near, both, Mode::Edge, ()).expect("registered");
        assert_eq!(wait_for(&mut selector, key), Readiness::WRITE);
        assert_quiet(&mut selector);
        far.shutdown(std::net::Shutdown::Write).expect("a half-close");
        assert!(wait_for(&mut selector, key).is_readable());
        assert_eq!((&near).read(&mut [0; 8]).expect("the end"), 0);
        assert_quiet(&mut selector);
        let kind = (&far).read(&mut [0; 8]).map_err(|error| error.kind());
        assert_eq!(kind, Err(ErrorKind::WouldBlock), "the other direction is open");
    });
}

#[cfg(unix)]
#[test]
fn an_urgent_byte_is_told_so_that_a_short_read_is_not_trusted() {
    on_every_backend_with_edge(|backend| {
        let (near, far) = tcp_pair();
        let mut selector = selector(backend);
        let key =
            selector.register_with(&near, Interest::READ, Mode::Edge, ()).expect("registered");
        send_urgent(&far, &near);
        assert_eq!(wait_for(&mut selector, key), Readiness::PRIORITY);
        send(&far, b"behind it");
        let seen = wait_for(&mut selector, key);
        assert!(seen.contains(Readiness::READ | Readiness::PRIORITY), "{seen:?}");
    });
}

#[test]
fn a_discarded_duplicate_is_silent_and_counted() {
    on_every_backend_with_edge(|backend| {
        let (near, far) = pair();
        let duplicate = near.try_clone().expect("a duplicate");
        let mut selector = selector(backend);
        let old = selector.register_with(near, Interest::READ, Mode::Edge, ()).expect("registered");
        drop(selector.discard(old).expect("was there"));
        assert!(selector.discard(old).is_none());

        // Takes the slot, and on most systems the descriptor's number, of the one that left.
        let (other, _other_far) = pair();
        selector.register_with(other, Interest::READ, Mode::Edge, ()).expect("registered");
        send(&far, b"to the duplicate");
        assert_quiet(&mut selector);
        let stale = u64::from(backend == Backend::Epoll);
        assert_eq!(selector.counters().stale, stale);
        assert_eq!(drain(&duplicate), 16);
    });
}

#[test]
fn a_discarded_source_may_come_back_unclosed() {
    on_every_backend_with_edge(|backend| {
        let (near, far) = pair();
        let mut selector = selector(backend);
        for mode in [Mode::Edge, Mode::Level, Mode::Edge] {
            let key = selector.register_with(&near, Interest::READ, mode, ()).expect("registered");
            send(&far, b"hello");
            assert_eq!(wait_for(&mut selector, key), Readiness::READ);
            selector.discard(key).expect("was there");
        }
    });
}
