//! Registering, changing, finding and leaving.

#[cfg(unix)]
use std::cell::Cell;
use std::io::ErrorKind;
#[cfg(unix)]
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use poll::{Backend, Event, Events, Interest, Mode, Readiness, Refusal, Selector};

use crate::util::*;

#[test]
fn sources_are_owned_shared_or_borrowed() {
    on_every_backend(|backend| {
        let (near, far) = pair();
        send(&far, b"hello");
        let near = {
            let mut selector = selector(backend);
            let key = selector.register(near, Interest::READ, ()).expect("owned");
            wait_for(&mut selector, key);
            selector.unregister(key).expect("given back").0
        };
        {
            let mut selector = selector(backend);
            let key = selector.register(&near, Interest::READ, ()).expect("borrowed");
            wait_for(&mut selector, key);
        }
        let near = Rc::new(near);
        {
            let mut selector = selector(backend);
            let key = selector.register(Rc::clone(&near), Interest::READ, ()).expect("shared");
            wait_for(&mut selector, key);
            assert_eq!(Rc::strong_count(&near), 2);
        }
        let near = Arc::new(Rc::into_inner(near).expect("dropped with its selector"));
        {
            let mut selector = selector(backend);
            let key = selector.register(Arc::clone(&near), Interest::READ, ()).expect("shared");
            wait_for(&mut selector, key);
        }
        let boxed = Box::new(Arc::into_inner(near).expect("dropped with its selector"));
        let mut selector = selector(backend);
        let key = selector.register(boxed, Interest::READ, ()).expect("boxed");
        wait_for(&mut selector, key);
    });
}

#[cfg(unix)]
#[test]
fn sources_of_several_types_share_a_selector() {
    on_every_backend(|backend| {
        let ((near, _far), (reader, _writer)) = (pair(), std::io::pipe().expect("a pipe"));
        let mut selector: Selector<Box<dyn AsFd>, &str> = selector(backend);
        let near = selector.register(Box::new(near), Interest::WRITE, "stream");
        let pipe = selector.register(Box::new(reader), Interest::READ, "pipe");
        assert_eq!(wait_for(&mut selector, near.expect("registered")), Readiness::WRITE);
        assert_eq!(
            selector.get(pipe.expect("registered")).map(|found| *found.data()),
            Some("pipe")
        );
    });
}

#[test]
fn registrations_are_found_listed_and_counted() {
    on_every_backend(|backend| {
        let (a, b) = pair();
        let mut selector = selector(backend);
        assert!(selector.is_empty() && selector.iter().next().is_none());
        let a_key = selector.register(&a, Interest::READ, "a").expect("registered");
        let b_key =
            selector.register_with(&b, Interest::WRITE, Mode::OneShot, "b").expect("registered");
        selector.modify(a_key, None).expect("disarmed");
        let mut all: Vec<_> = selector
            .iter()
            .map(|found| (found.key(), *found.data(), found.interest(), found.mode()))
            .collect();
        all.sort_by_key(|entry| entry.0);
        let expected =
            [(a_key, "a", None, Mode::Level), (b_key, "b", Some(Interest::WRITE), Mode::OneShot)];
        assert_eq!(all, expected);
        assert_eq!(selector.len(), 2);
        let found = selector.get(b_key).expect("registered");
        assert!(std::ptr::eq(*found.source(), &b));
    });
}

#[test]
fn data_can_be_replaced() {
    on_every_backend(|backend| {
        let (near, _far) = pair();
        let mut selector = selector(backend);
        let key = selector.register(&near, Interest::READ, "old").expect("registered");
        assert_eq!(selector.modify_data(key, "new").expect("registered"), "old");
        selector.unregister(key).expect("registered");
        let stale = selector.modify_data(key, "newest").expect_err("gone");
        assert_eq!(stale.to_string(), Refusal::StaleKey(key).to_string());
        assert_eq!(stale.into_data(), "newest");
    });
}

