//! What a Unix datagram socket has of its own.

use std::io;

use crate::core::current;
use crate::datagram::UnixDatagram;
use crate::driver::{Kind, Readiness};
use crate::registered::Registered;

impl UnixDatagram {
    /// A socket without an address: it can send, and nobody can answer.
    ///
    /// # Errors
    ///
    /// Those of socket(2); [`NoLoop`](crate::NoLoop) outside a loop.
    pub fn unbound() -> io::Result<UnixDatagram> {
        let core = current()?;
        let socket = core.driver.unbound()?;
        Ok(UnixDatagram::new(Registered::with(core, socket, Readiness::WRITE)?))
    }

    /// Two sockets that are connected to each other and have no address.
    ///
    /// # Errors
    ///
    /// Those of socketpair(2); [`NoLoop`](crate::NoLoop) outside a loop.
    pub fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        let core = current()?;
        let (near, far) = core.driver.pair(Kind::Datagram)?;
        let near = Registered::with(core.clone(), near, Readiness::WRITE)?;
        let far = Registered::with(core, far, Readiness::WRITE)?;
        Ok((UnixDatagram::new(near), UnixDatagram::new(far)))
    }
}
