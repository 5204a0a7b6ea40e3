//! Where the loop meets the world: the only folder that names the operating system.
//!
//! Everything above it is told what time it is and what is ready. A driver is the operating system,
//! or a clock that a test moves.

mod address;
mod datagram;
mod kernel;
mod limits;
mod manual;
mod options;
mod socket;

use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

pub use datagram::Received;
pub use kernel::Backend;
pub(crate) use kernel::Kernel;
pub use limits::raise_descriptor_limit;
pub(crate) use manual::Manual;
pub use manual::ManualClock;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use options::PeerCredentials;
pub(crate) use poll::{Key, Readiness};
#[cfg(unix)]
pub(crate) use socket::Kind;
pub(crate) use socket::{AcceptFailure, Socket};

use crate::family::Address;
use crate::source::Source;

/// The world that a loop runs in.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one per loop, and it never moves")]
pub(crate) enum Driver {
    Kernel(Kernel),
    Manual(Manual),
}

/// What another thread calls to bring the loop out of its wait.
pub(crate) type Unpark = Box<dyn Fn() + Send + Sync>;

impl Driver {
    pub(crate) fn now(&self) -> Instant {
        match self {
            Driver::Kernel(_) => Instant::now(),
            Driver::Manual(manual) => manual.now(),
        }
    }

    pub(crate) fn unpark(&self) -> Unpark {
        match self {
            Driver::Kernel(kernel) => kernel.unpark(),
            Driver::Manual(manual) => manual.unpark(),
        }
    }

    /// Whether a report comes once per change, so that nothing has to be armed.
    pub(crate) fn reports_edges(&self) -> bool {
        match self {
            Driver::Kernel(kernel) => kernel.reports_edges(),
            Driver::Manual(_) => true,
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
        }
    }

    /// A stream socket that listens.
    pub(crate) fn listen(&self, address: &Address) -> io::Result<Socket> {
        self.kernel().and_then(|_| Socket::listen(address))
    }

    /// A stream socket that has begun to connect.
    pub(crate) fn connect(&self, address: &Address) -> io::Result<Socket> {
        self.kernel().and_then(|_| Socket::connect(address))
    }

    /// A datagram socket with an address.
    pub(crate) fn bind(&self, address: &Address) -> io::Result<Socket> {
        self.kernel().and_then(|_| Socket::bind(address))
    }

    /// A Unix datagram socket without an address.
    #[cfg(unix)]
    pub(crate) fn unbound(&self) -> io::Result<Socket> {
        self.kernel().and_then(|_| Socket::unbound())
    }

    /// Two Unix sockets connected to each other.
    #[cfg(unix)]
    pub(crate) fn pair(&self, kind: Kind) -> io::Result<(Socket, Socket)> {
        self.kernel().and_then(|_| Socket::pair(kind))
    }

    /// A duplicate of a descriptor, which no longer blocks, and whether it did.
    #[cfg(unix)]
    pub(crate) fn duplicate(
        &self,
        descriptor: std::os::fd::BorrowedFd<'_>,
    ) -> io::Result<(Socket, bool)> {
        self.kernel().and_then(|_| Socket::duplicate(descriptor))
    }

    /// Begins to watch a source; with edges in both directions, otherwise for reading.
    pub(crate) fn register(&self, source: &Rc<Source>) -> io::Result<()> {
        self.kernel()?.register(source)
    }

    /// Watches exactly `directions`, on a driver without edges.
    pub(crate) fn arm(&self, source: &Source, directions: Readiness) -> io::Result<()> {
        self.kernel()?.arm(source, directions)
    }

    /// Ends watching a source that is about to be closed.
    pub(crate) fn forget(&self, source: &Source) {
        if let Driver::Kernel(kernel) = self {
            kernel.forget(source);
        }
    }

    /// Ends watching a source whose open file others may hold, so that closing ours does not.
    #[cfg(unix)]
    pub(crate) fn unregister(&self, source: &Source) -> io::Result<()> {
        match self {
            Driver::Kernel(kernel) => kernel.unregister(source),
            Driver::Manual(_) => Ok(()),
        }
    }

    /// Events dropped because they named a source closed since.
    pub(crate) fn stale(&self) -> u64 {
        match self {
            Driver::Kernel(kernel) => kernel.stale(),
            Driver::Manual(_) => 0,
        }
    }

    /// Calls `each` with every source that is watched.
    pub(crate) fn each_source(&self, each: impl FnMut(&Source)) {
        if let Driver::Kernel(kernel) = self {
            kernel.each_source(each);
        }
    }

    /// A driver that can carry sockets.
    fn kernel(&self) -> io::Result<&Kernel> {
        match self {
            Driver::Kernel(kernel) => Ok(kernel),
            Driver::Manual(_) => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "an event loop on a manual clock has no sockets",
            )),
        }
    }
}
