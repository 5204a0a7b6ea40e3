//! Faults that other selectors had.

#[cfg(unix)]
use std::fs::File;
#[cfg(unix)]
use std::io::ErrorKind;

use poll::{Interest, Mode};
#[cfg(unix)]
use poll::{Readiness, Refusal};

use crate::util::*;

#[cfg(unix)]
#[test]
fn an_urgent_byte_does_not_spin_a_reader() {
    on_every_backend(|backend| {
        for mode in [Mode::Level, Mode::OneShot] {
            for interest in [Interest::READ, Interest::READ | Interest::WRITE] {
                let (near, far) = tcp_pair();
                let mut selector = selector(backend);
                let key = selector.register_with(&near, interest, mode, ()).expect("registered");
                if interest.is_writable() {
                    assert_eq!(wait_for(&mut selector, key), Readiness::WRITE);
                    fill(&near);
                    selector.modify(key, interest).expect("armed");
                }
                send_urgent(&far, &near);
                assert_quiet(&mut selector);
                send(&far, b"behind it");
                assert_eq!(wait_for(&mut selector, key), Readiness::READ);
            }
        }
    });
}

#[cfg(unix)]
#[test]
fn priority_is_waited_for_alone() {
    on_every_backend(|backend| {
        let (near, far) = tcp_pair();
        let mut selector = selector(backend);
        let key = selector.register(&near, Interest::PRIORITY, ()).expect("registered");
        send(&far, b"not urgent");
        arrive(&near, rustix::event::PollFlags::IN);
        assert_quiet(&mut selector);
        send_urgent(&far, &near);
        assert_eq!(wait_for(&mut selector, key), Readiness::PRIORITY);
    });
}

#[cfg(unix)]
#[test]
fn priority_never_implies_read() {
    on_every_backend(|backend| {
        let (near, far) = tcp_pair();
        let mut selector = selector(backend);
        let both = Interest::READ | Interest::PRIORITY;
        let key = selector.register(&near, both, ()).expect("registered");
        send_urgent(&far, &near);
        assert_eq!(wait_for(&mut selector, key), Readiness::PRIORITY);
        send(&far, b"behind it");
        arrive(&near, rustix::event::PollFlags::IN);
        assert_eq!(wait_for(&mut selector, key), Readiness::READ | Readiness::PRIORITY);
    });
}

#[test]
fn a_disarmed_registration_does_not_report_hangups() {
    on_every_backend(|backend| {
        for mode in [Mode::Level, Mode::OneShot] {
            let (near, far) = pair();
            let mut selector = selector(backend);
            let key = selector.register_with(&near, Interest::READ, mode, ()).expect("registered");
            selector.modify(key, None).expect("disarmed");
            drop(far);
            assert_quiet(&mut selector);
            selector.modify(key, Interest::READ).expect("armed");
            assert!(wait_for(&mut selector, key).is_readable());
            selector.modify(key, None).expect("disarmed");
            assert_quiet(&mut selector);
        }
    });
}

#[test]
fn nothing_that_was_asked_for_is_no_event() {
    on_every_backend(|backend| {
        let (near, far) = tcp_pair();
        let mut selector = selector(backend);
        selector.register(&near, Interest::PRIORITY, ()).expect("registered");
        send(&far, b"plain bytes");
        settle(&near, Interest::READ);
        assert!(look(&mut selector).is_empty());
    });
}

#[test]
fn a_closed_duplicate_leaves_no_zombie() {
    on_every_backend(|backend| {
        for discards in [false, true] {
            let (near, far) = pair();
            let duplicate = near.try_clone().expect("a duplicate");
            let mut selector = selector(backend);
            let key = selector.register(near, Interest::READ, ()).expect("registered");
            if discards {
                drop(selector.discard(key).expect("registered"));
            } else {
                drop(selector.unregister(key).expect("registered"));
            }
            send(&far, b"to the duplicate");
            assert_quiet(&mut selector);
            assert_eq!(selector.counters().stale, 0);
            settle(&duplicate, Interest::READ);
            assert_eq!(drain(&duplicate), 16);
        }
    });
}

