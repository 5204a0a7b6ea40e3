//! A host's program, and its loop while it is up.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::rc::Rc;

use super::FailureKind;
use crate::driver::Driver;
use crate::driver::simulation::{HostId, World};
use crate::event_loop::EventLoop;
use crate::failure::Cause;
use crate::task::JoinHandle;

/// A program that can be started again and again.
type Main = Box<dyn Fn() -> Pin<Box<dyn Future<Output = io::Result<()>>>>>;

/// A host as a simulation runs it.
pub(super) struct Host {
    pub(super) name: String,
    /// Whether the run waits for its end.
    pub(super) awaited: bool,
    main: Main,
    /// `None` while it is down, and before its start.
    up: Option<Up>,
    pub(super) ended: bool,
}

/// A host that is up.
struct Up {
    event_loop: EventLoop,
    main: JoinHandle<io::Result<()>>,
    panic: Rc<RefCell<Option<String>>>,
}

impl Host {
    pub(super) fn new(
        name: &str,
        awaited: bool,
        main: impl AsyncFn() -> io::Result<()> + 'static,
    ) -> Host {
        // The program may borrow what its closure holds, so each start takes that along.
        let main = Rc::new(main);
        let main: Main = Box::new(move || {
            let main = Rc::clone(&main);
            Box::pin(async move { main().await })
        });
        Host { name: name.to_owned(), awaited, main, up: None, ended: false }
    }

    pub(super) fn start(&mut self, world: &Rc<World>, id: HostId) {
        let event_loop = EventLoop::over(Driver::Simulated(world.driver(id)));
        let panic = Rc::new(RefCell::new(None));
        let seen = Rc::clone(&panic);
        event_loop.on_failure(move |failure| {
            if let Cause::Panic(_) = failure.cause {
                seen.borrow_mut().get_or_insert_with(|| failure.to_string());
            }
        });
        let main = event_loop.enter(|| (self.main)());
        let main = event_loop.spawn(main).named("main");
        self.up = Some(Up { event_loop, main, panic });
    }

    pub(super) fn event_loop(&self) -> Option<&EventLoop> {
        self.up.as_ref().map(|up| &up.event_loop)
    }

    /// Drops the program where it stands.
    pub(super) fn stop(&mut self) {
        self.up = None;
    }

    /// Gives the host a turn.
    pub(super) fn turn(&mut self) -> Result<(), FailureKind> {
        let Some(up) = &mut self.up else { return Ok(()) };
        let host = || self.name.clone();
        if let Err(error) = up.event_loop.turn(Some(std::time::Duration::ZERO)) {
            return Err(FailureKind::Error { host: host(), error: error.to_string() });
        }
        if let Some(message) = up.panic.borrow_mut().take() {
            return Err(FailureKind::Panic { host: host(), message });
        }
        if self.ended {
            // News may come for sockets that its other tasks hold still.
            return Ok(());
        }
        match up.main.try_join() {
            None => Ok(()),
            Some(Ok(Ok(()))) => {
                self.ended = true;
                Ok(())
            }
            Some(Ok(Err(error))) => {
                Err(FailureKind::Error { host: host(), error: error.to_string() })
            }
            Some(Err(ended)) => {
                Err(FailureKind::Panic { host: host(), message: ended.to_string() })
            }
        }
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("name", &self.name).finish_non_exhaustive()
    }
}
