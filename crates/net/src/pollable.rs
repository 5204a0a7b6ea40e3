//! Anything with a descriptor that can be polled: pipes, terminals, an eventfd, a child's stdio.

#[cfg(feature = "futures-io")]
mod futures_io;

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;

use crate::ask::{Awaitable, Direction, Wanted, sealed};
use crate::core::current;
use crate::registered::Registered;

/// A descriptor of another kind than this crate's sockets, to be waited for. Unix only.
///
/// The loop watches a duplicate of the descriptor, so the source itself may be used in any way;
/// [`Pollable::into_inner`] gives it back. `O_NONBLOCK` is set while this exists. That flag
/// belongs to the open file, which other descriptors and processes may share: a shell's terminal, for
/// one, is standard input, output and error at once. So each read and write looks first whether the
/// flag is still there, which costs one fcntl(2), and sets it again where not. What cannot be helped
/// is a process that takes it away just then, and one that does not expect to find it.
///
/// ```
/// use net::Pollable;
///
/// # net::EventLoop::new()?.run_until(async {
/// let (reader, writer) = std::io::pipe()?;
/// let (mut reader, mut writer) = (Pollable::new(reader)?, Pollable::new(writer)?);
/// let heard = net::spawn(async move {
///     let mut buffer = [0; 16];
///     let length = reader.read(&mut buffer).await?;
///     std::io::Result::Ok(buffer[..length].to_vec())
/// });
/// writer.write_all(b"drip").await?;
/// assert_eq!(heard.await.unwrap()?, b"drip");
/// # std::io::Result::Ok(())
/// # })??;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Pollable<T> {
    duplicate: Duplicate,
    source: T,
}

/// The duplicate that the loop watches.
#[derive(Debug)]
struct Duplicate {
    io: Registered,
    /// Whether the open file blocked when this set its flag.
    blocked: Cell<bool>,
}

/// Why a source cannot be waited for, and the source.
#[derive(Debug)]
pub struct PollableError<T> {
    error: io::Error,
    source: T,
}

impl<T: AsFd> Pollable<T> {
    /// Makes `source` one that can be waited for in the loop that runs here.
    ///
    /// # Errors
    ///
    /// Gives the source back, blocking if it was: with [`InvalidInput`](io::ErrorKind::InvalidInput)
    /// where it has no readiness to wait for, as a regular file, a directory and, for epoll,
    /// `/dev/null`; with [`NoLoop`](crate::NoLoop) outside a loop;
    /// with [`Unsupported`](io::ErrorKind::Unsupported) on a manual clock; and with the error of
    /// fcntl(2) when the process has no descriptor left.
    pub fn new(source: T) -> Result<Pollable<T>, PollableError<T>> {
        match Duplicate::of(&source) {
            Ok(duplicate) => Ok(Pollable { duplicate, source }),
            Err(error) => Err(PollableError { error, source }),
        }
    }
}

impl<T> Pollable<T> {
    /// The source.
    #[must_use]
    pub fn get_ref(&self) -> &T {
        &self.source
    }

