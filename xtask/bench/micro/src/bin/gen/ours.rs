//! Our own generators, and the loops that resume ours and the machine written by hand.

use std::hint::black_box;
use std::pin::{Pin, pin};

use generator::{Co, Gen, Resumable, Step};

/// A machine whose type is forgotten.
pub(crate) type Behind<R> = Pin<Box<dyn Resumable<R, Yield = u64, Return = ()>>>;

async fn numbers(co: Co<u64>, end: u64) {
    for number in 0..end {
        co.yield_(number).await;
    }
}

async fn strides(co: Co<u64, u64>, end: u64) {
    let mut number = 0;
    while number < end {
        number += co.yield_(number).await;
    }
}

pub(crate) fn count(end: u64) -> u64 {
    drain(pin!(Gen::new(|co| numbers(co, end))))
}

pub(crate) fn send(end: u64) -> u64 {
    drain_sending(pin!(Gen::new(|co| strides(co, end))))
}

pub(crate) fn count_behind_dyn(end: u64) -> u64 {
    let machine: Behind<()> = Box::pin(Gen::new(|co| numbers(co, end)));
    // The black box hides which machine it is, so that the call stays indirect.
    drain(black_box(machine).as_mut())
}

pub(crate) fn send_behind_dyn(end: u64) -> u64 {
    let machine: Behind<u64> = Box::pin(Gen::new(|co| strides(co, end)));
    drain_sending(black_box(machine).as_mut())
}

#[inline]
pub(crate) fn drain<G>(mut machine: Pin<&mut G>) -> u64
where
    G: Resumable<Yield = u64> + ?Sized,
{
    let mut sum = 0;
    while let Step::Yielded(number) = machine.as_mut().resume(()) {
        sum += black_box(number);
    }
    sum
}

#[inline]
pub(crate) fn drain_sending<G>(mut machine: Pin<&mut G>) -> u64
where
    G: Resumable<u64, Yield = u64> + ?Sized,
{
    let mut sum = 0;
    while let Step::Yielded(number) = machine.as_mut().resume(black_box(1)) {
        sum += black_box(number);
    }
    sum
}
