//! The connections that a server holds on one loop.

use std::cell::Cell;
use std::io;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::Served;
use super::accepting::Holder;
use super::limits::Settings;
use crate::ask::Direction;
use crate::core::{Core, here};
use crate::deadlines::Overdue;
use crate::driver::Socket;
use crate::family::Family;
use crate::group::{Left, TaskGroup};
use crate::stream::Stream;
use crate::time::{now, timeout};
use crate::trace;

/// The shortest pause between two looks for idle connections after the stop.
const IDLE_PAUSE: Duration = Duration::from_millis(10);

/// The connections, and what to do with the next.
pub(super) struct Connections<K: Family, H> {
    core: Rc<Core>,
    settings: Settings,
    handler: H,
    group: TaskGroup<io::Error>,
    left: Option<Left>,
    timed_out: Rc<Cell<u64>>,
    family: PhantomData<K>,
}

impl<K, H, F> Connections<K, H>
where
    K: Family,
    H: Fn(Stream<K>, K::Address) -> F,
    F: Future<Output = io::Result<()>> + 'static,
{
    /// None yet, in the loop that runs here. `left` is called for each that was taken, once it has been
    /// closed, unless the whole loop is dropped.
    ///
    /// Not a wrapper around the handler's future that tells its end: with futures of two types, for
    /// servers with and without, the compiler inlines the handler in neither, at 7 instructions a request.
    pub(super) fn new(settings: Settings, handler: H, left: Option<Left>) -> Connections<K, H> {
        let timed_out = Rc::new(Cell::new(0));
        let group = TaskGroup::reporting(counting(&timed_out), left.clone());
        let core = here("Server");
        Connections { core, settings, handler, group, left, timed_out, family: PhantomData }
    }

    /// Starts the handler. What panics before there is a future to spawn is reported as if the
    /// connection's task had, and does not end the server.
    fn start(&self, stream: Stream<K>, peer: K::Address) {
        self.settings.limits.set_on(&stream);
        stream.registered().source.serve();
        let label = peer.clone();
        match catch_unwind(AssertUnwindSafe(|| (self.handler)(stream, peer))) {
            Ok(future) => {
                self.group.spawn(trace::connection(label, future));
            }
            Err(payload) => {
                self.core.report_panic(self.core.scheduler.running(), payload);
                self.left.iter().for_each(|left| left());
            }
        }
    }

    /// Ends the connections that wait for a request which nobody has sent, until none is left.
    async fn end_idle(&self, grace: Duration) {
        let pause = (grace / 4).max(IDLE_PAUSE);
        let mut wait = grace;
        while timeout(wait, self.group.until(0)).await.is_err() {
            self.end_idle_for(grace);
            wait = pause;
        }
    }

    /// Whoever waits tries once more to read, so that what has come is served all the same. What a
    /// handler reads from elsewhere does not bear the mark of a connection that is served.
    fn end_idle_for(&self, grace: Duration) {
        let mut idle = Vec::new();
        let latest = self.core.stamp_of(now()).saturating_sub(grace.as_nanos() as u64);
        self.core.driver.each_source(|source| {
            let Some((Some(task), since)) = source.wait(Direction::Read) else { return };
            if since <= latest && source.is_served() && self.group.contains(task) {
                idle.extend(self.core.expire(source, Direction::Read, Overdue::Stopped));
            }
        });
        idle.into_iter().for_each(|waiter| self.core.bring_back(waiter));
    }
}

impl<K, H, F> Holder<K> for Connections<K, H>
where
    K: Family,
    H: Fn(Stream<K>, K::Address) -> F,
    F: Future<Output = io::Result<()>> + 'static,
{
    fn len(&self) -> usize {
        self.group.len()
    }

    async fn room(&self) {
        self.group.until(self.settings.max_connections - 1).await;
    }

    fn take(&mut self, socket: Socket, peer: K::Address) -> io::Result<()> {
        let stream = Stream::accepted(Rc::clone(&self.core), socket)?;
        self.start(stream, peer);
        Ok(())
    }

    async fn finish(self, deadline: Option<Instant>) -> Served {
        let idle_grace = self.settings.idle_grace.unwrap_or(self.settings.grace);
        let finished = timeout(left(deadline), self.end_idle(idle_grace)).await;
        let cancelled = if finished.is_ok() { 0 } else { self.group.len() };
        Served { accepted: 0, cancelled, timed_out: self.timed_out.get() }
    }
}

/// How long it is until `deadline`; without one, for ever.
pub(super) fn left(deadline: Option<Instant>) -> Duration {
    match deadline {
        Some(deadline) => deadline.saturating_duration_since(now()),
        None => Duration::MAX,
    }
}

/// Takes out the errors of connections whose limits have passed, and counts them.
fn counting(timed_out: &Rc<Cell<u64>>) -> impl Fn(&io::Error) -> bool + 'static {
    let timed_out = Rc::clone(timed_out);
    move |error| match Overdue::of(error) {
        None => false,
        Some(Overdue::Stopped) => true,
        Some(_) => {
            timed_out.set(timed_out.get() + 1);
            true
        }
    }
}