    /// The source, to be changed. What is watched stays the descriptor that this was made with: to
    /// wait for another one, make another `Pollable`.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.source
    }

    /// Gives the source back, blocking if it did before, or somebody else had it block meanwhile.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.source
    }

    /// Waits until the source is readable and then does `attempt`, after the next event again if
    /// that is [`WouldBlock`](io::ErrorKind::WouldBlock).
    ///
    /// # Errors
    ///
    /// Those of `attempt`; [`AlreadyWaiting`](crate::AlreadyWaiting) while another task waits to
    /// read, and [`WrongLoop`](crate::WrongLoop) where its loop does not run.
    pub fn read_with<R>(
        &mut self,
        mut attempt: impl FnMut(&mut T) -> io::Result<R> + Unpin,
    ) -> impl Future<Output = io::Result<R>> {
        let (duplicate, source) = (&self.duplicate, &mut self.source);
        duplicate.io.when_readable(move |_| {
            duplicate.keep_from_blocking()?;
            attempt(source)
        })
    }

    /// As [`Pollable::read_with`], until it is writable.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn write_with<R>(
        &mut self,
        mut attempt: impl FnMut(&mut T) -> io::Result<R> + Unpin,
    ) -> impl Future<Output = io::Result<R>> {
        let (duplicate, source) = (&self.duplicate, &mut self.source);
        duplicate.io.when_writable(move |_| {
            duplicate.keep_from_blocking()?;
            attempt(source)
        })
    }

    /// Does `attempt` now; for generators that asked for [`Ask::read`](crate::Ask::read).
    ///
    /// # Errors
    ///
    /// Those of `attempt`; after [`WouldBlock`](io::ErrorKind::WouldBlock) the next wait is for
    /// news.
    pub fn try_read_with<R>(
        &mut self,
        attempt: impl FnMut(&mut T) -> io::Result<R>,
    ) -> io::Result<R> {
        self.attempt(Direction::Read, attempt)
    }

    /// As [`Pollable::try_read_with`], for [`Ask::write`](crate::Ask::write).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_write_with<R>(
        &mut self,
        attempt: impl FnMut(&mut T) -> io::Result<R>,
    ) -> io::Result<R> {
        self.attempt(Direction::Write, attempt)
    }

    fn attempt<R>(
        &mut self,
        direction: Direction,
        mut attempt: impl FnMut(&mut T) -> io::Result<R>,
    ) -> io::Result<R> {
        let Pollable { duplicate, source } = self;
        duplicate.keep_from_blocking()?;
        duplicate.io.attempt(direction, |_| attempt(source))
    }
}

impl<T: Read> Pollable<T> {
    /// Reads into `buffer`; 0 at the end.
    ///
    /// # Errors
    ///
    /// Those of the source.
    pub fn read<'a>(
        &'a mut self,
        buffer: &'a mut [u8],
    ) -> impl Future<Output = io::Result<usize>> + 'a {
        self.read_with(|source| source.read(buffer))
    }
}

impl<T: Write> Pollable<T> {
    /// Writes some of `bytes`, and says how many.
    ///
    /// # Errors
    ///
    /// Those of the source.
    pub fn write<'a>(
        &'a mut self,
        bytes: &'a [u8],
    ) -> impl Future<Output = io::Result<usize>> + 'a {
        self.write_with(|source| source.write(bytes))
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    ///
    /// Those of the source; some of the bytes may have been written.
    pub async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.write(bytes).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => bytes = bytes.get(written..).unwrap_or_default(),
            }
        }
        Ok(())
    }
}

impl Duplicate {
    fn of(source: &impl AsFd) -> io::Result<Duplicate> {
        let core = current()?;
        let socket = core.driver.duplicate(source.as_fd())?;
        let io = Registered::unregistered(core, socket);
        let duplicate = Duplicate { io, blocked: Cell::new(false) };
        // From here on the drop of it brings the flag back.
        duplicate.keep_from_blocking()?;
        duplicate.io.register()?;
        Ok(duplicate)
    }

    /// Sets `O_NONBLOCK` where it is not, or no longer: who shares the open file may have taken it
    /// away, and an attempt that blocks would hold up the loop. The last to set it takes it back.
    fn keep_from_blocking(&self) -> io::Result<()> {
        if self.io.source.socket.set_nonblocking()? {
            self.blocked.set(true);
        }
        Ok(())
    }
}

impl Drop for Duplicate {
    /// The open file lives on in the source: it has to be taken out of the selector, which forgets by
    /// itself only what is closed.
    fn drop(&mut self) {
        // After a failure its events are dropped as stale.
        let _ = self.io.core.driver.unregister(&self.io.source);
        if self.blocked.get() {
            // Nobody is left to be told; reading on would give `WouldBlock`.
            let _ = self.io.source.socket.set_blocking();
        }
    }
}

impl<T> sealed::Sealed for Pollable<T> {}

impl<T> Awaitable for Pollable<T> {
    fn wanted(&self, direction: Direction) -> Wanted {
        self.duplicate.io.wanted(direction)
    }
}

impl<T> PollableError<T> {
    /// Why, and the source.
    #[must_use]
    pub fn into_parts(self) -> (io::Error, T) {
        (self.error, self.source)
    }
}

impl<T> fmt::Display for PollableError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the source cannot be waited for: {}", self.error)
    }
}

impl<T: fmt::Debug> Error for PollableError<T> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

impl<T> From<PollableError<T>> for io::Error {
    fn from(refused: PollableError<T>) -> io::Error {
        refused.error
    }
}
