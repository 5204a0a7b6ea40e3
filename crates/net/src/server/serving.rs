//! A server at work.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::limits::Limits;
use super::{ACCEPT_PAUSE, Served};
use crate::ask::Direction;
use crate::core::Core;
use crate::deadlines::Overdue;
use crate::driver::AcceptFailure;
use crate::event_loop::POLL_EVERY;
use crate::failure::Cause;
use crate::family::Address;
use crate::group::TaskGroup;
use crate::listener::TcpListener;
use crate::listing::{WaitGuard, WaitKind};
use crate::source::Source;
use crate::stream::TcpStream;
use crate::task::yield_now;
use crate::time::{now, timeout};
use crate::trace;

/// Connections that are still taken out of the backlog after the stop.
const DRAIN_LIMIT: usize = 65_536;

/// The shortest pause between two looks for idle connections after the stop.
const IDLE_PAUSE: Duration = Duration::from_millis(10);

/// The listener, the connections, and what to do with the next.
pub(super) struct Serving<H> {
    pub(super) listener: TcpListener,
    pub(super) max_connections: usize,
    pub(super) limits: Limits,
    pub(super) on_connect: Box<dyn Fn(SocketAddr)>,
    pub(super) handler: H,
    pub(super) connections: TaskGroup<io::Error>,
    pub(super) accepted: u64,
    pub(super) timed_out: Rc<Cell<u64>>,
    /// Set when the process had no descriptor left, which has been reported then; cleared once the
    /// backlog is empty. A single connection that got through does not clear it: under load, the
    /// next one fails again, and each would be reported.
    pub(super) exhausted: Cell<bool>,
}

impl<H, F> Serving<H>
where
    H: Fn(TcpStream, SocketAddr) -> F,
    F: Future<Output = io::Result<()>> + 'static,
{
    /// Waits for room and then for a connection.
    pub(super) async fn next(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.connections.until(self.max_connections - 1).await;
        match self.listener.try_accept() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.exhausted.set(false);
                self.listener.accept().await
            }
            accepted => accepted,
        }
    }

    /// Starts the handler. What panics before there is a future to spawn, the handler or the hook, is
    /// reported as if the connection's task had, and does not end the server.
    pub(super) fn start(&mut self, stream: TcpStream, peer: SocketAddr) {
        self.accepted += 1;
        self.limits.set_on(&stream);
        trace::event!(DEBUG, %peer, "accepted");
        let make = || {
            (self.on_connect)(peer);
            (self.handler)(stream, peer)
        };
        match catch_unwind(AssertUnwindSafe(make)) {
            Ok(future) => {
                self.connections.spawn(trace::connection(peer, future));
            }
            Err(payload) => {
                let core = &self.listener.registered().core;
                core.report_panic(core.scheduler.running(), payload);
            }
        }
    }

    pub(super) fn report(&self, error: &io::Error) {
        let core = &self.listener.registered().core;
        core.report(core.scheduler.running(), Cause::Accept(error));
    }

    fn is_awaited(&self) -> bool {
        self.listener.registered().source.socket.has_backlog()
    }

    pub(super) async fn pause(&self) {
        let core = Rc::clone(&self.listener.registered().core);
        trace::event!(DEBUG, "no descriptor left: accepting pauses");
        // Either is as good as the other: the next attempt tells.
        let _ = timeout(ACCEPT_PAUSE, DescriptorClosed { core, wait: None, closed: None }).await;
    }

    /// Serves what the backlog holds, closes the listener, and lets connections finish.
    pub(super) async fn finish(mut self, grace: Duration, idle_grace: Duration) -> Served {
        trace::event!(INFO, connections = self.connections.len(), "stopping");
        let deadline = now().checked_add(grace);
        let left = || match deadline {
            Some(deadline) => deadline.saturating_duration_since(now()),
            None => Duration::MAX,
        };
        for drained in 1..=DRAIN_LIMIT {
            if timeout(left(), self.connections.until(self.max_connections - 1)).await.is_err() {
                break;
            }
            match self.listener.try_accept() {
                Ok((stream, peer)) => self.start(stream, peer),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => match AcceptFailure::of(&error) {
                    AcceptFailure::Connection => {}
                    AcceptFailure::Exhausted if self.is_awaited() && !left().is_zero() => {
                        self.pause().await;
                    }
                    AcceptFailure::Exhausted | AcceptFailure::Listener => break,
                },
            }
            if drained % POLL_EVERY == 0 {
                yield_now().await;
            }
        }
        let port = self.listener.local_addr().map(|address| address.port());
        let core = Rc::clone(&self.listener.registered().core);
        drop(self.listener);
        let idle = Idle { core, port: port.ok(), grace: idle_grace };
        let finished = timeout(left(), idle.end_until_none_is_left(&self.connections)).await;
        let cancelled = if finished.is_ok() { 0 } else { self.connections.len() };
        trace::event!(INFO, accepted = self.accepted, cancelled, "stopped");
        Served { accepted: self.accepted, cancelled, timed_out: self.timed_out.get() }
    }
}

/// Ends the connections that wait for a request which nobody has sent, once a server has stopped.
struct Idle {
    core: Rc<Core>,
    /// The one that the server listened on: what its handlers connect to has others.
    port: Option<u16>,
    grace: Duration,
}

impl Idle {
    async fn end_until_none_is_left(&self, connections: &TaskGroup<io::Error>) {
        let pause = (self.grace / 4).max(IDLE_PAUSE);
        let mut wait = self.grace;
        while timeout(wait, connections.until(0)).await.is_err() {
            self.end(connections);
            wait = pause;
        }
    }

    /// Whoever waits tries once more to read, so that what has come is served all the same.
    fn end(&self, connections: &TaskGroup<io::Error>) {
        let mut idle = Vec::new();
        let latest = self.core.stamp_of(now()).saturating_sub(self.grace.as_nanos() as u64);
        self.core.driver.each_source(|source| {
            let Some((Some(task), since)) = source.wait(Direction::Read) else { return };
            if since <= latest && connections.contains(task) && self.is_at_port(source) {
                idle.extend(self.core.expire(source, Direction::Read, Overdue::Stopped));
            }
        });
        idle.into_iter().for_each(|waiter| self.core.bring_back(waiter));
    }

    fn is_at_port(&self, source: &Source) -> bool {
        let address = source.socket.local_addr();
        matches!(address, Ok(Address::Inet(address)) if Some(address.port()) == self.port)
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
