//! Programs over `net` in a simulation, under every fault, from many seeds.
//!
//! `cargo xtask sim` runs this with a progress bar. By itself it takes the same arguments:
//! `--seeds N` (how many, 10 unless said), `--seed S` (this one alone, or the first), and
//! `--scenario NAME`.

mod cancel;
mod chat;
mod connect;
mod descriptors;
mod echo;
mod hello;
#[cfg(unix)]
mod local;
mod proxy;
mod shutdown;
mod slow;
mod stuck;
mod udp;
mod util;

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Instant;

use net::sim::{Check, Fault, Sim, check};

/// A program to be simulated: what it is called, and how it is set up from a seed.
type Scenario = (&'static str, fn(u64) -> Sim);

const SCENARIOS: &[Scenario] = &[
    ("echo", echo::build),
    ("hello", hello::build),
    ("proxy", proxy::build),
    ("chat", chat::build),
    ("udp", udp::build),
    ("connect", connect::build),
    ("shutdown", shutdown::build),
    ("descriptors", descriptors::build),
    ("cancel", cancel::build),
    ("slow-reader", slow::build),
    ("stuck-reader", stuck::build),
    #[cfg(unix)]
    ("local", local::build),
];

/// Seeds of each scenario where no number is given, as under `cargo test`.
const SEEDS: u64 = 10;

/// Seeds that are run between two looks at the progress.
const BATCH: u64 = 10;

/// What is asked for.
struct Arguments {
    seeds: u64,
    first: u64,
    scenario: Option<String>,
}

fn main() -> ExitCode {
    let arguments = match arguments(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    // What a task panics with is part of the failure, which is shrunk first.
    std::panic::set_hook(Box::new(|_| {}));
    let wanted = |(name, _): &&Scenario| arguments.scenario.as_deref().is_none_or(|w| w == *name);
    let mut faults: BTreeMap<Fault, u64> = BTreeMap::new();
    for (name, build) in SCENARIOS.iter().filter(wanted) {
        match run(name, *build, &arguments) {
            Ok(checked) => {
                for (fault, strikes) in checked.faults {
                    *faults.entry(fault).or_default() += strikes;
                }
            }
            Err(failure) => {
                println!("\nFAILED {name}: {failure}");
                return ExitCode::FAILURE;
            }
        }
    }
    println!("faults:");
    for (fault, strikes) in &faults {
        println!("  {:<20} {strikes:>10}", fault.to_string());
    }
    let never: Vec<String> = Fault::ALL
        .iter()
        .filter(|fault| !faults.contains_key(fault))
        .map(ToString::to_string)
        .collect();
    // A fault that never strikes is a hole, where all scenarios run.
    if arguments.scenario.is_none() && arguments.seeds >= SEEDS && !never.is_empty() {
        println!("FAILED: these faults never struck: {}", never.join(", "));
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn arguments(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments { seeds: SEEDS, first: 0, scenario: None };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        let number = |text: String| text.parse().map_err(|_| format!("{text:?} is no number"));
        match word.as_str() {
            "--seeds" => arguments.seeds = number(value()?)?,
            "--seed" => arguments.first = number(value()?)?,
            "--scenario" => arguments.scenario = Some(value()?),
            // What the test runner is given for all tests.
            "--quiet" | "-q" | "--nocapture" | "--show-output" => {}
            other => return Err(format!("{other:?}? --seeds N, --seed S, --scenario NAME")),
        }
    }
    if let Some(name) = &arguments.scenario
        && !SCENARIOS.iter().any(|(known, _)| known == name)
    {
        let known: Vec<&str> = SCENARIOS.iter().map(|(name, _)| *name).collect();
        return Err(format!("there is no scenario {name:?}; there are: {}", known.join(", ")));
    }
    Ok(arguments)
}

/// Runs a scenario from each seed, and shows how it goes.
fn run(name: &str, build: fn(u64) -> Sim, arguments: &Arguments) -> Result<Check, String> {
    let repeat = format!("cargo xtask sim --scenario {name} --seeds 1 --seed {{seed}}");
    let (start, mut all) = (Instant::now(), Check::default());
    let end = arguments.first + arguments.seeds;
    let mut next = arguments.first;
    while next < end {
        let batch = next..(next + BATCH).min(end);
        next = batch.end;
        let checked = check(batch, build, &repeat).map_err(|failure| failure.to_string())?;
        all.runs += checked.runs;
        for (fault, strikes) in checked.faults {
            *all.faults.entry(fault).or_default() += strikes;
        }
        let per_second = all.runs as f64 / start.elapsed().as_secs_f64();
        show(name, all.runs, arguments.seeds, per_second, next == end);
    }
    Ok(all)
}

/// A bar that moves on a terminal; elsewhere one line at the end.
fn show(name: &str, done: u64, of: u64, per_second: f64, is_last: bool) {
    const WIDTH: u64 = 30;
    let filled = (done * WIDTH / of.max(1)) as usize;
    let bar: String = "#".repeat(filled) + &".".repeat(WIDTH as usize - filled);
    let line = format!("{name:<12} [{bar}] {done}/{of} seeds, {per_second:.0} a second");
    if std::io::stdout().is_terminal() {
        print!("\r{line}");
        if is_last {
            println!();
        }
        // Progress only: a closed output shows itself at the next line.
        let _ = std::io::stdout().flush();
    } else if is_last {
        println!("{line}");
    }
}
