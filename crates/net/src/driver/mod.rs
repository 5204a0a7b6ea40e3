//! Where the loop meets the world: the only folder that names the operating system.
//!
//! Everything above it is told what time it is and what is ready. A driver is the operating system,
//! or a clock that a test moves.

mod address;
mod datagram;
#[cfg(feature = "sim")]
mod either;
mod kernel;
mod limits;
mod lookup;
mod manual;
mod options;
mod park;
mod passing;
#[cfg(feature = "sim")]
pub(crate) mod simulation;
mod socket;
mod threads;

use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

pub use datagram::Received;
pub use kernel::Backend;
pub(crate) use kernel::Kernel;
pub use limits::raise_descriptor_limit;
pub(crate) use lookup::Resolver;
pub(crate) use manual::Manual;
pub use manual::ManualClock;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use options::PeerCredentials;
pub(crate) use park::{Home, block};
pub(crate) use passing::Passing;
pub(crate) use poll::{Key, Readiness};
#[cfg(unix)]
pub(crate) use socket::Kind;
#[cfg(not(feature = "sim"))]
pub(crate) use socket::Socket;
pub(crate) use socket::{AcceptFailure, is_unreachable};
pub(crate) use threads::{Job, Place};
pub use threads::{UNBLOCK_IDLE, UNBLOCK_THREADS};

#[cfg(feature = "sim")]
pub(crate) use either::Socket;
#[cfg(feature = "sim")]
use simulation::Simulated;

use crate::family::Address;
use crate::source::Source;

/// The world that a loop runs in.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one per loop, and it never moves")]
pub(crate) enum Driver {
    Kernel(Kernel),
    Manual(Manual),
    #[cfg(feature = "sim")]
    Simulated(Simulated),
}

/// What another thread calls to bring the loop out of its wait.
pub(crate) type Unpark = Box<dyn Fn() + Send + Sync>;

impl Driver {
    pub(crate) fn now(&self) -> Instant {
        match self {
            Driver::Kernel(_) => Instant::now(),
            Driver::Manual(manual) => manual.now(),
            #[cfg(feature = "sim")]
            Driver::Simulated(simulated) => simulated.now(),
        }
    }

    /// The time of day. It may jump, and go back: what waits uses [`Driver::now`].
    pub(crate) fn wall_clock(&self) -> SystemTime {
        match self {
            Driver::Kernel(_) => SystemTime::now(),
            Driver::Manual(manual) => manual.wall_clock(),
            #[cfg(feature = "sim")]
            Driver::Simulated(simulated) => simulated.wall_clock(),
        }
    }

    pub(crate) fn unpark(&self) -> Unpark {
        match self {
            Driver::Kernel(kernel) => kernel.unpark(),
            Driver::Manual(manual) => manual.unpark(),
            #[cfg(feature = "sim")]
            Driver::Simulated(simulated) => simulated.unpark(),
        }
    }

    /// Whether a report comes once per change, so that nothing has to be armed.
    pub(crate) fn reports_edges(&self) -> bool {
        match self {
            Driver::Kernel(kernel) => kernel.reports_edges(),
            Driver::Manual(_) => true,
            #[cfg(feature = "sim")]
            Driver::Simulated(_) => true,
        }
    }

    /// Waits at most `timeout`, for ever without one, and tells `report` what became ready.
    /// `report` runs under a borrow of the driver: it queues tasks and runs nothing.
    pub(crate) fn wait(
        &self,
        timeout: Option<Duration>,
        report: impl FnMut(&Source, Readiness),
    ) -> io::Result<()> {
        match self {
            Driver::Kernel(kernel) => kernel.wait(timeout, report),
            Driver::Manual(manual) => {
                manual.wait(timeout);
                Ok(())
            }
            #[cfg(feature = "sim")]
            Driver::Simulated(simulated) => {
                simulated.wait(report);
                Ok(())
            }
        }
    }

    /// A stream socket that listens.
    pub(crate) fn listen(&self, address: &Address) -> io::Result<Socket> {
        match self {
            Driver::Kernel(_) => Socket::listen(address),
            Driver::Manual(_) => Err(no_sockets()),
            #[cfg(feature = "sim")]
            Driver::Simulated(simulated) => simulated.listen(address).map(Socket::Simulated),
        }
    }

    /// A stream socket that has begun to connect.
    pub(crate) fn connect(&self, address: &Address) -> io::Result<Socket> {
        match self {
            Driver::Kernel(_) => Socket::connect(address),
            Driver::Manual(_) => Err(no_sockets()),
            #[cfg(feature = "sim")]
            Driver::Simulated(simulated) => simulated.connect(address).map(Socket::Simulated),
        }
    }

    /// A datagram socket with an address.
    pub(crate) fn bind(&self, address: &Address) -> io::Result<Socket> {
        match self {
            Driver::Kernel(_) => Socket::bind(address),
            Driver::Manual(_) => Err(no_sockets()),
            #[cfg(feature = "sim")]
            Driver::Simulated(simulated) => simulated.bind(address).map(Socket::Simulated),
        }
    }

