//! The operating system's readiness and clock.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::rc::Rc;
use std::time::Duration;

pub use poll::Backend;
use poll::{Interest, Mode, Notifier, Readiness, Selector};

use super::Unpark;
use super::threads::{Threads, UNBLOCK_IDLE};
use crate::source::Source;

/// A selector that owns its sources together with those who use them.
pub(crate) struct Kernel {
    selector: RefCell<Selector<Rc<Source>>>,
    notifier: Notifier,
    mode: Mode,
    /// For what blocks.
    pub(super) threads: Threads,
    /// What every report carries besides what the selector says; see [`withheld`].
    withheld: Readiness,
    /// Level backends only: sources of which a direction was reported that nobody waits in, and the
    /// directions in which somebody does. Empty between waits.
    unwanted: RefCell<Vec<(Rc<Source>, Readiness)>>,
}

impl Kernel {
    /// # Errors
    ///
    /// When the backend is missing here, or the process has no descriptor left.
    pub(crate) fn new(backend: Option<Backend>) -> io::Result<Kernel> {
        let selector = match backend {
            Some(backend) => Selector::with_backend(backend)?,
            None => Selector::new()?,
        };
        let mode = if selector.supports(Mode::Edge) { Mode::Edge } else { Mode::Level };
        Ok(Kernel {
            notifier: selector.notifier(),
            withheld: withheld(selector.backend(), mode),
            mode,
            threads: Threads::new(UNBLOCK_IDLE),
            selector: RefCell::new(selector),
            unwanted: RefCell::default(),
        })
    }

    pub(crate) fn backend(&self) -> Backend {
        self.selector.borrow().backend()
    }

    pub(crate) fn stale(&self) -> u64 {
        self.selector.borrow().counters().stale
    }

    pub(crate) fn reports_edges(&self) -> bool {
        self.mode == Mode::Edge
    }

    pub(crate) fn unpark(&self) -> Unpark {
        let notifier = self.notifier.clone();
        Box::new(move || {
            // The selector may be gone: then nobody is left to bring out of a wait.
            let _ = notifier.notify();
        })
    }

    pub(crate) fn wait(
        &self,
        timeout: Option<Duration>,
        mut report: impl FnMut(&Source, Readiness),
    ) -> io::Result<()> {
        if self.mode != Mode::Edge || !self.withheld.is_empty() {
            return self.wait_odd(timeout, &mut report);
        }
        let mut selector = self.selector.borrow_mut();
        selector.select_each(timeout, |registration, readiness| {
            report(registration.source(), readiness);
        })?;
        Ok(())
    }

    /// As [`Kernel::wait`], with a backend that has no edges or does not tell all. Apart, so that those which
    /// do are not asked at each event.
    #[cold]
    #[inline(never)]
    fn wait_odd(
        &self,
        timeout: Option<Duration>,
        report: &mut dyn FnMut(&Source, Readiness),
    ) -> io::Result<()> {
        let is_level = self.mode != Mode::Edge;
        self.selector.borrow_mut().select_each(timeout, |registration, readiness| {
            let source = registration.source();
            if is_level && !source.waited().contains(watched(readiness)) {
                self.note(source);
            }
            report(source, readiness | self.withheld);
        })?;
        if is_level {
            self.disarm()?;
        }
        Ok(())
    }

    pub(crate) fn register(&self, source: &Rc<Source>) -> io::Result<()> {
        let interest = match self.mode {
            Mode::Edge => Interest::READ | Interest::WRITE,
            Mode::Level | Mode::OneShot => Interest::READ,
        };
        let registered =
            self.selector.borrow_mut().register_with(Rc::clone(source), interest, self.mode, ());
        let key = registered.map_err(|refused| refused.into_parts().0)?;
        source.key.set(Some(key));
        source.armed.set(Readiness::READ);
        Ok(())
    }

    pub(crate) fn arm(&self, source: &Source, directions: Readiness) -> io::Result<()> {
        let Some(key) = source.key.get() else {
            return Ok(());
        };
        if source.armed.get() == directions {
            return Ok(());
        }
        let interest = match (directions.is_readable(), directions.is_writable()) {
            (true, true) => Some(Interest::READ | Interest::WRITE),
            (true, false) => Some(Interest::READ),
            (false, true) => Some(Interest::WRITE),
            (false, false) => None,
        };
        // After a failure the registration is disarmed.
        source.armed.set(Readiness::EMPTY);
        self.selector.borrow_mut().modify(key, interest)?;
        source.armed.set(directions);
        Ok(())
    }

    pub(crate) fn forget(&self, source: &Source) {
        let Some(key) = source.key.take() else { return };
        let released = self.selector.borrow_mut().discard(key);
        // Outside the borrow: this may be what closes the descriptor.
        drop(released);
    }

    #[cfg(unix)]
    pub(crate) fn unregister(&self, source: &Source) -> io::Result<()> {
        let Some(key) = source.key.take() else { return Ok(()) };
        let released = self.selector.borrow_mut().unregister(key);
        released.map(drop)
    }

    pub(crate) fn each_source(&self, mut each: impl FnMut(&Source)) {
        for registration in self.selector.borrow().iter() {
            each(registration.source());
        }
    }

    /// A duplicate of the selector's own descriptor, where the backend has one.
    #[cfg(unix)]
    pub(crate) fn descriptor(&self) -> io::Result<Option<std::os::fd::OwnedFd>> {
        let selector = self.selector.borrow();
        selector.as_fd().map(|fd| fd.try_clone_to_owned()).transpose()
    }

    #[cold]
    #[inline(never)]
    fn note(&self, source: &Rc<Source>) {
        let waited = source.waited();
        self.unwanted.borrow_mut().push((Rc::clone(source), waited));
    }

    /// Watches only the directions that somebody waited in, so that a level backend does not
    /// report the others for ever.
    #[cold]
    fn disarm(&self) -> io::Result<()> {
        for (source, waited) in self.unwanted.take() {
            let directions = source.armed.get() & waited;
            self.arm(&source, directions)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernel")
            .field("backend", &self.backend())
            .field("mode", &self.mode)
            .field("stale", &self.stale())
            .finish_non_exhaustive()
    }
}

/// What a report may leave out, and what therefore must be taken to be in each: the `polling` crate
/// does not tell a half-close from data. When both come with one edge, a short read that was taken
/// for "empty" would wait for an end of the stream that has been reported already.
fn withheld(backend: Backend, mode: Mode) -> Readiness {
    match (backend, mode) {
        (Backend::Native, Mode::Edge) => Readiness::READ_HANGUP,
        _ => Readiness::EMPTY,
    }
}

/// The directions in a report.
fn watched(readiness: Readiness) -> Readiness {
    readiness & (Readiness::READ | Readiness::WRITE)
}
