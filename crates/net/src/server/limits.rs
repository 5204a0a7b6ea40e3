//! How many connections a server holds, and how long they may wait.

use std::time::Duration;

use crate::family::Family;
use crate::stream::Stream;
use crate::time::now;

/// What a server was told of its connections.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) max_connections: usize,
    pub(super) limits: Limits,
    pub(super) grace: Duration,
    /// As long as the grace unless set.
    pub(super) idle_grace: Option<Duration>,
}

/// What is set on each connection that is accepted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limits {
    pub(super) idle: Option<Duration>,
    pub(super) header: Option<Duration>,
    pub(super) write: Option<Duration>,
}

impl Limits {
    pub(super) fn set_on<K: Family>(self, stream: &Stream<K>) {
        if self.idle.is_some() {
            stream.set_read_timeout(self.idle);
        }
        if self.write.is_some() {
            stream.set_write_timeout(self.write);
        }
        if let Some(time) = self.header {
            stream.set_read_deadline(now().checked_add(time));
        }
    }
}
