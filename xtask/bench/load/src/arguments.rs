//! What the command line says.

use std::net::SocketAddrV4;
use std::time::Duration;

use lexopt::prelude::*;

use crate::{Failure, Length, Plan, Scenario, Slices};

/// What the program is to do.
#[derive(Clone, Debug)]
pub enum Command {
    Help,
    Hold { address: SocketAddrV4, steps: Vec<usize> },
    Measure { plan: Plan, cpu: Option<usize> },
}

/// Reads the arguments.
///
/// # Errors
///
/// An argument that is unknown, missing or out of place.
pub fn parse(mut parser: lexopt::Parser) -> Result<Command, Failure> {
    let (mut values, mut options) = (Vec::new(), Options::default());
    while let Some(argument) = parser.next()? {
        match argument {
            Value(value) => values.push(value.string()?),
            Short('h') | Long("help") => return Ok(Command::Help),
            Long("connections") => options.connections = numbers(&parser.value()?.string()?)?,
            Long("idle") => options.idle = parser.value()?.parse()?,
            Long("cpu") => options.cpu = Some(parser.value()?.parse()?),
            Long("pid") => options.pid = Some(parser.value()?.parse()?),
            Long("rounds") => options.rounds = Some(parser.value()?.parse()?),
            Long("slices") => options.slices.count = parser.value()?.parse()?,
            Long("slice-ms") => options.slices.length = milliseconds(&mut parser)?,
            Long("warmup-ms") => options.slices.warm_up = milliseconds(&mut parser)?,
            _ => return Err(argument.unexpected().into()),
        }
    }
    let [scenario, address] = &values[..] else {
        return Err("expected a scenario and an address; see --help".into());
    };
    options.command(scenario, address.parse().map_err(|error| format!("{address}: {error}"))?)
}

struct Options {
    connections: Vec<usize>,
    idle: usize,
    cpu: Option<usize>,
    pid: Option<i32>,
    rounds: Option<u64>,
    slices: Slices,
}

impl Options {
    fn command(self, scenario: &str, address: SocketAddrV4) -> Result<Command, Failure> {
        if scenario == "hold" {
            return Ok(Command::Hold { address, steps: self.connections });
        }
        let scenario =
            Scenario::named(scenario).ok_or_else(|| format!("no scenario {scenario}"))?;
        let [connections] = self.connections[..] else {
            return Err("a list of connections is for `hold`".into());
        };
        let idle = if scenario == Scenario::Idle { self.idle } else { 0 };
        let length = match self.rounds {
            Some(rounds) => Length::Rounds(rounds),
            None => Length::Slices(self.slices),
        };
        let plan = Plan { scenario, address, connections, idle, pid: self.pid, length };
        Ok(Command::Measure { plan, cpu: self.cpu })
    }
}

impl Default for Options {
    fn default() -> Self {
        let (length, warm_up) = (Duration::from_millis(20), Duration::from_millis(500));
        let slices = Slices { count: 100, length, warm_up };
        Options { connections: vec![50], idle: 10_000, cpu: None, pid: None, rounds: None, slices }
    }
}

/// `100,1000,10000`, each more than the one before and the first more than none.
fn numbers(text: &str) -> Result<Vec<usize>, Failure> {
    let numbers = text.split(',').map(str::parse).collect::<Result<Vec<usize>, _>>();
    let numbers = numbers.map_err(|error| format!("{text}: {error}"))?;
    let grows = numbers[0] > 0 && numbers.is_sorted_by(|one, next| one < next);
    if grows { Ok(numbers) } else { Err(format!("{text}: expected numbers that grow").into()) }
}

fn milliseconds(parser: &mut lexopt::Parser) -> Result<Duration, lexopt::Error> {
    Ok(Duration::from_millis(parser.value()?.parse()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, Failure> {
        parse(lexopt::Parser::from_args(line.split_whitespace()))
    }

    #[test]
    fn a_measurement_is_read() {
        let line = "idle 127.0.0.1:7 --connections 3 --idle 8 --cpu 1 --pid 9 --slices 2";
        let Command::Measure { plan, cpu } = parsed(line).unwrap() else { panic!("{line}") };
        assert_eq!((plan.scenario, plan.address.port()), (Scenario::Idle, 7));
        assert_eq!((plan.connections, plan.idle, plan.pid, cpu), (3, 8, Some(9), Some(1)));
        let Length::Slices(slices) = plan.length else { panic!("{line}") };
        assert_eq!((slices.count, slices.length.as_millis()), (2, 20));
    }

    #[test]
    fn rounds_take_the_place_of_slices() {
        let Command::Measure { plan, .. } = parsed("echo 127.0.0.1:7 --rounds 5").unwrap() else {
            panic!("not a measurement");
        };
        assert!(matches!(plan.length, Length::Rounds(5)));
        assert_eq!((plan.connections, plan.idle), (50, 0));
    }

    #[test]
    fn hold_takes_steps() {
        let Command::Hold { steps, .. } =
            parsed("hold 127.0.0.1:7 --connections 100,1000").unwrap()
        else {
            panic!("not hold");
        };
        assert_eq!(steps, [100, 1000]);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "",
            "hello",
            "hello nowhere",
            "shout 127.0.0.1:7",
            "hello 127.0.0.1:7 --loud",
            "hello 127.0.0.1:7 --connections 1,2",
            "hello 127.0.0.1:7 --connections 0",
            "hold 127.0.0.1:7 --connections 2,1",
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
