//! How long the connections of a server may wait.

use std::time::Duration;

use crate::stream::TcpStream;
use crate::time::now;

/// What is set on each connection that is accepted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limits {
    pub(super) idle: Option<Duration>,
    pub(super) header: Option<Duration>,
    pub(super) write: Option<Duration>,
}

impl Limits {
    pub(super) fn set_on(self, stream: &TcpStream) {
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
