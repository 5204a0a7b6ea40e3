//! The generators of other libraries, used as their documentation shows it.

use std::hint::black_box;
use std::pin::Pin;

use corosensei::Coroutine as Stackful;
use genawaiter::stack::let_gen_using;
use genawaiter::{Coroutine, GeneratorState, rc, stack};

/// A generator of genawaiter whose type is forgotten.
type Behind<'a, R> = dyn Coroutine<Yield = u64, Resume = R, Return = ()> + 'a;

pub(crate) fn stack_count(end: u64) -> u64 {
    let_gen_using!(numbers, |co| stack_numbers(co, end));
    let mut sum = 0;
    while let GeneratorState::Yielded(number) = numbers.resume() {
        sum += black_box(number);
    }
    sum
}

pub(crate) fn stack_send(end: u64) -> u64 {
    let_gen_using!(strides, |co| stack_strides(co, end));
    let mut sum = 0;
    while let GeneratorState::Yielded(number) = strides.resume_with(black_box(1)) {
        sum += black_box(number);
    }
    sum
}

pub(crate) fn stack_count_behind_dyn(end: u64) -> u64 {
    let_gen_using!(numbers, |co| stack_numbers(co, end));
    let numbers = Pin::new(numbers);
    drain(numbers, ())
}

pub(crate) fn stack_send_behind_dyn(end: u64) -> u64 {
    let_gen_using!(strides, |co| stack_strides(co, end));
    let strides = Pin::new(strides);
    drain(strides, 1)
}

pub(crate) fn rc_count(end: u64) -> u64 {
    let mut numbers = rc::Gen::new(|co| rc_numbers(co, end));
    let mut sum = 0;
    while let GeneratorState::Yielded(number) = numbers.resume() {
        sum += black_box(number);
    }
    sum
}

pub(crate) fn rc_send(end: u64) -> u64 {
    let mut strides = rc::Gen::new(|co| rc_strides(co, end));
    let mut sum = 0;
    while let GeneratorState::Yielded(number) = strides.resume_with(black_box(1)) {
        sum += black_box(number);
    }
    sum
}

pub(crate) fn rc_count_behind_dyn(end: u64) -> u64 {
    let mut numbers = Box::pin(rc::Gen::new(|co| rc_numbers(co, end)));
    drain(numbers.as_mut(), ())
}

pub(crate) fn rc_send_behind_dyn(end: u64) -> u64 {
    let mut strides = Box::pin(rc::Gen::new(|co| rc_strides(co, end)));
    drain(strides.as_mut(), 1)
}

pub(crate) fn corosensei_count(end: u64) -> u64 {
    let mut numbers = Stackful::new(move |yielder, ()| {
        for number in 0..end {
            yielder.suspend(number);
        }
    });
    let mut sum = 0;
    while let Some(number) = numbers.resume(()).as_yield() {
        sum += black_box(number);
    }
    sum
}

pub(crate) fn corosensei_send(end: u64) -> u64 {
    let mut strides = Stackful::new(move |yielder, _first: u64| {
        let mut number = 0;
        while number < end {
            number += yielder.suspend(number);
        }
    });
    let mut sum = 0;
    while let Some(number) = strides.resume(black_box(1)).as_yield() {
        sum += black_box(number);
    }
    sum
}

fn drain<R: Copy>(machine: Pin<&mut Behind<'_, R>>, value: R) -> u64 {
    // The black box hides which machine it is, so that the call stays indirect.
    let mut machine = black_box(machine);
    let mut sum = 0;
    while let GeneratorState::Yielded(number) = machine.as_mut().resume_with(black_box(value)) {
        sum += black_box(number);
    }
    sum
}

async fn stack_numbers(co: stack::Co<'_, u64>, end: u64) {
    for number in 0..end {
        co.yield_(number).await;
    }
}

async fn stack_strides(co: stack::Co<'_, u64, u64>, end: u64) {
    let mut number = 0;
    while number < end {
        number += co.yield_(number).await;
    }
}

async fn rc_numbers(co: rc::Co<u64>, end: u64) {
    for number in 0..end {
        co.yield_(number).await;
    }
}

async fn rc_strides(co: rc::Co<u64, u64>, end: u64) {
    let mut number = 0;
    while number < end {
        number += co.yield_(number).await;
    }
}