#[test]
fn a_stale_key_finds_nothing_even_when_its_slot_is_taken() {
    on_every_backend(|backend| {
        let (near, far) = pair();
        let mut selector = selector(backend);
        let old = selector.register(&near, Interest::READ, ()).expect("registered");
        selector.unregister(old).expect("registered");
        let new = selector.register(&far, Interest::WRITE, ()).expect("registered");
        assert_ne!(old, new);
        assert!(selector.get(old).is_none());
        assert!(selector.discard(old).is_none());
        for error in [
            selector.modify(old, Interest::READ).expect_err("gone"),
            selector.modify(old, None).expect_err("gone"),
            selector.unregister(old).expect_err("gone"),
        ] {
            assert_eq!(Refusal::of(&error), Some(&Refusal::StaleKey(old)));
            assert_eq!(error.kind(), ErrorKind::NotFound);
        }
        assert_eq!(wait_for(&mut selector, new), Readiness::WRITE);
    });
}

#[test]
fn one_that_leaves_within_a_batch_is_not_found_in_it() {
    on_every_backend(|backend| {
        let ((a, a_far), (b, b_far)) = (pair(), pair());
        send(&a_far, b"hello");
        send(&b_far, b"hello");
        settle(&a, Interest::READ);
        settle(&b, Interest::READ);
        let mut selector = selector(backend);
        for source in [a, b] {
            selector.register(source, Interest::READ, ()).expect("registered");
        }
        let batch = wait(&mut selector);
        assert_eq!(batch.len(), 2);
        drop(selector.discard(batch[0].key).expect("registered"));
        assert!(selector.get(batch[0].key).is_none());
        wait_for(&mut selector, batch[1].key);
    });
}

#[test]
fn the_same_descriptor_twice_is_refused_and_returned() {
    on_every_backend(|backend| {
        let (near, far) = pair();
        let (near, far) = (Rc::new(near), Rc::new(far));
        let mut selector = selector(backend);
        let key = selector.register(Rc::clone(&near), Interest::READ, 1).expect("registered");
        for interest in [Some(Interest::READ), None] {
            selector.modify(key, interest).expect("modified");
            let refused = selector
                .register(Rc::clone(&near), Interest::WRITE, 2)
                .expect_err("registered twice");
            assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
            assert_eq!(Refusal::of(refused.error()), Some(&Refusal::AlreadyRegistered));
            let (_, source, data) = refused.into_parts();
            assert!(Rc::ptr_eq(&source, &near) && data == 2);
        }
        selector.register(far, Interest::READ, 3).expect("the other end is another one");
        selector.unregister(key).expect("registered");
        selector.register(near, Interest::READ, 4).expect("registered again");
    });
}

#[test]
fn a_refused_second_registration_leaves_the_first_at_work() {
    on_every_backend(|backend| {
        let (near, far) = pair();
        let mut selector = selector(backend);
        let key = selector.register(&near, Interest::READ, ()).expect("registered");
        selector.register(&near, Interest::WRITE, ()).expect_err("registered twice");
        assert_quiet(&mut selector);
        send(&far, b"hello");
        assert_eq!(wait_for(&mut selector, key), Readiness::READ);
    });
}

#[test]
fn two_selectors_may_watch_one_source() {
    on_every_backend(|backend| {
        let (near, far) = pair();
        for mode in modes(&selector::<&Stream, ()>(backend)) {
            let mut both: [Selector<_, _>; 2] = [selector(backend), selector(backend)];
            let keys = both.each_mut().map(|selector| {
                let key = selector.register_with(&near, Interest::READ, mode, ());
                assert_quiet(selector);
                key.expect("registered")
            });
            send(&far, b"hello");
            for (selector, key) in both.iter_mut().zip(keys) {
                assert_eq!(wait_for(selector, key), Readiness::READ, "{mode:?}");
            }
            drain(&near);
            both.iter_mut().for_each(assert_quiet);
            let [mut first, mut second] = both;
            first.unregister(keys[0]).expect("registered");
            second.modify(keys[1], Interest::WRITE).expect("modified");
            assert_eq!(wait_for(&mut second, keys[1]), Readiness::WRITE, "{mode:?}");
            assert_quiet(&mut first);
        }
    });
}

