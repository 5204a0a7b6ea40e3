//! What else hyper asks of a runtime: tasks and time.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Executor, Sleep, Timer};
use send_wrapper::SendWrapper;

/// The loop that runs here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loop;

/// Without `Send`: a task stays on the thread of its loop.
impl<F: Future + 'static> Executor<F> for Loop {
    fn execute(&self, future: F) {
        drop(net::spawn(future));
    }
}

impl Timer for Loop {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        Box::pin(LoopSleep(SendWrapper::new(net::sleep(duration))))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(LoopSleep(SendWrapper::new(net::sleep_until(deadline))))
    }

    fn now(&self) -> Instant {
        net::now()
    }
}

/// hyper wants its timers `Send`. This one is in word only: used on another thread, it panics.
struct LoopSleep(SendWrapper<net::Sleep>);

impl Sleep for LoopSleep {}

impl Future for LoopSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx)
    }
}
