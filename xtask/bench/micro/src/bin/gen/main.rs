//! What a resume costs: a generator that counts, written in several ways.
//!
//! Every way yields the numbers from 0 up to an end, and whoever resumes it adds them up. Where a value
//! is sent, it is the stride, which is always one. See `micro` for the command line.

mod by_hand;
mod ours;
mod peers;
mod python;

use std::process::ExitCode;

use micro::{Case, Figure, OURS, Peer, Size, clock};

/// Counts up to an end, and gives the sum.
type Way = fn(end: u64) -> u64;

fn main() -> ExitCode {
    micro::main("gen", &cases())
}

fn cases() -> Vec<Case> {
    let counted = vec![
        Peer::new(OURS, |_, end| figure(ours::count, end)),
        Peer::new("enum", |_, end| figure(by_hand::count, end)),
        Peer::new("genawaiter stack", |_, end| figure(peers::stack_count, end)),
        Peer::new("genawaiter rc", |_, end| figure(peers::rc_count, end)),
        Peer::new("corosensei", |_, end| figure(peers::corosensei_count, end)),
        Peer::new("python", |_, end| python::figure("count", end)).if_there(python::is_there),
    ];
    let sent = vec![
        Peer::new(OURS, |_, end| figure(ours::send, end)),
        Peer::new("enum", |_, end| figure(by_hand::send, end)),
        Peer::new("genawaiter stack", |_, end| figure(peers::stack_send, end)),
        Peer::new("genawaiter rc", |_, end| figure(peers::rc_send, end)),
        Peer::new("corosensei", |_, end| figure(peers::corosensei_send, end)),
        Peer::new("python", |_, end| python::figure("send", end)).if_there(python::is_there),
    ];
    // A coroutine of corosensei has no type of its own: it is always behind a pointer, and not here again.
    let counted_behind = vec![
        Peer::new(OURS, |_, end| figure(ours::count_behind_dyn, end)),
        Peer::new("enum", |_, end| figure(by_hand::count_behind_dyn, end)),
        Peer::new("genawaiter stack", |_, end| figure(peers::stack_count_behind_dyn, end)),
        Peer::new("genawaiter rc", |_, end| figure(peers::rc_count_behind_dyn, end)),
    ];
    let sent_behind = vec![
        Peer::new(OURS, |_, end| figure(ours::send_behind_dyn, end)),
        Peer::new("enum", |_, end| figure(by_hand::send_behind_dyn, end)),
        Peer::new("genawaiter stack", |_, end| figure(peers::stack_send_behind_dyn, end)),
        Peer::new("genawaiter rc", |_, end| figure(peers::rc_send_behind_dyn, end)),
    ];
    vec![
        case("count", counted),
        case("count behind dyn", counted_behind),
        case("send", sent),
        case("send behind dyn", sent_behind),
    ]
}

fn case(name: &'static str, peers: Vec<Peer>) -> Case {
    let sizes = vec![Size::new(0, RESUMES)];
    Case { name, parameter: None, metric: "cpu", unit: "ns/resume", grow: false, sizes, peers }
}

/// How many resumes make a sample: a millisecond for the fastest, a hundred for the slowest.
const RESUMES: u64 = 2_000_000;

/// Nanoseconds of a resume. The numbers must have come, each of them once: their sum is looked at.
fn figure(way: Way, end: u64) -> Figure {
    let mut sum = 0;
    let time = clock::time(|| sum = way(end));
    if sum != sum_below(end) {
        return Err(format!("a count up to {end} gave the sum {sum}").into());
    }
    Ok(time / end as f64)
}

/// The sum of the numbers from 0 up to `end`.
fn sum_below(end: u64) -> u64 {
    end * end.saturating_sub(1) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_counts_in_every_case() {
        for case in cases() {
            for peer in case.peers.iter().filter(|peer| (peer.is_there)()) {
                for end in [1, 2, 1000] {
                    let figure = (peer.run)(0, end);
                    assert!(figure.is_ok(), "{}, {}, {end}: {figure:?}", case.name, peer.name);
                }
            }
        }
    }

    #[test]
    fn a_wrong_sum_is_no_figure() {
        assert!(figure(|end| sum_below(end) + 1, 10).is_err());
        assert_eq!(sum_below(5), 10);
    }
}
