//! What a selector does to its process: descriptors and signals. One test at a time, since all
//! look at what the whole process has.
#![cfg(unix)]
#![allow(unsafe_code)]

#[cfg(target_os = "linux")]
use std::io::{Read, Write};
use std::mem::ManuallyDrop;
use std::net::TcpStream;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::Command;
#[cfg(target_os = "linux")]
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
#[cfg(target_os = "linux")]
use std::time::Instant;

use poll::{Backend, Events, Interest, Selector};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn open_descriptors() -> usize {
    std::fs::read_dir("/dev/fd").expect("a list of descriptors").count()
}

#[test]
fn two_thousand_selectors_leak_no_descriptor() {
    let _alone = alone();
    let (near, _far) = UnixStream::pair().expect("a socket pair");
    for &backend in Backend::available() {
        let before = open_descriptors();
        for _ in 0..2_000 {
            let mut selector = Selector::with_backend(backend).expect("a selector");
            selector.register(&near, Interest::READ, ()).expect("registered");
            drop((selector.notifier(), selector));
        }
        assert_eq!(open_descriptors(), before, "{backend}");
    }
}

#[test]
fn more_than_1024_descriptors_work() {
    const PAIRS: usize = 700;
    let _alone = alone();
    let wanted = 4_096;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = Rlimit { current: Some(wanted), ..limit };
        setrlimit(Resource::Nofile, raised).expect("room for descriptors");
    }
    let (near, far): (Vec<_>, Vec<_>) =
        (0..PAIRS).map(|_| UnixStream::pair().expect("a socket pair")).unzip();
    let last = far.last().expect("a socket");
    assert!(last.as_raw_fd() > 1_024);
    for &backend in Backend::available() {
        let mut selector = Selector::with_backend(backend).expect("a selector");
        for stream in near.iter().chain(&far) {
            selector.register(stream, Interest::WRITE, ()).expect("registered");
        }
        let mut events = Events::new();
        for _ in 0..8 {
            selector.select(&mut events, Some(Duration::from_secs(10))).expect("a wait");
        }
        assert_eq!(events.len(), 2 * PAIRS, "{backend}");
        assert!(events.iter().all(|event| event.readiness.is_writable()), "{backend}");
    }
    #[cfg(not(target_os = "illumos"))]
    {
        let (_, ready, _) = poll::select(&[], &[last], &[], None).expect("a wait");
        assert_eq!(ready.len(), 1);
    }
}

/// In safe code it takes a source that breaks its word. What it leaves behind is let go all the same.
#[test]
fn a_source_that_closed_its_descriptor_is_let_go() {
    let _alone = alone();
    for &backend in Backend::available() {
        for discards in [false, true] {
            let (near, far) = UnixStream::pair().expect("a socket pair");
            let near = ManuallyDrop::new(near);
            let mut selector = Selector::with_backend(backend).expect("a selector");
            let key = selector.register(&*near, Interest::READ, ()).expect("registered");
            // SAFETY: `near` is never dropped, so this is the one who closes the number.
            drop(unsafe { OwnedFd::from_raw_fd(near.as_raw_fd()) });
            if discards {
                assert!(selector.discard(key).is_some(), "{backend}");
            } else {
                selector.unregister(key).expect("the kernel forgot it by itself");
            }
            assert!(selector.is_empty());
            drop(far);
            let count = selector.select(&mut Events::new(), Some(Duration::from_millis(5)));
            assert_eq!(count.expect("a wait"), 0, "{backend}");
        }
    }
}

#[test]
fn exec_leaks_nothing() {
    let _alone = alone();
    let inherited = || {
        let listing = Command::new("ls").arg("/dev/fd/").output().expect("ls");
        assert!(listing.status.success());
        String::from_utf8(listing.stdout).expect("numbers")
    };
    let before = inherited();
    let selectors: Vec<Selector<TcpStream>> = Backend::available()
        .iter()
        .map(|&backend| Selector::with_backend(backend).expect("a selector"))
        .collect();
    let notifiers: Vec<_> = selectors.iter().map(Selector::notifier).collect();
    assert_eq!(inherited(), before);
    drop((selectors, notifiers));
}

#[cfg(target_os = "linux")]
mod signals {
    use super::*;

