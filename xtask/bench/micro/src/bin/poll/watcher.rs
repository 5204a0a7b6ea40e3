//! What every way to wait for descriptors has in common.

use std::error::Error;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;

/// Waits for descriptors to be readable.
pub(crate) trait Watcher: Sized + 'static {
    /// What names a registration.
    type Key: Copy;

    /// With room for `events` in one wait.
    fn open(events: usize) -> io::Result<Self>;

    fn register(
        &mut self,
        source: &Rc<OwnedFd>,
        number: usize,
    ) -> Result<Self::Key, Box<dyn Error>>;

    fn unregister(&mut self, source: &Rc<OwnedFd>, key: Self::Key) -> Result<(), Box<dyn Error>>;

    /// Looks without blocking, goes through what is ready, and says how many that were.
    fn look(&mut self) -> io::Result<usize>;
}
