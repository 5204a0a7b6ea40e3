//! Many seeds of one simulation, and the smallest set of faults where one fails.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::{Failure, Fault, Report, Sim};
use crate::driver::simulation::Strike;

/// Runs that shrinking a failure may take.
const SHRINK_RUNS: usize = 200;

/// What the runs of a [`check`] came to.
#[derive(Clone, Debug, Default)]
pub struct Check {
    /// How many there were.
    pub runs: u64,
    /// How often each fault struck. One that never did is a hole in the test.
    pub faults: BTreeMap<Fault, u64>,
}

/// Runs the simulation that `build` sets up once for each seed, and twice for the first: the same seed
/// has to give the same hash.
///
/// # Errors
///
/// The first failure, shrunk to the faults that matter, with `repeat` as the command that repeats it,
/// in which `{seed}` stands for the seed.
///
/// ```
/// use std::time::Duration;
/// use net::sim::{Sim, check};
///
/// let build = |seed| {
///     let mut sim = Sim::new(seed);
///     sim.host("sleeper", async || {
///         net::sleep(Duration::from_secs(3600)).await;
///         Ok(())
///     });
///     sim
/// };
/// let checked = check(0..10, build, "SEED={seed} cargo test").unwrap();
/// assert_eq!(checked.runs, 10);
/// ```
pub fn check(
    seeds: Range<u64>,
    build: impl Fn(u64) -> Sim,
    repeat: &str,
) -> Result<Check, Box<Failure>> {
    let mut checked = Check::default();
    for seed in seeds.clone() {
        let report = run(&build, seed, repeat)?;
        if seed == seeds.start {
            let again = run(&build, seed, repeat)?;
            assert_eq!(report.hash, again.hash, "seed {seed} gives two different runs");
        }
        checked.add(&report);
    }
    Ok(checked)
}

impl Check {
    /// Counts a run.
    pub fn add(&mut self, report: &Report) {
        self.runs += 1;
        for (fault, strikes) in &report.faults {
            *self.faults.entry(*fault).or_default() += strikes;
        }
    }
}

fn run(build: &impl Fn(u64) -> Sim, seed: u64, repeat: &str) -> Result<Report, Box<Failure>> {
    build(seed).run().map_err(|mut failure| {
        failure.shrunk = Some(shrink(build, seed, failure.struck.clone()));
        failure.repeat = Some(repeat.replace("{seed}", &seed.to_string()));
        failure
    })
}

/// The strikes that are left when those are taken out without which the run still fails: halves at
/// first, then ever smaller parts (the minimizing of Zeller's delta debugging).
fn shrink(build: &impl Fn(u64) -> Sim, seed: u64, mut strikes: Vec<Strike>) -> Vec<Strike> {
    let fails = |strikes: &[Strike]| {
        let mut sim = build(seed);
        sim.only(strikes.iter().copied().collect::<BTreeSet<Strike>>());
        sim.run().is_err()
    };
    let (mut parts, mut runs) = (1, 0);
    while !strikes.is_empty() && runs < SHRINK_RUNS {
        let size = strikes.len().div_ceil(parts);
        let without = |at: usize| {
            let end = (at + size).min(strikes.len());
            [&strikes[..at], &strikes[end..]].concat()
        };
        let mut smaller = None;
        for at in (0..strikes.len()).step_by(size) {
            let rest = without(at);
            runs += 1;
            if fails(&rest) {
                smaller = Some(rest);
                break;
            }
        }
        match smaller {
            Some(rest) => (strikes, parts) = (rest, parts.saturating_sub(1).max(1)),
            None if size == 1 => break,
            None => parts = (parts * 2).min(strikes.len()),
        }
    }
    strikes
}