    /// Runs `work` while another thread interrupts this one again and again.
    fn while_interrupted<T>(work: impl FnOnce() -> T) -> T {
        extern "C" fn ignore(_: libc::c_int) {}
        let handler: extern "C" fn(libc::c_int) = ignore;
        // SAFETY: the handler does nothing, which is safe at any time; an action of zeros has no
        // flags and an empty mask.
        let installed = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as libc::sighandler_t;
            libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut())
        };
        assert_eq!(installed, 0);
        // SAFETY: asks for this thread's own name.
        let this = unsafe { libc::pthread_self() };
        let is_done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_done.load(Ordering::Acquire) {
                    // SAFETY: the thread lives: it waits for this one at the end of the scope.
                    unsafe { libc::pthread_kill(this, libc::SIGUSR1) };
                    std::thread::park_timeout(Duration::from_micros(500));
                }
            });
            // Also when `work` panics: the scope waits for the thread.
            let _done = Done(&is_done);
            work()
        })
    }

    /// Raises the flag when it is dropped.
    struct Done<'a>(&'a AtomicBool);

    impl Drop for Done<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Release);
        }
    }

    #[test]
    fn an_interrupted_wait_resumes_with_the_rest() {
        let _alone = alone();
        for &backend in Backend::available() {
            let mut selector = Selector::<TcpStream>::with_backend(backend).expect("a selector");
            let timeout = Duration::from_millis(40);
            while_interrupted(|| {
                for _ in 0..50 {
                    let start = Instant::now();
                    let count = selector.select(&mut Events::new(), Some(timeout));
                    assert_eq!(count.expect("no interruption is seen"), 0, "{backend}");
                    assert!(start.elapsed() >= timeout, "{backend}: {:?}", start.elapsed());
                    // The polling crate resumes by itself, and does not tell.
                    if backend == Backend::Native || selector.counters().interruptions > 0 {
                        return;
                    }
                }
                panic!("{backend} was never interrupted");
            });
        }
    }

    /// Makes all readable, late enough for a wait to have begun and been interrupted.
    fn write_late(pairs: &[(UnixStream, UnixStream)]) {
        std::thread::sleep(Duration::from_millis(2));
        for (_, far) in pairs {
            (&*far).write_all(b"x").expect("room for a byte");
        }
    }

    #[test]
    fn an_interrupted_wait_loses_no_event() {
        const ROUNDS: usize = 20;
        let _alone = alone();
        let pairs: Vec<_> = (0..20).map(|_| UnixStream::pair().expect("a socket pair")).collect();
        for &backend in Backend::available() {
            let mut selector = Selector::with_backend(backend).expect("a selector");
            let mode = if selector.supports(poll::Mode::Edge) {
                poll::Mode::Edge
            } else {
                poll::Mode::OneShot
            };
            for (near, _) in &pairs {
                selector.register_with(near, Interest::READ, mode, ()).expect("registered");
            }
            let mut events = Events::new();
            let mut round = |selector: &mut Selector<&UnixStream>| {
                let mut count = 0;
                while count < pairs.len() {
                    let found = selector.select(&mut events, Some(Duration::from_secs(10)));
                    assert_ne!(found.expect("a wait"), 0, "{backend}: an event was lost");
                    count += events.len();
                    for event in &events {
                        let mut near = *selector.get(event.key).expect("registered").source();
                        near.read_exact(&mut [0]).expect("the byte");
                        selector.modify(event.key, Interest::READ).expect("news again");
                    }
                }
            };
            while_interrupted(|| {
                // On a busy machine it may take more of them until a wait is interrupted.
                for number in 0..50 * ROUNDS {
                    std::thread::scope(|scope| {
                        scope.spawn(|| write_late(&pairs));
                        round(&mut selector);
                    });
                    // The polling crate resumes by itself, and does not tell.
                    let told = backend != Backend::Native;
                    let interrupted = !told || selector.counters().interruptions > 0;
                    if interrupted && number + 1 >= ROUNDS {
                        return;
                    }
                }
                panic!("{backend} was never interrupted");
            });
        }
    }

    #[test]
    fn the_three_lists_resume_too() {
        let _alone = alone();
        let (near, _far) = UnixStream::pair().expect("a socket pair");
        let timeout = Duration::from_millis(40);
        for list in [&[&near][..], &[]] {
            let start = Instant::now();
            let lists = while_interrupted(|| poll::select(list, &[], &[], Some(timeout)));
            assert!(lists.expect("no interruption is seen").0.is_empty());
            assert!(start.elapsed() >= timeout);
        }
    }
}
