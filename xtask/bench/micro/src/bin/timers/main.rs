//! What timers cost: to set one and cancel it, alone and among a million; to let them fire; and to keep an
//! idle deadline on every connection.
//!
//! All futures are polled by one task of each library's own loop, so that a figure is of timers and not
//! of tasks. Time is the system's, as everybody has it. See `micro` for the command line.

mod idle;
mod library;
mod spread;
mod work;

use std::process::ExitCode;

use micro::{Case, OURS, Peer, Size};

use library::{AsyncIo, Ours, Tokio};
use spread::{Increasing, Random, Same, Spread};
use work::{Cancel, Fire, Memory, Replace, Set, SetAndCancel, Work};

fn main() -> ExitCode {
    micro::main("timers", &cases())
}

fn cases() -> Vec<Case> {
    let set_and_cancel = [
        set_and_cancel::<Random>("set and cancel, random deadlines", 6),
        set_and_cancel::<Same>("set and cancel, same deadline", 4),
        set_and_cancel::<Increasing>("set and cancel, increasing deadlines", 4),
    ];
    let fire = [
        fire::<Random>("fire, random deadlines", 3),
        fire::<Same>("fire, same deadline", 2),
        fire::<Increasing>("fire, increasing deadlines", 2),
    ];
    let mut cases: Vec<Case> = set_and_cancel.into_iter().chain(fire).collect();
    cases.extend([
        grown::<Set>("set", "cpu", "ns/timer"),
        grown::<Memory>("memory", "memory", "bytes/timer"),
        pending::<Replace>("replace one of many", "ns/replacement", REPLACEMENTS),
        pending::<Cancel>("cancel all in another order", "ns/timer", 1),
        idle("request", idle::WITHOUT),
        idle("request with an idle deadline", idle::WITH),
    ]);
    cases
}

/// How many timers are set and cancelled for one figure.
const PAIRS: u64 = 200_000;

/// How many are replaced for one figure.
const REPLACEMENTS: u64 = 500_000;

/// How many requests make a figure.
const REQUESTS: u64 = 20_000;

/// The size is how many other timers wait meanwhile.
fn set_and_cancel<S: Spread>(name: &'static str, rounds: usize) -> Case {
    let sizes = vec![
        Size::new(1_000, PAIRS),
        Size { rounds: 10, ..Size::new(100_000, PAIRS) },
        Size::new(MILLION, PAIRS).thorough(rounds),
    ];
    case(name, "ns/timer", Some("pending"), sizes, peers::<SetAndCancel, S>())
}

fn fire<S: Spread>(name: &'static str, rounds: usize) -> Case {
    let sizes = vec![Size::new(1_000, 20), Size::new(MILLION, 1).thorough(rounds)];
    case(name, "ns/timer", Some("timers"), sizes, peers::<Fire, S>())
}

fn grown<W: Work>(name: &'static str, metric: &'static str, unit: &'static str) -> Case {
    let sizes = [(1_000, 20), (10_000, 20), (100_000, 6), (MILLION, 3)];
    let sizes = sizes.map(|(timers, rounds)| Size::new(timers, 1).thorough(rounds)).into();
    let peers = peers::<W, Random>();
    Case { metric, grow: true, ..case(name, unit, Some("timers"), sizes, peers) }
}

fn pending<W: Work>(name: &'static str, unit: &'static str, iterations: u64) -> Case {
    let sizes = vec![Size::new(1_000, iterations), Size::new(MILLION, iterations).thorough(3)];
    case(name, unit, Some("timers"), sizes, peers::<W, Random>())
}

const MILLION: u64 = 1_000_000;

fn peers<W: Work, S: Spread>() -> Vec<Peer> {
    vec![
        Peer::new(OURS, W::run::<Ours, S>),
        Peer::new("tokio", W::run::<Tokio, S>),
        Peer::new("async-io", W::run::<AsyncIo, S>),
    ]
}

/// The size is the number of connections.
fn idle(name: &'static str, [ours, tokio, async_io]: [idle::Way; 3]) -> Case {
    let peers =
        vec![Peer::new(OURS, ours), Peer::new("tokio", tokio), Peer::new("async-io", async_io)];
    let sizes = vec![Size::new(50, REQUESTS)];
    case(name, "ns/request", Some("connections"), sizes, peers)
}

fn case(
    name: &'static str,
    unit: &'static str,
    parameter: Option<&'static str>,
    sizes: Vec<Size>,
    peers: Vec<Peer>,
) -> Case {
    Case { name, parameter, metric: "cpu", unit, grow: false, sizes, peers }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_does_every_case() {
        for case in cases() {
            for peer in &case.peers {
                let figure = (peer.run)(10, 20);
                assert!(figure.is_ok(), "{}, {}: {figure:?}", case.name, peer.name);
            }
        }
    }
}
