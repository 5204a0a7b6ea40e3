//! Level mode: what is ready is reported for as long as it is.

use std::io::Read;

#[cfg(target_os = "linux")]
use poll::Backend;
use poll::{Interest, Readiness};

use crate::util::*;

#[test]
fn readable_until_it_is_read() {
    on_every_backend(|backend| {
        let (near, far) = pair();
        let mut selector = selector(backend);
        let key = selector.register(&near, Interest::READ, ()).expect("registered");
        assert_quiet(&mut selector);
        send(&far, b"hello");
        for _ in 0..3 {
            assert_eq!(wait_for(&mut selector, key), Readiness::READ);
        }
        drain(&near);
        assert_quiet(&mut selector);
    });
}

#[test]
fn writable_until_it_is_full() {
    on_every_backend(|backend| {
        let (near, far) = pair();
        let mut selector = selector(backend);
        let key = selector.register(&near, Interest::WRITE, ()).expect("registered");
        assert_eq!(wait_for(&mut selector, key), Readiness::WRITE);
        fill(&near);
        assert_quiet(&mut selector);
        drain(&far);
        assert_eq!(wait_for(&mut selector, key), Readiness::WRITE);
    });
}

#[test]
fn both_directions_come_in_one_event() {
    on_every_backend(|backend| {
        let (near, far) = pair();
        send(&far, b"hello");
        settle(&near, Interest::READ);
        let mut selector = selector(backend);
        let both = Interest::READ | Interest::WRITE;
        let key = selector.register(&near, both, ()).expect("registered");
        assert_eq!(wait_for(&mut selector, key), Readiness::READ | Readiness::WRITE);
    });
}

#[test]
fn only_what_was_asked_for_is_reported() {
    on_every_backend(|backend| {
        let (near, far) = pair();
        send(&far, b"hello");
        let mut selector = selector(backend);
        let key = selector.register(&near, Interest::WRITE, ()).expect("registered");
        assert_eq!(wait_for(&mut selector, key), Readiness::WRITE);
        selector.modify(key, Interest::READ).expect("modified");
        assert_eq!(wait_for(&mut selector, key), Readiness::READ);
        drain(&near);
        assert_quiet(&mut selector);
    });
}

#[test]
fn disarmed_says_nothing_and_armed_again_speaks() {
    on_every_backend(|backend| {
        let (near, far) = pair();
        send(&far, b"hello");
        let mut selector = selector(backend);
        let key = selector.register(&near, Interest::READ, 7).expect("registered");
        for _ in 0..3 {
            selector.modify(key, None).expect("disarmed");
            selector.modify(key, None).expect("disarmed twice");
            let found = selector.get(key).expect("still registered");
            assert_eq!((found.interest(), *found.data()), (None, 7));
            assert_quiet(&mut selector);
            selector.modify(key, Interest::READ).expect("armed");
            assert_eq!(wait_for(&mut selector, key), Readiness::READ);
        }
    });
}

#[test]
fn a_reader_learns_of_a_hangup() {
    on_every_backend(|backend| {
        let (near, far) = pair();
        let mut selector = selector(backend);
        let key = selector.register(&near, Interest::READ, ()).expect("registered");
        drop(far);
        let seen = wait_for(&mut selector, key);
        assert!(seen.is_readable() && !seen.is_writable(), "{seen:?}");
        assert!(cfg!(windows) || seen.is_hangup() == tells_of_hangups(backend), "{seen:?}");
    });
}

#[cfg(unix)]
#[test]
fn a_writer_learns_of_an_error() {
    on_every_backend(|backend| {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let mut selector = selector(backend);
        let key = selector.register(&writer, Interest::WRITE, ()).expect("registered");
        drop(reader);
        let seen = wait_for(&mut selector, key);
        assert!(seen.is_writable() && !seen.is_readable(), "{seen:?}");
        assert_eq!(seen.is_error(), tells_of_hangups(backend), "{seen:?}");
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_half_close_is_something_to_read() {
    on_every_backend(|backend| {
        let (near, far) = tcp_pair();
        let mut selector = selector(backend);
        let key = selector.register(&near, Interest::READ, ()).expect("registered");
        send(&far, b"last words");
        far.shutdown(std::net::Shutdown::Write).expect("a half-close");
        arrive(&near, rustix::event::PollFlags::RDHUP);
        let seen = wait_for(&mut selector, key);
        assert!(seen.is_readable() && !seen.is_hangup(), "{seen:?}");
        let tells = matches!(backend, Backend::Epoll | Backend::Poll);
        assert_eq!(seen.is_read_hangup(), tells, "{seen:?}");
    });
}

#[test]
fn what_a_short_read_left_is_reported_again() {
    on_every_backend(|backend| {
        let (near, far) = pair();
        let mut selector = selector(backend);
        let key = selector.register(&near, Interest::READ, ()).expect("registered");
        send(&far, b"hello");
        assert_eq!(wait_for(&mut selector, key), Readiness::READ);
        (&near).read_exact(&mut [0; 3]).expect("three bytes");
        assert_eq!(wait_for(&mut selector, key), Readiness::READ);
        (&near).read_exact(&mut [0; 2]).expect("the rest");
        assert_quiet(&mut selector);
    });
}
