//! One-shot mode: one report, then silence until it is armed again.

use poll::{Interest, Mode, Readiness};

use crate::util::*;

#[test]
fn it_reports_once_and_again_when_armed() {
    on_every_backend(|backend| {
        let (near, far) = pair();
        send(&far, b"hello");
        let mut selector = selector(backend);
        let key =
            selector.register_with(&near, Interest::READ, Mode::OneShot, ()).expect("registered");
        for _ in 0..3 {
            assert_eq!(wait_for(&mut selector, key), Readiness::READ);
            assert_eq!(selector.get(key).expect("registered").interest(), None);
            send(&far, b"more");
            assert_quiet(&mut selector);
            selector.modify(key, Interest::READ).expect("armed");
        }
    });
}

#[test]
fn a_hangup_does_not_fire_it_again() {
    on_every_backend(|backend| {
        let (near, far) = pair();
        let mut selector = selector(backend);
        let key =
            selector.register_with(&near, Interest::READ, Mode::OneShot, ()).expect("registered");
        send(&far, b"hello");
        assert_eq!(wait_for(&mut selector, key), Readiness::READ);
        drop(far);
        assert_quiet(&mut selector);
        selector.modify(key, Interest::READ | Interest::WRITE).expect("armed");
        assert!(wait_for(&mut selector, key).contains(Readiness::READ | Readiness::WRITE));
        assert_quiet(&mut selector);
    });
}

#[test]
fn fired_it_can_be_disarmed_armed_and_unregistered() {
    on_every_backend(|backend| {
        let (near, far) = pair();
        send(&far, b"hello");
        let mut selector = selector(backend);
        let key =
            selector.register_with(&near, Interest::READ, Mode::OneShot, ()).expect("registered");
        wait_for(&mut selector, key);
        selector.modify(key, None).expect("disarmed after it fired");
        assert_quiet(&mut selector);
        selector.modify(key, Interest::READ).expect("armed");
        wait_for(&mut selector, key);
        selector.unregister(key).expect("unregistered after it fired");
        let key = selector.register(&near, Interest::READ, ()).expect("registered anew");
        wait_for(&mut selector, key);
    });
}
