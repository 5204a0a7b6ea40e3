//! Requests on connections that are closed when nothing comes for a while.
//!
//! The requests come from this thread too: what differs between the peers and between the two cases is how
//! a library waits and keeps the limit.

use std::cell::Cell;
use std::error::Error;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::time::Duration;

use async_executor::LocalExecutor;
use futures_lite::{AsyncReadExt as _, future};
use micro::{Figure, clock};
use tokio::io::AsyncReadExt as _;

use crate::library::{Library, Ours};

/// Answers so many requests on so many connections, and says what one costs.
pub(crate) type Way = fn(connections: u64, requests: u64) -> Figure;

/// Without a limit: ours, tokio, async-io.
pub(crate) const WITHOUT: [Way; 3] = [
    |connections, requests| ours(connections, requests, None),
    |connections, requests| tokio(connections, requests, None),
    |connections, requests| async_io(connections, requests, None),
];

/// With a limit on each wait for a request.
pub(crate) const WITH: [Way; 3] = [
    |connections, requests| ours(connections, requests, Some(LIMIT)),
    |connections, requests| tokio(connections, requests, Some(LIMIT)),
    |connections, requests| async_io(connections, requests, Some(LIMIT)),
];

/// As servers have it, and far beyond what this takes.
const LIMIT: Duration = Duration::from_secs(60);

/// The bytes of a request.
const REQUEST: [u8; 64] = [b'?'; 64];

/// Where clients connect to.
const ANY_PORT: &str = "127.0.0.1:0";

/// Requests that have been read.
type Count = Rc<Cell<u64>>;

fn ours(connections: u64, requests: u64, limit: Option<Duration>) -> Figure {
    Ours::run(async move {
        let listener = net::TcpListener::bind(ANY_PORT.parse()?)?;
        let clients = Clients::connect(listener.local_addr()?, connections)?;
        let count = Count::default();
        for _ in 0..connections {
            let (mut stream, _) = listener.accept().await?;
            stream.set_read_timeout(limit);
            let count = Rc::clone(&count);
            drop(net::spawn(async move {
                let mut buffer = [0; REQUEST.len()];
                while stream.read(&mut buffer).await.is_ok_and(|size| size > 0) {
                    count.set(count.get() + 1);
                }
            }));
        }
        clients.measure(requests, &count, net::yield_now).await
    })?
}

fn tokio(connections: u64, requests: u64, limit: Option<Duration>) -> Figure {
    let tasks = tokio::task::LocalSet::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tasks.block_on(&runtime, async move {
        let listener = tokio::net::TcpListener::bind(ANY_PORT).await?;
        let clients = Clients::connect(listener.local_addr()?, connections)?;
        let count = Count::default();
        for _ in 0..connections {
            let (mut stream, _) = listener.accept().await?;
            let count = Rc::clone(&count);
            tokio::task::spawn_local(async move {
                let mut buffer = [0; REQUEST.len()];
                loop {
                    let read = stream.read(&mut buffer);
                    let read = match limit {
                        None => read.await,
                        Some(limit) => tokio::time::timeout(limit, read).await.unwrap_or(Ok(0)),
                    };
                    match read {
                        Ok(0) | Err(_) => return,
                        Ok(_) => count.set(count.get() + 1),
                    }
                }
            });
        }
        clients.measure(requests, &count, tokio::task::yield_now).await
    })
}

fn async_io(connections: u64, requests: u64, limit: Option<Duration>) -> Figure {
    let executor = LocalExecutor::new();
    async_io::block_on(executor.run(async {
        let listener =
            async_io::Async::<std::net::TcpListener>::bind(ANY_PORT.parse::<SocketAddr>()?)?;
        let clients = Clients::connect(listener.get_ref().local_addr()?, connections)?;
        let count = Count::default();
        for _ in 0..connections {
            let (mut stream, _) = listener.accept().await?;
            let count = Rc::clone(&count);
            let handler = executor.spawn(async move {
                let mut buffer = [0; REQUEST.len()];
                loop {
                    let read = stream.read(&mut buffer);
                    let read = match limit {
                        None => read.await,
                        Some(limit) => future::or(read, elapsed(limit)).await,
                    };
                    match read {
                        Ok(0) | Err(_) => return,
                        Ok(_) => count.set(count.get() + 1),
                    }
                }
            });
            handler.detach();
        }
        clients.measure(requests, &count, future::yield_now).await
    }))
}

async fn elapsed(limit: Duration) -> io::Result<usize> {
    async_io::Timer::after(limit).await;
    Err(io::ErrorKind::TimedOut.into())
}

/// The other sides of the connections, which block.
struct Clients(Vec<TcpStream>);

impl Clients {
    /// Connections that nobody has accepted yet: the kernel makes them.
    fn connect(address: SocketAddr, connections: u64) -> io::Result<Clients> {
        let connect = |_| {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        (0..connections).map(connect).collect::<io::Result<_>>().map(Clients)
    }

    /// Sends a request on each connection and lets the loop turn until all are read, again and again.
    async fn measure<F: Future>(
        mut self,
        requests: u64,
        count: &Count,
        turn: impl Fn() -> F,
    ) -> Figure {
        let rounds = requests.div_ceil(self.0.len() as u64);
        self.round(count, &turn).await?;
        let begin = clock::process();
        for _ in 0..rounds {
            self.round(count, &turn).await?;
        }
        let time = clock::process() - begin;
        Ok(time / (rounds * self.0.len() as u64) as f64)
    }

    async fn round<F: Future>(
        &mut self,
        count: &Count,
        turn: &impl Fn() -> F,
    ) -> Result<(), Box<dyn Error>> {
        let all = count.get() + self.0.len() as u64;
        for stream in &mut self.0 {
            stream.write_all(&REQUEST)?;
        }
        for _ in 0..TURNS {
            if count.get() == all {
                return Ok(());
            }
            turn().await;
        }
        Err("requests were not read".into())
    }
}

/// Turns in which requests that were sent must have been read.
const TURNS: u32 = 100_000;
