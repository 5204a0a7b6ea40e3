//! The accept loop that programs use: limits, faults, and a graceful end.

mod accepting;
mod connections;
mod crew;
mod limits;
mod mailboxes;
mod stopper;
mod threads;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::family::{Family, Inet};
use crate::listener::Listener;
use crate::stream::Stream;
use accepting::Accepting;
use connections::Connections;
use limits::{Limits, Settings};
pub use stopper::{Stopped, Stopper};
pub use threads::{MAX_THREADS, THREAD_PATIENCE, ThreadedServer};

/// Connections that a server holds at a time, unless
/// [`max_connections`](Server::max_connections) says otherwise.
pub const MAX_CONNECTIONS: usize = 65_536;

/// How long connections may take to finish once a server stops, unless [`grace`](Server::grace)
/// says otherwise.
pub const GRACE: Duration = Duration::from_secs(5);

/// How long accepting pauses when the process has no descriptor left, unless one of the loop's
/// own sockets is closed before.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections and runs a handler for each, as a task of its own.
///
/// - A step of the accept loop takes at most as many connections as its budget allows
///   ([`BUDGET`](crate::BUDGET)), so that accepting never keeps others from their turn.
/// - An error of one connection goes on with the next. When the process has no descriptor left,
///   accepting pauses, says so through [`on_failure`](crate::EventLoop::on_failure), and resumes at
///   the next close of one of the loop's sockets or after [`ACCEPT_PAUSE`]. It says so once until it
///   has caught up with the backlog.
/// - With [`max_connections`](Server::max_connections) held, further ones wait in the backlog.
/// - [`Stopper::stop`] ends it gracefully: what is in the backlog is still served, the listener is
///   closed, connections may finish within the [`grace`](Server::grace) time, and are then
///   cancelled.
/// - [`idle_timeout`](Server::idle_timeout), [`header_timeout`](Server::header_timeout) and
///   [`write_timeout`](Server::write_timeout) get rid of other sides that say nothing, drip, or do not
///   read. Without them such a connection is held for ever.
/// - Memory is bounded by the number of connections. With [`hello`](crate::handlers::hello) or
///   [`echo`](crate::handlers::echo), on Linux with 64 bits, one takes some 310 bytes while it waits to
///   read, 130 more if it has limits, and at most 5,120 while its other side does not read, one chunk
///   included. So [`MAX_CONNECTIONS`] that do not read are 320 MiB; what the kernel holds for each
///   comes on top, see tcp(7).
///
/// Dropping the future of [`serve`](Server::serve) cancels all connections at once.
///
/// ```
/// use net::{Server, TcpStream};
///
/// # net::EventLoop::new()?.run_until(async {
/// let server = Server::bind("127.0.0.1:0".parse().unwrap())?;
/// let (address, stopper) = (server.local_addr()?, server.stopper());
/// let serving = net::spawn(server.serve(net::handlers::hello));
///
/// let mut client = TcpStream::connect(address).await?;
/// client.write_all(b"anybody there?").await?;
/// assert_eq!(client.chunk().await?.as_deref(), Some(&b"Hello world\n"[..]));
///
/// stopper.stop();
/// drop(client);
/// assert_eq!(serving.await.unwrap()?.accepted, 1);
/// # std::io::Result::Ok(())
/// # })??;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Server<K: Family = Inet> {
    listener: Listener<K>,
    settings: Settings,
    on_connect: Box<dyn Fn(K::Address)>,
    stopper: Stopper,
}

/// What a server did until it stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// Connections accepted.
    pub accepted: u64,
    /// Connections cancelled because they had not finished within the grace time.
    pub cancelled: usize,
    /// Connections whose handler ended with the error that a limit on waiting had passed, an
    /// [`Overdue`](crate::Overdue); those that were idle after the stop are not among them.
    pub timed_out: u64,
}

impl Server {
    /// A server that listens on `address`; see [`TcpListener::bind`](crate::TcpListener::bind). Over a
    /// Unix socket [`Server::new`] makes one.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn bind(address: SocketAddr) -> io::Result<Server> {
        Listener::bind(address).map(Server::new)
    }
}

impl<K: Family> Server<K> {
    /// A server over a listener, of TCP or of Unix sockets.
    ///
    /// ```
    /// # #[cfg(unix)]
    /// # fn main() -> std::io::Result<()> {
    /// use net::{Server, UnixAddr, UnixListener, UnixStream};
    ///
    /// # let folder = std::env::temp_dir();
    /// # let path = folder.join(format!("net-doc-server-{}", std::process::id()));
    /// # let _ = std::fs::remove_file(&path);
    /// # net::EventLoop::new()?.run_until(async move {
    /// let server = Server::new(UnixListener::bind(UnixAddr::path(&path))?);
    /// let stopper = server.stopper();
    /// let serving = net::spawn(server.serve(net::handlers::echo));
    ///
    /// let mut client = UnixStream::connect(UnixAddr::path(&path)).await?;
    /// client.write_all(b"across the room").await?;
    /// assert_eq!(client.chunk().await?.as_deref(), Some(&b"across the room"[..]));
    ///
    /// stopper.stop();
    /// drop(client);
    /// assert_eq!(serving.await.unwrap()?.accepted, 1);
    /// # std::fs::remove_file(&path)
    /// # })?
    /// # }
    /// # #[cfg(not(unix))]
    /// # fn main() {}
    /// ```
    #[must_use]
    pub fn new(listener: Listener<K>) -> Server<K> {
        let settings = Settings {
            max_connections: MAX_CONNECTIONS,
            limits: Limits::default(),
            grace: GRACE,
            idle_grace: None,
        };
        let stopper = Stopper::default();
        Server { listener, settings, on_connect: Box::new(drop), stopper }
    }

