//! Waking a wait from elsewhere.

use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};

use poll::{Events, Interest, Readiness, Selector};

use crate::util::*;

#[test]
fn it_ends_the_next_wait_once_without_an_event() {
    on_every_backend(|backend| {
        let mut selector: Selector<TcpStream> = selector(backend);
        let notifier = selector.notifier();
        for round in 1..=3 {
            for _ in 0..1_000 {
                notifier.clone().notify().expect("notified");
            }
            let count = selector.select(&mut Events::new(), None).expect("a wait");
            assert_eq!(count, 0);
            assert_eq!(selector.counters().notifications, round);
            assert_quiet(&mut selector);
        }
    });
}

#[test]
fn its_own_key_is_never_among_the_events() {
    on_every_backend(|backend| {
        let (near, far) = pair();
        send(&far, b"hello");
        let mut selector = selector(backend);
        let key = selector.register(&near, Interest::READ, ()).expect("registered");
        selector.notifier().notify().expect("notified");
        wait_for(&mut selector, key);
        wait_for(&mut selector, key);
        let counters = selector.counters();
        assert_eq!((counters.notifications, counters.stale), (1, 0));
    });
}

/// Each thread waits until its notification was seen before it sends the next, so that most are
/// sent just when the selector deals with another thread's.
#[test]
fn no_notification_is_lost() {
    const THREADS: usize = 3;
    const EACH: usize = 1_000;
    on_every_backend(|backend| {
        let mut selector: Selector<TcpStream> = selector(backend);
        let notifier = selector.notifier();
        let (sent, seen) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let send_each = || {
            for _ in 0..EACH {
                let mine = sent.fetch_add(1, Ordering::Relaxed) + 1;
                notifier.notify().expect("notified");
                while seen.load(Ordering::Relaxed) < mine {
                    std::thread::yield_now();
                }
            }
        };
        let is_lost = std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(send_each);
            }
            let mut events = Events::new();
            while seen.load(Ordering::Relaxed) < THREADS * EACH {
                let before = selector.counters().notifications;
                selector.select(&mut events, Some(PATIENCE)).expect("a wait");
                if selector.counters().notifications == before {
                    seen.store(usize::MAX, Ordering::Relaxed);
                    return true;
                }
                seen.store(sent.load(Ordering::Relaxed), Ordering::Relaxed);
            }
            false
        });
        assert!(!is_lost, "a notification was lost");
    });
}

#[test]
fn it_outlives_its_selector() {
    on_every_backend(|backend| {
        let (near, _far) = pair();
        let mut selector = selector(backend);
        selector.register(&near, Interest::READ, ()).expect("registered");
        let notifier = selector.notifier();
        drop(selector);
        notifier.notify().expect("notified nobody");
    });
}

#[cfg(unix)]
#[test]
fn the_selector_can_be_waited_for_in_another() {
    on_every_backend(|backend| {
        let (near, far) = pair();
        let mut inner = selector(backend);
        let key = inner.register(&near, Interest::READ, ()).expect("registered");
        let Some(inner_fd) = inner.as_fd() else {
            return;
        };
        let inner_fd = inner_fd.try_clone_to_owned().expect("a duplicate");
        let mut outer = selector(backend);
        let outer_key = outer.register(inner_fd, Interest::READ, ()).expect("registered");
        assert_quiet(&mut outer);
        send(&far, b"hello");
        assert!(wait_for(&mut outer, outer_key).is_readable());
        wait_for(&mut inner, key);
        drain(&near);
        assert_quiet(&mut inner);
        assert_quiet(&mut outer);
        inner.notifier().notify().expect("notified");
        assert!(wait_for(&mut outer, outer_key).is_readable());
    });
}

#[test]
fn a_selector_moves_between_threads() {
    fn assert_send<T: Send>() {}
    fn assert_sync<T: Sync>() {}
    assert_send::<Selector<TcpStream, String>>();
    assert_send::<poll::Notifier>();
    assert_sync::<poll::Notifier>();
    assert_send::<Events>();
    assert_sync::<Events>();
}

/// Only the selector's own thread registers, so another one hands the source over and notifies.
#[test]
fn a_source_of_another_thread_is_reported_by_the_next_wait() {
    on_every_backend(|backend| {
        let mut selector = selector(backend);
        let (notifier, mut events) = (selector.notifier(), Events::new());
        let (sender, receiver) = std::sync::mpsc::channel();
        let far = std::thread::scope(|scope| {
            let giver = scope.spawn(move || {
                let (near, far) = pair();
                sender.send(near).expect("the selector's thread waits for it");
                notifier.notify().expect("notified");
                send(&far, b"hello");
                far
            });
            assert_eq!(selector.select(&mut events, Some(PATIENCE)).expect("a wait"), 0);
            assert_eq!(selector.counters().notifications, 1);
            let near = receiver.try_recv().expect("it came before the notification");
            let key = selector.register(near, Interest::READ, ()).expect("registered");
            assert_eq!(wait_for(&mut selector, key), Readiness::READ);
            selector.modify(key, Interest::WRITE).expect("modified");
            assert_eq!(wait_for(&mut selector, key), Readiness::WRITE);
            giver.join().expect("no panic")
        });
        drop(far);
    });
}

#[test]
fn one_that_left_is_not_reported_beside_a_notification() {
    on_every_backend(|backend| {
        let (near, far) = pair();
        let mut selector = selector(backend);
        let key = selector.register(&near, Interest::READ, ()).expect("registered");
        assert!(look(&mut selector).is_empty());
        send(&far, b"hello");
        settle(&near, Interest::READ);
        selector.unregister(key).expect("registered");
        let notifier = selector.notifier();
        std::thread::scope(|scope| {
            scope.spawn(move || notifier.notify().expect("notified"));
            let count = selector.select(&mut Events::new(), Some(PATIENCE)).expect("a wait");
            assert_eq!(count, 0);
        });
        assert_eq!(selector.counters().notifications, 1);
    });
}
