//! A program without `std` and without `alloc`. The test `no_std` compiles, links and runs it.
//!
//! Its exit status is the sum that the generators made: 42.

#![no_std]
#![no_main]

use core::pin::{Pin, pin};
use core::task::Waker;

use generator::{FromFuture, Gen, Generator, Iter, Resumable, Step, Throw, from_iter};

/// The C runtime calls it; the process ends with what it returns.
#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    iterate() + converse() + delegate() + run_a_future()
}

fn iterate() -> i32 {
    let numbers = pin!(Gen::new(|co| async move {
        for number in 1..=4 {
            co.yield_(number).await;
        }
    }));
    numbers.sum() // 10
}

fn converse() -> i32 {
    let mut sum = pin!(Gen::new(|co| async move {
        let mut sum = 0;
        while let Ok(x) = co.yield_(sum).await {
            sum += x;
        }
        sum
    }));
    let mut erased: Pin<&mut dyn Generator<Result<i32, ()>, Yield = i32, Return = i32>> = sum.as_mut();
    let _ = erased.as_mut().start();
    for x in [5, 6] {
        let _ = erased.as_mut().send(Ok(x));
    }
    match erased.throw(()) {
        Ok(Step::Complete(sum)) => sum, // 11
        _ => -1000,
    }
}

fn delegate() -> i32 {
    let outer = pin!(Gen::new(|co| async move {
        co.delegate(from_iter([7, 8])).await;
    }));
    Iter::new(outer).sum() // 15
}

fn run_a_future() -> i32 {
    match pin!(FromFuture::new(async { 6 })).resume(Waker::noop()) {
        Step::Complete(value) => value,
        Step::Yielded(()) => -1000,
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// `core` comes compiled for unwinding and names it; nothing here unwinds.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}