    /// A Unix datagram socket without an address.
    #[cfg(unix)]
    pub(crate) fn unbound(&self) -> io::Result<Socket> {
        match self {
            Driver::Kernel(_) => Socket::unbound(),
            Driver::Manual(_) => Err(no_sockets()),
            #[cfg(feature = "sim")]
            Driver::Simulated(simulated) => simulated.unbound().map(Socket::Simulated),
        }
    }

    /// Two Unix sockets connected to each other.
    #[cfg(unix)]
    pub(crate) fn pair(&self, kind: Kind) -> io::Result<(Socket, Socket)> {
        match self {
            Driver::Kernel(_) => Socket::pair(kind),
            Driver::Manual(_) => Err(no_sockets()),
            #[cfg(feature = "sim")]
            Driver::Simulated(simulated) => {
                let (near, far) = simulated.pair(kind)?;
                Ok((Socket::Simulated(near), Socket::Simulated(far)))
            }
        }
    }

    /// A duplicate of a descriptor.
    #[cfg(unix)]
    pub(crate) fn duplicate(&self, descriptor: std::os::fd::BorrowedFd<'_>) -> io::Result<Socket> {
        match self {
            Driver::Kernel(_) => Socket::duplicate(descriptor),
            Driver::Manual(_) => Err(no_sockets()),
            #[cfg(feature = "sim")]
            Driver::Simulated(_) => Err(simulation::unsupported("descriptors")),
        }
    }

    /// Begins to watch a source; with edges in both directions, otherwise for reading.
    pub(crate) fn register(&self, source: &Rc<Source>) -> io::Result<()> {
        match self {
            Driver::Kernel(kernel) => kernel.register(source),
            Driver::Manual(_) => Err(no_sockets()),
            #[cfg(feature = "sim")]
            Driver::Simulated(simulated) => simulated.register(source),
        }
    }

    /// Watches exactly `directions`, on a driver without edges.
    pub(crate) fn arm(&self, source: &Source, directions: Readiness) -> io::Result<()> {
        match self {
            Driver::Kernel(kernel) => kernel.arm(source, directions),
            Driver::Manual(_) => Err(no_sockets()),
            #[cfg(feature = "sim")]
            Driver::Simulated(_) => Ok(()),
        }
    }

    /// Ends watching a source that is about to be closed.
    pub(crate) fn forget(&self, source: &Source) {
        match self {
            Driver::Kernel(kernel) => kernel.forget(source),
            Driver::Manual(_) => {}
            #[cfg(feature = "sim")]
            Driver::Simulated(simulated) => simulated.forget(source),
        }
    }

    /// Ends watching a source whose open file others may hold, so that closing ours does not.
    #[cfg(unix)]
    pub(crate) fn unregister(&self, source: &Source) -> io::Result<()> {
        match self {
            Driver::Kernel(kernel) => kernel.unregister(source),
            _ => Ok(()),
        }
    }

    /// Events dropped because they named a source closed since.
    pub(crate) fn stale(&self) -> u64 {
        match self {
            Driver::Kernel(kernel) => kernel.stale(),
            _ => 0,
        }
    }

    /// Has a thread do `job` as soon as one is free. The only place that decides so: where time is not
    /// real, the job is done here and now, so that it takes none, and in the same order each time.
    ///
    /// # Errors
    ///
    /// When the loop is gone; when there is no thread, and none can be started.
    pub(crate) fn unblock(&self, job: Job) -> io::Result<Option<Place>> {
        match self {
            Driver::Kernel(kernel) => kernel.threads.enter(job).map(Some),
            _ => {
                job();
                Ok(None)
            }
        }
    }

    /// Takes back a job that no thread has begun.
    pub(crate) fn withdraw(&self, place: Place) -> Option<Job> {
        match self {
            Driver::Kernel(kernel) => kernel.threads.withdraw(place),
            _ => None,
        }
    }

    /// How many threads there may be at a time.
    pub(crate) fn set_threads(&self, limit: usize) {
        if let Driver::Kernel(kernel) = self {
            kernel.threads.set_limit(limit);
        }
    }

    /// Ends the threads without waiting for them, and returns the jobs that none has begun.
    pub(crate) fn close_threads(&self) -> impl Iterator<Item = Job> + use<> {
        let jobs = match self {
            Driver::Kernel(kernel) => Some(kernel.threads.close()),
            _ => None,
        };
        jobs.into_iter().flatten()
    }

    /// What finds the addresses of a name; it blocks.
    pub(crate) fn resolver(&self) -> io::Result<Resolver> {
        match self {
            Driver::Kernel(_) => Ok(Box::new(lookup::resolve)),
            Driver::Manual(_) => Err(no_sockets()),
            #[cfg(feature = "sim")]
            Driver::Simulated(simulated) => Ok(simulated.resolver()),
        }
    }

    /// Calls `each` with every source that is watched.
    pub(crate) fn each_source(&self, each: impl FnMut(&Source)) {
        match self {
            Driver::Kernel(kernel) => kernel.each_source(each),
            Driver::Manual(_) => {}
            #[cfg(feature = "sim")]
            Driver::Simulated(simulated) => simulated.each_source(each),
        }
    }
}

fn no_sockets() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "an event loop on a manual clock has no sockets")
}
