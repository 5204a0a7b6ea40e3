//! A server on several threads.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::accepting::Accepting;
use super::crew::Crew;
use super::{Served, Server};
use crate::event_loop::EventLoop;
use crate::family::{Family, Inet};
use crate::stream::Stream;

/// Threads that a server may have.
pub const MAX_THREADS: usize = 1024;

/// How long a server waits, once the [`grace`](Server::grace) is over, for a thread that a handler
/// keeps busy; then it is left to end by itself.
pub const THREAD_PATIENCE: Duration = Duration::from_secs(1);

/// What is done on each further thread before it serves.
pub(super) type EachLoop = Arc<dyn Fn(&EventLoop) + Send + Sync>;

/// A [`Server`] on several threads, each with a loop of its own; made by [`Server::threads`].
///
/// The loop that serves accepts for all, and is itself the first thread. It hands each connection, before
/// any loop watches it, to the next thread in rotation, so that the spread is even however long or
/// short connections live: 400 connections on 4 threads are 100 each. A connection stays where it is.
///
/// - [`max_connections`](Server::max_connections) holds for all threads together. Each has the same
///   share of it, give or take one; rotation skips threads whose share is used up, and nothing is
///   accepted that no thread has room for. With fewer connections than threads, some have nothing to do.
/// - [`on_connect`](Server::on_connect) is called where connections are accepted; failures of a
///   connection go to the hook of its own loop, see [`each_loop`](ThreadedServer::each_loop). The
///   limits on waiting hold as on one thread.
/// - A handler that blocks its thread keeps the connections of that thread waiting, no others. On the
///   first thread it keeps new ones waiting as well.
/// - After [`Stopper::stop`](crate::Stopper::stop) the backlog is still spread; then each thread lets its
///   connections finish within the [`grace`](Server::grace). [`Served`] is the sum. A thread that a
///   handler keeps busy beyond the grace is waited for [`THREAD_PATIENCE`] more; the connections it
///   holds then count as cancelled.
/// - A further thread ends with its server, and its loop drops the tasks that handlers have spawned there.
/// - A thread that dies, by a panic outside any task or a failure of its selector, is reported to the
///   hook of the first one's loop as the failure of a task `server thread N`. The connections that it
///   had begun to serve are closed; those on their way to it, and its share, go to the others, unless
///   the server is stopping.
/// - When the process has no descriptor left, accepting resumes at the next close of one of the first
///   loop's own sockets or after [`ACCEPT_PAUSE`](crate::ACCEPT_PAUSE): it is not told of the others'.
///
/// Dropping the future of [`serve`](ThreadedServer::serve) ends the further threads at once, and waits for none:
/// each cancels its connections as soon as its loop has a turn.
///
/// # Why not SO_REUSEPORT
///
/// With a listener per thread the system chooses by a hash of the addresses. On Linux 6.18, 400
/// connections from one client to 4 such listeners came out between 85 and 112 each, in five runs. And
/// what waits in the queue of a listener is reset when that one is closed, though others listen: of those 400,
/// closing the first listener reset 102. Handing over costs a wake of the other thread for each connection,
/// and nothing for a request.
///
/// ```
/// use std::net::SocketAddr;
/// use net::{EventLoop, Server, TcpStream};
///
/// let event_loop = EventLoop::new()?;
/// event_loop.run_until(async {
///     let server = Server::bind("127.0.0.1:0".parse().unwrap())?;
///     let (address, stopper) = (server.local_addr()?, server.stopper());
///     let server = server.threads(4).each_loop(|event_loop| {
///         event_loop.on_failure(|failure| eprintln!("{failure}"));
///     });
///     let serving = net::spawn(server.serve(net::handlers::hello));
///
///     for _ in 0..8 {
///         let mut client = TcpStream::connect(address).await?;
///         client.write_all(b"who is there?").await?;
///         assert_eq!(client.chunk().await?.as_deref(), Some(&b"Hello world\n"[..]));
///     }
///     stopper.stop();
///     assert_eq!(serving.await.unwrap()?.accepted, 8);
///     std::io::Result::Ok(())
/// })??;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct ThreadedServer<K: Family = Inet> {
    server: Server<K>,
    threads: usize,
    each_loop: EachLoop,
}

impl<K: Family> ThreadedServer<K> {
    pub(super) fn new(server: Server<K>, threads: usize) -> ThreadedServer<K> {
        ThreadedServer { server, threads, each_loop: Arc::new(|_| {}) }
    }

    /// Calls `set_up` with the loop of each further thread, on that thread, before anything is
    /// accepted: to set where failures go and the like. The first loop is the caller's own, and not
    /// among them.
    #[must_use]
    pub fn each_loop(
        self,
        set_up: impl Fn(&EventLoop) + Send + Sync + 'static,
    ) -> ThreadedServer<K> {
        ThreadedServer { each_loop: Arc::new(set_up), ..self }
    }

    /// Serves until it is stopped, as [`Server::serve`]. Each thread has a clone of the handler; its
    /// futures are made where they run, and need not be `Send`.
    ///
    /// # Errors
    ///
    /// As [`Server::serve`]. Before anything is accepted: the system's when a thread or its loop cannot
    /// be started, or `each_loop` panics there; [`InvalidInput`](io::ErrorKind::InvalidInput) for more
    /// than [`MAX_THREADS`]; [`Unsupported`](io::ErrorKind::Unsupported) for more than one in a simulation.
    pub async fn serve<H, F>(self, handler: H) -> io::Result<Served>
    where
        H: Fn(Stream<K>, K::Address) -> F + Clone + Send + 'static,
        F: Future<Output = io::Result<()>> + 'static,
    {
        let ThreadedServer { server, threads, each_loop } = self;
        if threads == 1 {
            return server.serve(handler).await;
        }
        if threads > MAX_THREADS {
            let refused = format!("a server has at most {MAX_THREADS} threads, not {threads}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, refused));
        }
        let Server { listener, settings, on_connect, stopper } = server;
        let core = &listener.registered().core;
        let crew = Crew::start(core, threads, settings, each_loop, handler).await?;
        Accepting::new(listener, on_connect, crew).serve(&stopper, settings.grace).await
    }
}

impl<K: Family> fmt::Debug for ThreadedServer<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadedServer")
            .field("server", &self.server)
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}
