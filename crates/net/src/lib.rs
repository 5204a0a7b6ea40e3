//! An event loop over a fair scheduler and a readiness selector.
//!
//! A task asks for something, the loop grants it, readiness brings the task back: the page of Python
//! this began as still is the loop, in [`EventLoop`]. Tasks are ordinary futures, or generators
//! that yield an [`Ask`].
//!
//! # How to use it
//!
//! ```
//! use std::time::Duration;
//! use net::{EventLoop, TcpListener, TcpStream, sleep, spawn};
//!
//! let event_loop = EventLoop::new()?;
//! event_loop.run_until(async {
//!     let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
//!     let address = listener.local_addr()?;
//!     let server = spawn(async move {
//!         let (mut stream, _peer) = listener.accept().await?;
//!         sleep(Duration::from_millis(1)).await;
//!         stream.write_all(b"good morning").await
//!     });
//!     let mut stream = TcpStream::connect(address).await?;
//!     let chunk = stream.chunk().await?;
//!     assert_eq!(chunk.as_deref(), Some(&b"good morning"[..]));
//!     server.await.expect("neither cancelled nor panicked")
//! })??;
//! # std::io::Result::Ok(())
//! ```
//!
//! # What it promises
//!
//! - *Fairness.* Let task A be queued while n tasks are ready. Then A's next step comes after exactly
//!   one step of each of those n, and of no other task. One step completes at most [`BUDGET`]
//!   operations. With n tasks ready, the selector is polled at least every max(n, [`POLL_EVERY`])
//!   steps.
//! - *Cost.* On a connection that is kept, with an edge-triggered backend, a request costs one
//!   receive, one send and a share of one wait, and allocates nothing. An idle connection holds no
//!   buffer.
//! - *Ownership.* A task belongs to the loop or to a [`TaskGroup`], and is dropped with it. A socket
//!   that outlives its loop, or is used on another, says so.
//! - *Limits.* Each is a constant here, or a setting that says which.
//!
//! Timers are never early; late by the kernel's wait resolution and the tasks that are ready before
//! them. Linux has every backend; macOS and the BSDs kqueue, poll and select; Windows IOCP. TCP and UDP
//! are everywhere; Unix sockets and `Pollable` on Unix; abstract names and the credentials of a peer on
//! Linux.
//!
//! # What it refuses to do
//!
//! It does not move tasks between threads: a loop and everything in it belong to the thread that
//! made it, and [`Handle`] and wakers are what other threads get. It has no detached tasks, no DNS
//! resolver, no TLS, and no HTTP but that of its program `hello`. It does not survive fork(2)
//! without exec(2).

mod ask;
#[cfg(feature = "channel")]
pub mod channel;
mod chunk;
mod core;
mod datagram;
mod deadlines;
mod driver;
mod error;
mod event_loop;
mod failure;
mod fair;
mod family;
mod grants;
mod group;
mod handle;
pub mod handlers;
mod listener;
mod listing;
mod lookup;
mod options;
#[cfg(unix)]
mod pollable;
#[cfg(feature = "programs")]
pub mod programs;
mod registered;
mod relay;
mod remote;
mod server;
#[cfg(feature = "sim")]
pub mod sim;
mod source;
mod stream;
mod task;
mod time;
mod timers;
mod trace;
mod unblock;

pub use ask::{Ask, Awaitable, Direction, Wanted};
pub use chunk::{CHUNK_SIZE, Chunk};
pub use core::BUDGET;
#[cfg(unix)]
pub use datagram::UnixDatagram;
pub use datagram::{DatagramSocket, UdpSocket};
pub use deadlines::Overdue;
pub use driver::{Backend, ManualClock, Received, raise_descriptor_limit};
pub use driver::{UNBLOCK_IDLE, UNBLOCK_THREADS};
pub use error::{AlreadyWaiting, NoLoop, RunError, WrongLoop};
pub use event_loop::{EventLoop, POLL_EVERY};
pub use failure::{Cause, Failure};
pub use fair::{Fair, fair};
pub use family::{Address, Family, Inet};
#[cfg(unix)]
pub use family::{Local, UnixAddr};
pub use group::{GroupError, GroupHandle, TaskGroup};
pub use handle::Handle;
#[cfg(unix)]
pub use listener::UnixListener;
pub use listener::{Listener, TcpListener};
pub use listing::{Stats, TaskInfo, Wait, WaitKind, stats, tasks};
pub use lookup::{LookupError, ToAddresses, lookup};
#[cfg(unix)]
pub use pollable::{Pollable, PollableError};
pub use remote::RemoteJoinHandle;
pub use sched::{Payload, SPAWN_LIMIT, SpawnError, TaskId, TaskState};
pub use server::{ACCEPT_PAUSE, GRACE, MAX_CONNECTIONS, Served, Server, Stopped, Stopper};
pub use server::{MAX_THREADS, THREAD_PATIENCE, ThreadedServer};
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use stream::PeerCredentials;
#[cfg(unix)]
pub use stream::UnixStream;
pub use stream::{CONNECT_ATTEMPTS, CONNECT_DELAY, ConnectError};
pub use stream::{MAX_BUFFERS, ReadHalf, ReuniteError, Stream, TcpStream, UNIX_PAUSE, WriteHalf};
pub use task::{Co, JoinError, JoinHandle, spawn, spawn_generator, yield_now};
pub use time::{
    Elapsed, Interval, Sleep, Timeout, interval, now, sleep, sleep_until, time_of_day, timeout,
    timeout_at,
};
pub use unblock::{Unblock, unblock};

#[doc = include_str!("../docs/hot-path.md")]
#[cfg(any(doc, doctest))]
pub mod hot_path {}

#[doc = include_str!("../docs/tutorial.md")]
#[cfg(all(any(doc, doctest), feature = "channel"))]
pub mod tutorial {}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[doc = include_str!("../../../README.md")]
struct Readmes;
