//! A server at work: what accepts, whoever holds the connections then.

use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::connections::left;
use super::{ACCEPT_PAUSE, Served, Stopper};
use crate::core::Core;
use crate::driver::{AcceptFailure, Socket};
use crate::event_loop::POLL_EVERY;
use crate::failure::Cause;
use crate::family::Family;
use crate::listener::Listener;
use crate::listing::{WaitGuard, WaitKind};
use crate::task::yield_now;
use crate::time::{now, timeout};
use crate::trace;

/// Connections that are still taken out of the backlog after the stop.
const DRAIN_LIMIT: usize = 65_536;

/// Who holds the connections that are accepted.
pub(super) trait Holder<K: Family> {
    /// How many it holds.
    #[cfg_attr(not(feature = "tracing"), expect(dead_code, reason = "told to subscribers only"))]
    fn len(&self) -> usize;

    /// Waits until it may hold one more.
    async fn room(&self);

    /// Takes a connection that no loop watches yet. There is room for it.
    ///
    /// # Errors
    ///
    /// Those of accept(2), in case it cannot be watched; it is closed then.
    fn take(&mut self, socket: Socket, peer: K::Address) -> io::Result<()>;

    /// Lets the connections finish until `deadline`, if there is one, and cancels those that have
    /// not. What was accepted is not its to count.
    async fn finish(self, deadline: Option<Instant>) -> Served;
}

/// The listener, and who holds its connections.
pub(super) struct Accepting<K: Family, C> {
    listener: Listener<K>,
    on_connect: Box<dyn Fn(K::Address)>,
    connections: C,
    accepted: u64,
    /// Set when the process had no descriptor left, which has been reported then; cleared once the
    /// backlog is empty. A single connection that got through does not clear it: under load, the
    /// next one fails again, and each would be reported.
    exhausted: Cell<bool>,
}

impl<K: Family, C: Holder<K>> Accepting<K, C> {
    pub(super) fn new(
        listener: Listener<K>,
        on_connect: Box<dyn Fn(K::Address)>,
        connections: C,
    ) -> Accepting<K, C> {
        Accepting { listener, on_connect, connections, accepted: 0, exhausted: Cell::new(false) }
    }

    /// Accepts until it is to stop, and lets connections finish.
    ///
    /// # Errors
    ///
    /// When the listener itself fails.
    pub(super) async fn serve(mut self, stopper: &Stopper, grace: Duration) -> io::Result<Served> {
        let mut stopped = stopper.stopped();
        while let Some(next) = stopped.unless(self.next()).await {
            let taken = next.and_then(|(socket, peer)| self.take(socket, peer));
            let Err(error) = taken else { continue };
            match AcceptFailure::of(&error) {
                AcceptFailure::Connection => {}
                AcceptFailure::Exhausted => {
                    if !self.exhausted.replace(true) {
                        self.report(&error);
                    }
                    stopped.unless(self.pause()).await;
                }
                AcceptFailure::Listener => return Err(error),
            }
        }
        drop(stopped);
        Ok(self.finish(grace).await)
    }

    /// Waits for room and then for a connection.
    async fn next(&self) -> io::Result<(Socket, K::Address)> {
        self.connections.room().await;
        match self.listener.try_accept_socket() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.exhausted.set(false);
                self.listener.accept_socket().await
            }
            accepted => accepted,
        }
    }

    /// Hands a connection on. What the hook panics with is reported as if the connection's task had,
    /// and ends that alone.
    fn take(&mut self, socket: Socket, peer: K::Address) -> io::Result<()> {
        trace::event!(DEBUG, %peer, "accepted");
        match catch_unwind(AssertUnwindSafe(|| (self.on_connect)(peer.clone()))) {
            Ok(()) => self.connections.take(socket, peer)?,
            Err(payload) => {
                let core = self.core();
                core.report_panic(core.scheduler.running(), payload);
            }
        }
        self.accepted += 1;
        Ok(())
    }

    fn report(&self, error: &io::Error) {
        let core = self.core();
        core.report(core.scheduler.running(), Cause::Accept(error));
    }

    fn is_awaited(&self) -> bool {
        self.listener.registered().source.socket.has_backlog()
    }

    fn core(&self) -> &Rc<Core> {
        &self.listener.registered().core
    }

    async fn pause(&self) {
        let core = Rc::clone(self.core());
        trace::event!(DEBUG, "no descriptor left: accepting pauses");
        // Either is as good as the other: the next attempt tells.
        let _ = timeout(ACCEPT_PAUSE, DescriptorClosed { core, wait: None, closed: None }).await;
    }

    /// Serves what the backlog holds, closes the listener, and lets connections finish.
    async fn finish(mut self, grace: Duration) -> Served {
        trace::event!(INFO, connections = self.connections.len(), "stopping");
        let deadline = now().checked_add(grace);
        self.drain(deadline).await;
        let Accepting { listener, connections, accepted, .. } = self;
        drop(listener);
        let served = Served { accepted, ..connections.finish(deadline).await };
        trace::event!(INFO, accepted, cancelled = served.cancelled, "stopped");
        served
    }

    async fn drain(&mut self, deadline: Option<Instant>) {
        for drained in 1..=DRAIN_LIMIT {
            // A full server has to know before it waits for room, or it would wait for nobody.
            if !self.is_awaited() || timeout(left(deadline), self.connections.room()).await.is_err()
            {
                break;
            }
            let next = self.listener.try_accept_socket();
            match next.and_then(|(socket, peer)| self.take(socket, peer)) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => match AcceptFailure::of(&error) {
                    AcceptFailure::Connection => {}
                    AcceptFailure::Exhausted if self.is_awaited() && !left(deadline).is_zero() => {
                        self.pause().await;
                    }
                    AcceptFailure::Exhausted | AcceptFailure::Listener => break,
                },
            }
            if drained % POLL_EVERY == 0 {
                yield_now().await;
            }
        }
    }
}

/// Ready once a socket of the loop has been closed.
struct DescriptorClosed {
    core: Rc<Core>,
    wait: Option<WaitGuard>,
    /// Sockets closed before the first poll.
    closed: Option<u64>,
}

impl Future for DescriptorClosed {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let closed = self.core.closes.count();
        if closed != *self.closed.get_or_insert(closed) {
            self.wait = None;
            return Poll::Ready(());
        }
        self.core.closes.note(self.core.waiter(cx));
        self.wait = self.core.wait_guard(cx, WaitKind::Descriptor);
        Poll::Pending
    }
}
