//! Runs everything that proves the project.
//!
//! A developer and the continuous integration run the same commands: see [`USAGE`].

mod answers;
mod bench;
mod cargo;
mod check;
mod client;
mod count;
mod ecosystem;
mod http;
mod load;
mod memory;
mod mutations;
mod processors;
mod report;
mod server;
mod sim;
mod source;
mod test;
mod tool;
mod tree;

use std::process::ExitCode;

use report::Report;

const USAGE: &str = "\
Usage: cargo xtask COMMAND

  test              unit, property, cross-crate and doc tests, then the examples and their answers,
                    and hello --http with curl, wrk, ab, nginx and HAProxy
  check             format, lints, docs, layering, unsafe fence, sizes, licences, words; and whether
                    instructions and system calls have grown since they were recorded
  check --bench     lints and tests of what benchmarks measure with and against
  check --memory    sched and gen under AddressSanitizer and valgrind, and the loom model check
  check --targets [--all]
                    types for macOS, FreeBSD and Windows, with --all for illumos and Android too;
                    and for Windows the suites and hello under wine
  count             instructions, system calls and memory, against their limits; and sched
                    beside FuturesUnordered in time, printed only
  count --record    counts instructions and system calls for check to compare with
  ecosystem         the programs of examples/ecosystem, which is a workspace of its own, driven by
                    curl, h2load, openssl, redis-cli and redis-benchmark
  bench [gen|sched|poll|net|timers|all] [--quick] [--peers LIST] [--threads N]
                    times, counts and memory beside those of peers: a table here, and tables, plots
                    and all samples under target/bench
  sim [--seeds N] [--seed S] [--scenario NAME]
                    programs in a simulation, from many seeds: without arguments a fixed set
                    and some fresh ones; with --seed from this one on
  sim --mutations   whether the simulation finds faults that are put into a copy of the tree
  load ADDRESS CONNECTIONS ROUNDS [--hold]
                    a client for hello: ROUNDS requests on each connection, in lock-step;
                    with --hold it keeps the connections until its input ends

A step whose tool is missing prints one SKIPPED line. With CI=true a skip fails the run
where the tool is one of those in XTASK_TOOLS (on Linux, unless set: python3 strace valgrind).
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let run: fn(&mut Report) = match words[..] {
        ["test"] => test::run,
        ["check"] => check::run,
        ["check", "--bench"] => check::run_bench,
        ["check", "--memory"] => memory::run,
        ["check", "--targets"] => check::targets::run,
        ["check", "--targets", "--all"] => check::targets::run_all,
        ["count"] => count::run,
        ["count", "--record"] => count::growth::record,
        ["ecosystem"] => ecosystem::run,
        ["sim", ref rest @ ..] => {
            let mut report = Report::new();
            sim::run(&mut report, rest);
            return report.finish();
        }
        ["bench", ref rest @ ..] => return bench::main(rest),
        ["load", ref rest @ ..] => return load::main(rest),
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    let mut report = Report::new();
    run(&mut report);
    report.finish()
}
