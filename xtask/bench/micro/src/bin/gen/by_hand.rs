//! The state machine that a person would write.

use std::hint::black_box;
use std::pin::{Pin, pin};

use generator::{Resumable, Step};

use crate::ours::{Behind, drain, drain_sending};

enum Counter {
    Ready { end: u64 },
    Suspended { next: u64, end: u64 },
    Returned,
}

impl Counter {
    #[inline]
    fn advance(&mut self, stride: u64) -> Step<u64, ()> {
        let (next, end) = match *self {
            Counter::Ready { end } => (0, end),
            Counter::Suspended { next, end } => (next + stride, end),
            Counter::Returned => panic!("resumed after the end"),
        };
        if next < end {
            *self = Counter::Suspended { next, end };
            return Step::Yielded(next);
        }
        *self = Counter::Returned;
        Step::Complete(())
    }
}

impl Resumable for Counter {
    type Yield = u64;
    type Return = ();

    #[inline]
    fn resume(mut self: Pin<&mut Self>, (): ()) -> Step<u64, ()> {
        self.advance(1)
    }
}

/// Takes the stride at every resume.
impl Resumable<u64> for Counter {
    type Yield = u64;
    type Return = ();

    #[inline]
    fn resume(mut self: Pin<&mut Self>, stride: u64) -> Step<u64, ()> {
        self.advance(stride)
    }
}

pub(crate) fn count(end: u64) -> u64 {
    drain(pin!(Counter::Ready { end }))
}

pub(crate) fn send(end: u64) -> u64 {
    drain_sending(pin!(Counter::Ready { end }))
}

pub(crate) fn count_behind_dyn(end: u64) -> u64 {
    let machine: Behind<()> = Box::pin(Counter::Ready { end });
    drain(black_box(machine).as_mut())
}

pub(crate) fn send_behind_dyn(end: u64) -> u64 {
    let machine: Behind<u64> = Box::pin(Counter::Ready { end });
    drain_sending(black_box(machine).as_mut())
}
