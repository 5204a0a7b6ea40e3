//! Puts load on a server that listens on this machine.

use std::io::{self, Write};
use std::process::ExitCode;

use load::{Command, Failure};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use rustix::process::{Resource, getrlimit, setrlimit};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("load: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    let mut output = io::stdout();
    match load::parse(lexopt::Parser::from_env())? {
        Command::Help => output.write_all(HELP.as_bytes())?,
        Command::Hold { address, steps } => {
            raise_descriptor_limit()?;
            load::hold(address, &steps, io::stdin().lock(), output)
                .map_err(|error| format!("{address}: {error}"))?;
        }
        Command::Measure { plan, cpu } => {
            raise_descriptor_limit()?;
            if let Some(cpu) = cpu {
                pin(cpu).map_err(|error| format!("processor {cpu}: {error}"))?;
            }
            let result =
                load::measure(&plan).map_err(|error| format!("{}: {error}", plan.address))?;
            writeln!(output, "{result}")?;
        }
    }
    Ok(())
}

fn raise_descriptor_limit() -> rustix::io::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit)
}

/// Keeps this thread on one processor.
fn pin(cpu: usize) -> nix::Result<()> {
    let mut processors = CpuSet::new();
    processors.set(cpu)?;
    sched_setaffinity(Pid::from_raw(0), &processors)
}

const HELP: &str = "\
Puts load on a server that listens on this machine, and checks every answer.

load SCENARIO ADDRESS [--connections N] [--cpu N] [--pid PID] [--idle N]
                      [--warmup-ms W] [--slices K] [--slice-ms M]
load SCENARIO ADDRESS --rounds R [--connections N] [--cpu N] [--idle N]
load hold ADDRESS --connections N[,N...]

SCENARIO is one of
    hello     `hello` and a newline, which `Hello world` and a newline answers
    echo      64 bytes that come back
    pipeline  16 times 64 bytes at once, that all come back
    bulk      65,536 bytes that come back
    churn     connect, one hello, close
    idle      hello, while N more connections that were answered once are held

    --connections N  connections at a time [50]
    --idle N         connections that are held in `idle` [10000]
    --cpu N          stay on this processor
    --pid PID        the server, whose processor time is read at each slice
    --warmup-ms W    time before the first slice [500]
    --slices K       slices that are measured [100]
    --slice-ms M     length of a slice [20]
    --rounds R       R rounds instead, in each of which all connections ask, and all are answered

`hold` opens as many connections, each answered by hello once, prints {\"held\":N}, and holds them
until its input ends; with a list it goes on to the next number for each line of its input.
";