#[cfg(unix)]
#[test]
fn files_and_directories_are_the_same_typed_error_everywhere() {
    on_every_backend(|backend| {
        let mut selector = selector(backend);
        for path in [concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"), "/"] {
            let file = File::open(path).expect("a file");
            let refused = selector
                .register(file, Interest::READ, "data")
                .expect_err("a file has no readiness");
            assert_eq!(Refusal::of(refused.error()), Some(&Refusal::NotPollable));
            let (error, file, data) = refused.into_parts();
            assert_eq!((error.kind(), data), (ErrorKind::InvalidInput, "data"));
            file.metadata().expect("the file is still open");
        }
        assert!(selector.is_empty());
    });
}

/// epoll refuses to watch an instance that watches it: a failure that safe code can bring about.
#[cfg(target_os = "linux")]
#[test]
fn a_failed_modification_leaves_the_registration_whole() {
    use rustix::event::epoll;
    use std::os::fd::AsFd;
    on_every_backend(|backend| {
        let other = epoll::create(epoll::CreateFlags::CLOEXEC).expect("an epoll instance");
        let mut selector = selector(backend);
        let Some(own) = selector.as_fd() else {
            return assert!(matches!(backend, poll::Backend::Poll | poll::Backend::Select));
        };
        let own = own.try_clone_to_owned().expect("a duplicate");
        let key = selector.register(other.as_fd(), Interest::READ, 5).expect("registered");
        selector.modify(key, None).expect("disarmed");
        let data = epoll::EventData::new_u64(0);
        epoll::add(&other, &own, data, epoll::EventFlags::IN).expect("watched");

        let failed = selector.modify(key, Interest::READ).expect_err("watches itself");
        assert!(Refusal::of(&failed).is_none(), "{failed}");
        let found = selector.get(key).expect("still registered");
        assert_eq!((found.interest(), *found.data()), (None, 5));
        assert_quiet(&mut selector);

        epoll::delete(&other, &own).expect("watched no longer");
        selector.modify(key, Interest::READ).expect("armed");
        let (near, far) = pair();
        send(&far, b"hello");
        epoll::add(&other, &near, data, epoll::EventFlags::IN).expect("watched");
        assert_eq!(wait_for(&mut selector, key), Readiness::READ);
        selector.unregister(key).expect("whole");
    });
}

/// A source may close its descriptor and open another under the same number.
#[cfg(unix)]
#[test]
fn a_reopened_number_is_watched_again_when_modified() {
    on_every_backend(|backend| {
        let (near, _far) = pair();
        let (fresh, fresh_far) = pair();
        let mut selector = selector(backend);
        let key = selector.register(&near, Interest::READ, ()).expect("registered");
        replace(&near, &fresh);
        selector.modify(key, Interest::READ).expect("modified");
        send(&fresh_far, b"hello");
        assert!(wait_for(&mut selector, key).is_readable());
    });
}

/// What unregistering would tell the kernel about is no longer there, or somebody else's.
#[cfg(unix)]
#[test]
fn a_reopened_number_is_let_go_without_a_trace() {
    on_every_backend(|backend| {
        for discards in [false, true] {
            let (near, far) = pair();
            let (fresh, fresh_far) = pair();
            let mut selector = selector(backend);
            let key = selector.register(&near, Interest::READ, "data").expect("registered");
            replace(&near, &fresh);
            let (_, data) = if discards {
                selector.discard(key).expect("registered")
            } else {
                selector.unregister(key).expect("the kernel forgot it by itself")
            };
            assert_eq!(data, "data");
            drop(far);
            send(&fresh_far, b"hello");
            assert_quiet(&mut selector);
            let key = selector.register(&near, Interest::READ, "anew").expect("registered anew");
            assert_eq!(wait_for(&mut selector, key), Readiness::READ);
        }
    });
}

/// Makes the number of `old` mean the file of `new`.
#[cfg(unix)]
#[allow(unsafe_code)]
fn replace(old: &Stream, new: &Stream) {
    use std::mem::ManuallyDrop;
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
    // SAFETY: `dup2` keeps the number open, so the stream that owns it closes it, once.
    let mut number = ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(old.as_raw_fd()) });
    rustix::io::dup2(new, &mut number).expect("replaced");
}