    /// Connections held at a time, at least one; further ones wait in the backlog.
    #[must_use]
    pub fn max_connections(mut self, connections: usize) -> Server<K> {
        self.settings.max_connections = connections.max(1);
        self
    }

    /// How long a connection may wait for something to read:
    /// [`set_read_timeout`](Stream::set_read_timeout) of each that is accepted. By default for ever.
    ///
    /// With this limit and the next two, the handler's operation fails, and a handler that passes the
    /// error on ends its connection. That is no failure to be reported: it is counted in
    /// [`Served::timed_out`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use net::{Server, TcpStream};
    ///
    /// # net::EventLoop::new()?.run_until(async {
    /// let server = Server::bind("127.0.0.1:0".parse().unwrap())?;
    /// let server = server.idle_timeout(Duration::from_millis(5));
    /// let (address, stopper) = (server.local_addr()?, server.stopper());
    /// let serving = net::spawn(server.serve(net::handlers::hello));
    ///
    /// let mut silent = TcpStream::connect(address).await?;
    /// assert!(silent.chunk().await?.is_none());
    /// stopper.stop();
    /// assert_eq!(serving.await.unwrap()?.timed_out, 1);
    /// # std::io::Result::Ok(())
    /// # })??;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn idle_timeout(mut self, time: Duration) -> Server<K> {
        self.settings.limits.idle = Some(time);
        self
    }

    /// How long reading may go on from the accept: [`set_read_deadline`](Stream::set_read_deadline)
    /// of each connection. The handler lifts it once the head of the request has come, and sets it
    /// anew for the next. By default without end.
    #[must_use]
    pub fn header_timeout(mut self, time: Duration) -> Server<K> {
        self.settings.limits.header = Some(time);
        self
    }

    /// How long a write may wait for the other side to take something:
    /// [`set_write_timeout`](Stream::set_write_timeout) of each connection. By default for ever.
    #[must_use]
    pub fn write_timeout(mut self, time: Duration) -> Server<K> {
        self.settings.limits.write = Some(time);
        self
    }

    /// How long connections may take to finish after the stop.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Server<K> {
        self.settings.grace = grace;
        self
    }

    /// How long a connection may be idle after the stop: one whose handler has waited so long to
    /// read, and for which nothing has come, is ended, as if its idle timeout had passed. By default
    /// it has the whole [`grace`](Server::grace).
    ///
    /// What has come is served first. A request that is sent at the very moment is lost, as with any
    /// close of a kept connection, so leave it the time that requests are on their way. It is for
    /// handlers that wait to read between requests only, or whose requests come without such gaps;
    /// others wait for [`Stopper::stopped`] where they are between two requests. Only what the task of
    /// the handler itself waits to read is looked at, not what tasks that it has spawned do, nor what
    /// it waits for inside of a combinator with wakers of its own.
    #[must_use]
    pub fn idle_grace(mut self, idle_grace: Duration) -> Server<K> {
        self.settings.idle_grace = Some(idle_grace);
        self
    }

    /// Calls `hook` with the peer of each connection that is accepted.
    #[must_use]
    pub fn on_connect(self, hook: impl Fn(K::Address) + 'static) -> Server<K> {
        Server { on_connect: Box::new(hook), ..self }
    }

    /// Has `threads` threads serve, each with a loop of its own: the one that runs here is the first.
    /// At least one; [`ThreadedServer::serve`] refuses more than [`MAX_THREADS`].
    #[must_use]
    pub fn threads(self, threads: usize) -> ThreadedServer<K> {
        ThreadedServer::new(self, threads.max(1))
    }

    /// The address it listens on.
    ///
    /// # Errors
    ///
    /// Those of getsockname(2).
    pub fn local_addr(&self) -> io::Result<K::Address> {
        self.listener.local_addr()
    }

    /// What stops this server.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Serves until it is stopped. An error or panic of a handler goes to
    /// [`on_failure`](crate::EventLoop::on_failure) and ends its connection only.
    ///
    /// # Errors
    ///
    /// When the listener itself fails; the connections are cancelled then.
    pub async fn serve<H, F>(self, handler: H) -> io::Result<Served>
    where
        H: Fn(Stream<K>, K::Address) -> F,
        F: Future<Output = io::Result<()>> + 'static,
    {
        let Server { listener, settings, on_connect, stopper } = self;
        let connections = Connections::new(settings, handler, None);
        Accepting::new(listener, on_connect, connections).serve(&stopper, settings.grace).await
    }
}

impl<K: Family> fmt::Debug for Server<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("listener", &self.listener)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
