//! A server at work.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::{ACCEPT_PAUSE, Served};
use crate::core::Core;
use crate::driver::AcceptFailure;
use crate::event_loop::POLL_EVERY;
use crate::failure::Cause;
use crate::group::TaskGroup;
use crate::listener::TcpListener;
use crate::listing::{WaitGuard, WaitKind};
use crate::stream::TcpStream;
use crate::task::yield_now;
use crate::time::{now, timeout};

/// Connections that are still taken out of the backlog after the stop.
const DRAIN_LIMIT: usize = 65_536;

/// The listener, the connections, and what to do with the next.
pub(super) struct Serving<H> {
    pub(super) listener: TcpListener,
    pub(super) max_connections: usize,
    pub(super) on_connect: Box<dyn Fn(SocketAddr)>,
    pub(super) handler: H,
    pub(super) connections: TaskGroup<io::Error>,
    pub(super) accepted: u64,
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
        let make = || {
            (self.on_connect)(peer);
            (self.handler)(stream, peer)
        };
        match catch_unwind(AssertUnwindSafe(make)) {
            Ok(future) => {
                self.connections.spawn(future);
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
        // Either is as good as the other: the next attempt tells.
        let _ = timeout(ACCEPT_PAUSE, DescriptorClosed { core, wait: None, closed: None }).await;
    }

    /// Serves what the backlog holds, closes the listener, and lets connections finish.
    pub(super) async fn finish(mut self, grace: Duration) -> Served {
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
        drop(self.listener);
        let finished = timeout(left(), self.connections.until(0)).await;
        let cancelled = if finished.is_ok() { 0 } else { self.connections.len() };
        Served { accepted: self.accepted, cancelled }
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
