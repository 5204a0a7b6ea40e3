//! A selector in its stride allocates nothing.
#![cfg(unix)]
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use poll::{Backend, Events, Interest, Mode, Selector};

/// The system's allocator, with a count of what each thread asks of it.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator as it came; the count allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn waits_and_looks_allocate_nothing_once_the_buffers_have_grown() {
    for &backend in Backend::available() {
        let pairs: Vec<_> = (0..300).map(|_| UnixStream::pair().expect("a socket pair")).collect();
        let mut selector = Selector::with_backend(backend).expect("a selector");
        for (at, (near, _)) in pairs.iter().enumerate() {
            let mode = if at % 2 == 0 { Mode::Level } else { Mode::OneShot };
            selector.register_with(near, Interest::WRITE, mode, ()).expect("registered");
        }
        let mut events = Events::new();
        let mut round = || {
            let timeout = Some(Duration::from_micros(1_500));
            selector.select(&mut events, timeout).expect("a wait");
            for event in &events {
                let found = selector.get(event.key).expect("registered");
                if found.mode() == Mode::OneShot {
                    selector.modify(event.key, Interest::WRITE).expect("armed");
                }
            }
        };
        (0..4).for_each(|_| round());
        let before = COUNT.get();
        (0..20).for_each(|_| round());
        assert_eq!(COUNT.get() - before, 0, "{backend}");
        let counters = selector.counters();
        assert_eq!(counters.waits, counters.selects, "{backend}");
    }
}
