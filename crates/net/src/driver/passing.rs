//! Sockets and drivers for other threads.

use std::io;
use std::thread;

use super::socket::Socket as System;
use super::{Driver, Kernel, Socket};

/// A socket on its way from one thread's loop to another's; no loop watches it. It is one of the
/// system's: those of a simulation stay where they are.
#[derive(Debug)]
pub(crate) struct Passing(System);

impl Passing {
    /// # Errors
    ///
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a socket of a simulation.
    #[cfg(not(feature = "sim"))]
    pub(crate) fn new(socket: Socket) -> io::Result<Passing> {
        Ok(Passing(socket))
    }

    #[cfg(feature = "sim")]
    pub(crate) fn new(socket: Socket) -> io::Result<Passing> {
        match socket {
            Socket::System(socket) => Ok(Passing(socket)),
            Socket::Simulated(_) => Err(super::simulation::unsupported("threads")),
        }
    }

    #[cfg(not(feature = "sim"))]
    pub(crate) fn arrive(self) -> Socket {
        self.0
    }

    #[cfg(feature = "sim")]
    pub(crate) fn arrive(self) -> Socket {
        Socket::System(self.0)
    }
}

impl Driver {
    /// Starts a thread that gets a driver of its own, of the same kind as this one, for `body`. Nobody
    /// waits for its end.
    ///
    /// # Errors
    ///
    /// The system's, when it has no room for a thread;
    /// [`Unsupported`](io::ErrorKind::Unsupported) where time is not real: another thread would not
    /// keep to it.
    pub(crate) fn start_thread(
        &self,
        name: String,
        body: impl FnOnce(io::Result<Driver>) + Send + 'static,
    ) -> io::Result<()> {
        match self {
            Driver::Kernel(kernel) => {
                let backend = kernel.backend();
                let driver = move || Kernel::new(Some(backend)).map(Driver::Kernel);
                thread::Builder::new().name(name).spawn(move || body(driver())).map(drop)
            }
            Driver::Manual(_) => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "an event loop on a manual clock has no threads",
            )),
            #[cfg(feature = "sim")]
            Driver::Simulated(_) => Err(super::simulation::unsupported("threads")),
        }
    }
}