#[test]
fn each_wait_replaces_what_the_buffer_held() {
    on_every_backend(|backend| {
        let ((a, a_far), (b, b_far)) = (pair(), pair());
        let mut selector = selector(backend);
        let a_key = selector.register(&a, Interest::READ, ()).expect("registered");
        let b_key = selector.register(&b, Interest::READ, ()).expect("registered");
        let mut events = Events::with_capacity(1);
        for (near, far, key) in [(&a, &a_far, a_key), (&b, &b_far, b_key)] {
            send(far, b"hello");
            selector.select(&mut events, Some(PATIENCE)).expect("a wait");
            let mut list = events.iter();
            assert_eq!((events.len(), list.len()), (1, 1));
            assert_eq!(list.next(), Some(Event { key, readiness: Readiness::READ }));
            assert_eq!((list.len(), list.next()), (0, None));
            drain(near);
        }
        let count = selector.select(&mut events, Some(Duration::ZERO)).expect("a look");
        assert!(count == 0 && events.is_empty() && events.iter().next().is_none());
    });
}

/// A source that changes its mind about which descriptor it is.
#[cfg(unix)]
struct Fickle {
    sockets: [Stream; 2],
    choice: Cell<usize>,
}

#[cfg(unix)]
impl AsFd for Fickle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.sockets[self.choice.get()].as_fd()
    }
}

#[cfg(unix)]
#[test]
fn a_source_that_changes_its_descriptor_is_a_typed_error() {
    on_every_backend(|backend| {
        let fickle = Fickle { sockets: pair().into(), choice: Cell::new(0) };
        let fickle = Rc::new(fickle);
        let mut selector = selector(backend);
        let key = selector.register(Rc::clone(&fickle), Interest::READ, ()).expect("registered");
        fickle.choice.set(1);
        for error in [
            selector.modify(key, Interest::WRITE).expect_err("changed"),
            selector.modify(key, None).expect_err("changed"),
            selector.unregister(key).map(|_| ()).expect_err("changed"),
        ] {
            assert_eq!(Refusal::of(&error), Some(&Refusal::SourceChanged(key)));
        }
        if matches!(backend, Backend::Poll | Backend::Select) {
            assert!(wait_for(&mut selector, key).is_error(), "its owner is told");
        }
        fickle.choice.set(0);
        selector.modify(key, Interest::WRITE).expect("the old one again");
        assert_eq!(wait_for(&mut selector, key), Readiness::WRITE);
        fickle.choice.set(1);
        selector.discard(key).expect("registered");
        assert!(selector.is_empty());
    });
}

#[test]
fn a_full_batch_grows_the_buffer_and_loses_nothing() {
    const COUNT: usize = 400;
    on_every_backend(|backend| {
        let (streams, _far): (Vec<_>, Vec<_>) = (0..COUNT).map(|_| pair()).unzip();
        let mut selector = selector(backend);
        for stream in &streams {
            let mode = if selector.supports(Mode::Edge) { Mode::Edge } else { Mode::Level };
            selector.register_with(stream, Interest::WRITE, mode, ()).expect("registered");
        }
        let mut keys = Vec::new();
        while keys.len() < COUNT {
            keys.extend(wait(&mut selector).iter().map(|event| event.key));
            keys.sort();
            keys.dedup();
        }
        for key in keys {
            selector.modify(key, Interest::WRITE).expect("news again");
        }
        assert_eq!(wait(&mut selector).len(), COUNT, "one wait brings all");
    });
}

#[test]
fn backends_have_names_and_an_order() {
    for &backend in Backend::available() {
        assert_eq!(backend.to_string().parse(), Ok(backend));
    }
    let best = Selector::<Stream>::new().expect("a selector").backend();
    assert_eq!(Backend::available().first(), Some(&best));
    let unknown = "iocp".parse::<Backend>().expect_err("no such name");
    assert!(unknown.to_string().contains("\"iocp\"") && unknown.to_string().contains("native"));
}

#[test]
fn a_missing_backend_is_named_with_those_present() {
    for backend in [Backend::Select, Backend::Poll, Backend::Epoll, Backend::Native] {
        let opened = Selector::<Stream>::with_backend(backend);
        assert_eq!(opened.is_ok(), Backend::available().contains(&backend), "{backend}");
        if let Err(error) = opened {
            assert_eq!(Refusal::of(&error), Some(&Refusal::MissingBackend(backend)));
        }
    }
    let words = Refusal::MissingBackend(Backend::Epoll).to_string();
    for backend in Backend::available() {
        assert!(words.contains(&backend.to_string()), "{words}");
    }
}
