//! Limits on how long reading and writing wait.

use std::time::{Duration, Instant};

use crate::ask::Direction;
use crate::family::Family;
use crate::registered::Registered;
use crate::stream::{ReadHalf, Stream, WriteHalf};

/// # Limits on waiting
///
/// An operation whose limit has passed fails with [`TimedOut`](std::io::ErrorKind::TimedOut), and
/// [`Overdue::of`](crate::Overdue::of) says which limit it was; the connection stays as it is. A
/// limit ends a wait only: what is there is read, and what there is room for is written, however
/// late.
///
/// No limit ends a wait early. It ends late by at most an eighth of the shortest limit in the loop,
/// or two milliseconds if that is more, and by no more than ten seconds: the loop looks at the waits
/// now and then, so that neither reading nor writing touches a timer. A look takes some nanoseconds
/// for each connection that has a limit; there is none while nobody waits. With its first limit a
/// connection takes some 130 bytes more.
impl<K: Family> Stream<K> {
    /// Limits how long a read waits for something to come; `None`, as at first, for ever. This is the
    /// idle timeout of a connection.
    ///
    /// ```
    /// use std::time::Duration;
    /// use net::TcpStream;
    ///
    /// /// Reads until nothing comes for a minute.
    /// async fn drain(mut stream: TcpStream) -> std::io::Result<()> {
    ///     stream.set_read_timeout(Some(Duration::from_secs(60)));
    ///     while stream.chunk().await?.is_some() {}
    ///     Ok(())
    /// }
    /// ```
    pub fn set_read_timeout(&self, timeout: Option<Duration>) {
        self.io.set_timeout(Direction::Read, timeout);
    }

    /// Limits how long a write waits until the other side takes something; `None`, as at first, for
    /// ever. Each byte that goes starts the time anew, so that a slow reader is no failure and one
    /// that does not read is.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) {
        self.io.set_timeout(Direction::Write, timeout);
    }

    /// Sets the moment at which reads wait no more, until it is moved or lifted with `None`: for what
    /// must have come as a whole by then, such as the head of a request, however many reads that takes.
    ///
    /// ```
    /// use std::time::Duration;
    /// use net::TcpStream;
    ///
    /// /// Reads a line, which may take ten seconds in all.
    /// async fn line(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    ///     stream.set_read_deadline(Some(net::now() + Duration::from_secs(10)));
    ///     let mut line = Vec::new();
    ///     while !line.ends_with(b"\n") {
    ///         let Some(chunk) = stream.chunk().await? else { break };
    ///         line.extend_from_slice(&chunk);
    ///     }
    ///     stream.set_read_deadline(None);
    ///     Ok(line)
    /// }
    /// ```
    pub fn set_read_deadline(&self, deadline: Option<Instant>) {
        self.io.set_deadline(Direction::Read, deadline);
    }

    /// As [`Stream::set_read_deadline`], for writes: for an answer that must have been taken as a
    /// whole by then, where [`Stream::set_write_timeout`] is content with any byte.
    pub fn set_write_deadline(&self, deadline: Option<Instant>) {
        self.io.set_deadline(Direction::Write, deadline);
    }
}

impl<K: Family> ReadHalf<K> {
    /// As [`Stream::set_read_timeout`].
    pub fn set_read_timeout(&self, timeout: Option<Duration>) {
        self.stream().io.set_timeout(Direction::Read, timeout);
    }

    /// As [`Stream::set_read_deadline`].
    pub fn set_read_deadline(&self, deadline: Option<Instant>) {
        self.stream().io.set_deadline(Direction::Read, deadline);
    }
}

impl<K: Family> WriteHalf<K> {
    /// As [`Stream::set_write_timeout`].
    pub fn set_write_timeout(&self, timeout: Option<Duration>) {
        self.stream().io.set_timeout(Direction::Write, timeout);
    }

    /// As [`Stream::set_write_deadline`].
    pub fn set_write_deadline(&self, deadline: Option<Instant>) {
        self.stream().io.set_deadline(Direction::Write, deadline);
    }
}

impl Registered {
    fn set_timeout(&self, direction: Direction, timeout: Option<Duration>) {
        self.core.set_timeout(&self.source, direction, timeout);
    }

    fn set_deadline(&self, direction: Direction, deadline: Option<Instant>) {
        self.core.set_deadline(&self.source, direction, deadline);
    }
}
