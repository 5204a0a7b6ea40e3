//! Futures of other libraries, under the law of fairness.

use std::borrow::Cow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::core::current;
use crate::listing::{SendWaitGuard, WaitKind};

/// Makes a future of another library a leaf like those of this crate: each completion takes one
/// operation off the budget of the task that polls it ([`BUDGET`](crate::BUDGET)), and its wait
/// stands in the listing of [`tasks`](crate::tasks).
///
/// Leaves that are ready again and again are the ones that need it: a lock that is always free, a
/// queue that is never empty. A task that awaits such a thing in a cycle never gives up its turn
/// otherwise. Locks, semaphores and barriers come from `async-lock`, what one waits for without a
/// value from `event-listener`, and `join`, `race` and streams from `futures-lite` or `futures-util`:
/// these are tested with this loop. The channels of this crate need no wrapper.
///
/// Outside a loop, the future is polled and nothing else. It may be sent to another thread if the
/// inner one may; where that happens, or it is dropped outside its loop, while a task waits for it,
/// the wait stays in the listing until that task ends.
///
/// ```
/// use std::rc::Rc;
///
/// let (event_loop, _clock) = net::EventLoop::manual();
/// event_loop.run_until(async {
///     let log = Rc::new(async_lock::Mutex::new(Vec::new()));
///     let writer = Rc::clone(&log);
///     let busy = net::spawn(async move {
///         for number in 0..1_000 {
///             net::fair(writer.lock()).named("the log").await.push(number);
///         }
///     });
///     net::yield_now().await;
///     assert_eq!(net::fair(log.lock()).await.len(), net::BUDGET as usize); // and now it is our turn
///     busy.await.unwrap();
/// }).unwrap();
/// ```
pub fn fair<F: Future>(future: F) -> Fair<F> {
    Fair { future, turn: Turn::default() }
}

pin_project! {
    /// The future of [`fair`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Fair<F> {
        #[pin]
        future: F,
        turn: Turn,
    }
}

impl<F> Fair<F> {
    /// Says in listings what the task waits for.
    pub fn named(mut self, name: impl Into<Cow<'static, str>>) -> Fair<F> {
        self.turn.what = What::Named(name.into());
        self
    }

    #[cfg(feature = "channel")]
    pub(crate) fn waiting(self, what: What) -> Fair<F> {
        Fair { turn: Turn::new(what), ..self }
    }
}

impl<F: Future> Future for Fair<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.turn.poll(cx, |cx| this.future.poll(cx))
    }
}

/// What a leaf keeps between its polls.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    what: What,
    wait: Option<SendWaitGuard>,
}

/// What the listing calls the wait of a leaf.
#[derive(Clone, Debug, Default)]
pub(crate) enum What {
    #[default]
    Unknown,
    Named(Cow<'static, str>),
    #[cfg(feature = "channel")]
    Channel(crate::ask::Direction, Option<Cow<'static, str>>),
}

impl Turn {
    #[cfg(feature = "channel")]
    pub(crate) fn new(what: What) -> Turn {
        Turn { what, wait: None }
    }

    /// Polls a leaf, at the cost of one operation if it is ready.
    pub(crate) fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let Ok(core) = current() else {
            return poll(cx);
        };
        // It cannot be counted afterwards: what the leaf gave would have to be kept.
        ready!(core.spend(cx));
        let polled = poll(cx);
        let before = self.wait.take();
        if polled.is_pending() {
            core.refund();
            self.wait = core.send_wait_on(before, cx, self.what.kind());
        }
        polled
    }
}

impl What {
    fn kind(&self) -> WaitKind {
        match self.clone() {
            What::Unknown => WaitKind::Waker,
            What::Named(name) => WaitKind::Named(name),
            #[cfg(feature = "channel")]
            What::Channel(direction, name) => WaitKind::Channel { direction, name },
        }
    }
}
