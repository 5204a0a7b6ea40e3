//! What the programs `micro-gen`, `micro-sched`, `micro-poll` and `micro-timers` share.
//!
//! Such a program describes its [`Case`]s, each with the peers that do it, and calls [`main`]:
//!
//! ```text
//! micro-sched [--quick] [--peers LIST] [--rounds N]
//! ```
//!
//! measures all of them and prints JSON lines: the plan, and then a record for each case, size and
//! peer. In each round every peer has one turn after the other, so that ratios can be taken within a
//! round; and each turn is a process of its own, so that nobody works in the heap that another has
//! left, and the places that things happen to get in memory differ from round to round.
//!
//! ```text
//! micro-sched --sample CASE PEER SIZE ITERATIONS    one such turn: prints its figure
//! micro-sched --count  CASE PEER SIZE ITERATIONS    the same for an instruction counter: prints nothing
//! ```
//!
//! The size is 0 where nothing grows. "ours" is measured twice in each round, the second time as
//! "ours again": what differs there is noise.

mod arguments;
mod case;
pub mod clock;
pub mod memory;
mod rounds;
mod shuffle;

pub use arguments::{Plan, Turn};
pub use case::{Case, Figure, OURS, Peer, Size};
pub use shuffle::shuffle;

use std::process::ExitCode;

use arguments::Order;

/// The whole program: does what the command line says with the cases of `suite`.
pub fn main(suite: &str, cases: &[Case]) -> ExitCode {
    let done = arguments::parse(std::env::args_os().skip(1)).and_then(|order| match order {
        Order::Measure(plan) => rounds::measure(suite, cases, &plan),
        Order::Sample(turn) => case::turn(cases, &turn).map(|figure| println!("{figure}")),
        Order::Count(turn) => case::turn(cases, &turn).map(drop),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("micro-{suite}: {error}");
            ExitCode::FAILURE
        }
    }
}
