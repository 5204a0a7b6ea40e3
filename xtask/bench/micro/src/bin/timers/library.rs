//! The libraries: a future that ends at a moment, and the loop that it belongs to.

use std::error::Error;
use std::time::Instant;

/// Timers of one library.
pub(crate) trait Library: 'static {
    type Sleep: Future + 'static;

    fn until(deadline: Instant) -> Self::Sleep;

    /// Runs `future` as a task of the library's own loop on this thread.
    fn run<F: Future + 'static>(future: F) -> Result<F::Output, Box<dyn Error>>;
}

pub(crate) struct Ours;

impl Library for Ours {
    type Sleep = net::Sleep;

    fn until(deadline: Instant) -> net::Sleep {
        net::sleep_until(deadline)
    }

    fn run<F: Future + 'static>(future: F) -> Result<F::Output, Box<dyn Error>> {
        Ok(net::EventLoop::new()?.run_until(future)?)
    }
}

pub(crate) struct Tokio;

impl Library for Tokio {
    type Sleep = tokio::time::Sleep;

    fn until(deadline: Instant) -> tokio::time::Sleep {
        tokio::time::sleep_until(deadline.into())
    }

    /// Outside of its budget: a task that polls more than 128 timers in one step would otherwise be told
    /// that they are pending without their being set.
    fn run<F: Future + 'static>(future: F) -> Result<F::Output, Box<dyn Error>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(runtime.block_on(tokio::task::unconstrained(future)))
    }
}

pub(crate) struct AsyncIo;

impl Library for AsyncIo {
    type Sleep = async_io::Timer;

    fn until(deadline: Instant) -> async_io::Timer {
        async_io::Timer::at(deadline)
    }

    fn run<F: Future + 'static>(future: F) -> Result<F::Output, Box<dyn Error>> {
        Ok(async_io::block_on(future))
    }
}
