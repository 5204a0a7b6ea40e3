//! What a resume costs: counts to a number in several ways, for an instruction counter.
//!
//!     cargo build --release -p gen --example count
//!     valgrind --tool=callgrind target/release/examples/count gen 2000000
//!
//! Take the difference of two runs with different numbers, so that the rest of the program drops out. Try `enum`
//! (a machine written by hand), `gen` (the same as a generator, inlined), and `dyn-enum` and `dyn-gen`, where both
//! are behind `dyn` and take a value at every resume.

use std::hint::black_box;
use std::pin::{Pin, pin};
use std::process::ExitCode;

use generator::{Gen, Iter, Resumable, Step};

/// Counts up to `end`, written by hand.
enum Counter {
    Ready { end: u64 },
    Suspended { next: u64, end: u64 },
    Returned,
}

impl Counter {
    fn count(&mut self, stride: u64) -> Step<u64, u64> {
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
        Step::Complete(next)
    }
}

impl Resumable for Counter {
    type Yield = u64;
    type Return = u64;

    fn resume(mut self: Pin<&mut Self>, (): ()) -> Step<u64, u64> {
        self.count(1)
    }
}

/// Takes the stride at every resume.
impl Resumable<u64> for Counter {
    type Yield = u64;
    type Return = u64;

    fn resume(mut self: Pin<&mut Self>, stride: u64) -> Step<u64, u64> {
        self.count(stride)
    }
}

fn by_enum(end: u64) -> u64 {
    let mut sum = 0;
    for number in Iter::new(Counter::Ready { end }) {
        sum += black_box(number);
    }
    sum
}

fn by_generator(end: u64) -> u64 {
    let mut sum = 0;
    let numbers = pin!(Gen::new(|co| async move {
        for number in 0..end {
            co.yield_(number).await;
        }
    }));
    for number in numbers {
        sum += black_box(number);
    }
    sum
}

type Strider = Pin<Box<dyn Resumable<u64, Yield = u64, Return = u64>>>;

fn enum_behind_dyn(end: u64) -> Strider {
    Box::pin(Counter::Ready { end })
}

fn generator_behind_dyn(end: u64) -> Strider {
    Box::pin(Gen::new(|co| async move {
        let mut number = 0;
        while number < end {
            number += co.yield_(number).await;
        }
        number
    }))
}

fn send_ones(machine: Strider) -> u64 {
    let mut sum = 0;
    let mut machine = black_box(machine); // so that the call stays indirect
    while let Step::Yielded(number) = machine.as_mut().resume(1) {
        sum += number;
    }
    sum
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let way = arguments.next().unwrap_or_default();
    let Some(end) = arguments.next().and_then(|end| end.parse().ok()) else {
        eprintln!("usage: count enum|gen|dyn-enum|dyn-gen NUMBER");
        return ExitCode::FAILURE;
    };
    let total = match way.as_str() {
        "enum" => by_enum(end),
        "gen" => by_generator(end),
        "dyn-enum" => send_ones(enum_behind_dyn(end)),
        "dyn-gen" => send_ones(generator_behind_dyn(end)),
        other => {
            eprintln!("no such way to count: {other}");
            return ExitCode::FAILURE;
        }
    };
    println!("{total}");
    ExitCode::SUCCESS
}
