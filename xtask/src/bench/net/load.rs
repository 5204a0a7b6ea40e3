//! Calls to the load generator, and what it says.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::contest::Figure;
use super::start::Running;
use crate::bench::statistics::quantile;
use crate::report::{Failure, output};

/// What it is asked to do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    /// Its name for the scenario.
    pub(super) word: &'static str,
    pub(super) connections: usize,
    /// Further ones, that are held and say nothing.
    pub(super) idle: usize,
}

/// Slices that are measured of one server process, how long each is, and what goes before them.
const SLICES: &str = "20";
const SLICE_MS: &str = "15";
const WARMUP_MS: &str = "100";

/// The cheap slices: those that were not disturbed. What disturbs only ever makes dearer.
const QUARTER: f64 = 0.25;

/// Puts load on a server and returns what a unit of work cost and how long it took.
pub(super) fn slices(
    program: &Path,
    processor: usize,
    running: &Running,
    load: &Load,
    noun: &str,
) -> Result<Vec<Figure>, Failure> {
    let mut command = command(program, processor, running.server.address(), load);
    command.args(["--pid", &running.server.id().to_string(), "--slices", SLICES]);
    command.args(["--slice-ms", SLICE_MS, "--warmup-ms", WARMUP_MS]);
    figures(&answer(&output(command)?)?, noun)
}

/// Makes so many rounds in lock-step, and returns how many units of work they were.
pub(super) fn rounds(
    program: &Path,
    processor: usize,
    address: SocketAddr,
    load: &Load,
    rounds: u64,
) -> Result<u64, Failure> {
    let mut command = command(program, processor, address, load);
    command.args(["--rounds", &rounds.to_string()]);
    let answer = answer(&output(command)?)?;
    answer["requests"].as_u64().ok_or_else(|| format!("no requests in {answer}").into())
}

fn command(program: &Path, processor: usize, address: SocketAddr, load: &Load) -> Command {
    let mut command = Command::new(program);
    command.args([load.word, &address.to_string()]);
    command.args(["--connections", &load.connections.to_string()]);
    command.args(["--cpu", &processor.to_string()]);
    if load.idle > 0 {
        command.args(["--idle", &load.idle.to_string()]);
    }
    command
}

/// The object among the lines.
fn answer(said: &str) -> Result<Value, Failure> {
    let line = said.lines().find(|line| line.starts_with('{'));
    Ok(serde_json::from_str(line.ok_or_else(|| format!("no answer in {said:?}"))?)?)
}

fn figures(answer: &Value, noun: &str) -> Result<Vec<Figure>, Failure> {
    let number = |value: &Value, key: &str| {
        value[key].as_f64().ok_or_else(|| format!("no {key} in {answer}"))
    };
    let slices = answer["slices"].as_array().ok_or_else(|| format!("no slices in {answer}"))?;
    let costs: Vec<f64> = slices
        .iter()
        .filter_map(|slice| {
            let requests = slice["requests"].as_f64().filter(|requests| *requests > 0.0)?;
            Some(slice["server_cpu_ns"].as_f64()? / requests / 1_000.0)
        })
        .collect();
    let cost =
        quantile(&costs, QUARTER).ok_or_else(|| format!("nothing was answered: {answer}"))?;
    let figure = |metric, unit: String, value| Figure { metric, unit, value };
    let mut figures = vec![
        figure("cpu", format!("µs/{noun}"), cost),
        figure(
            "throughput",
            format!("{noun}s/s"),
            number(answer, "requests")? / number(answer, "seconds")?,
        ),
    ];
    for metric in ["p50", "p99", "p99.9"] {
        figures.push(figure(metric, "µs".into(), number(&answer["latency_us"], metric)?));
    }
    let utilisation = number(answer, "utilisation")?;
    figures.push(figure("load's utilisation", String::new(), utilisation));
    Ok(figures)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = r#"{"scenario":"hello","connections":50,"requests":1000,"seconds":0.5,
        "utilisation":0.61,"slices":[
        {"seconds":0.02,"requests":800,"server_cpu_ns":4000000},
        {"seconds":0.02,"requests":800,"server_cpu_ns":8000000},
        {"seconds":0.02,"requests":0,"server_cpu_ns":1},
        {"seconds":0.02,"requests":800,"server_cpu_ns":4800000}],
        "latency_us":{"p50":40.0,"p99":90.5,"p99.9":120}}"#;

    #[test]
    fn a_turn_is_its_cheap_slices() {
        let figures = figures(&answer(&ANSWER.replace('\n', " ")).unwrap(), "request").unwrap();
        let shown: Vec<(&str, &str, f64)> =
            figures.iter().map(|f| (f.metric, &*f.unit, f.value)).collect();
        let expected = [
            ("cpu", "µs/request", 5.5),
            ("throughput", "requests/s", 2000.0),
            ("p50", "µs", 40.0),
            ("p99", "µs", 90.5),
            ("p99.9", "µs", 120.0),
            ("load's utilisation", "", 0.61),
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_is_missing_is_named() {
        for key in
            ["requests\":1000", "seconds\":0.5", "utilisation", "latency_us", "slices", "p99\""]
        {
            let text = ANSWER.replace('\n', " ").replace(key, "other\":0,\"x");
            let parsed: Result<Value, _> = serde_json::from_str(&text);
            let failed = parsed.is_err() || figures(&parsed.unwrap(), "request").is_err();
            assert!(failed, "{key}");
        }
        assert!(answer("nothing").is_err());
    }

    #[test]
    fn idle_connections_are_asked_for_by_number() {
        let load = Load { word: "idle", connections: 50, idle: 9 };
        let address = SocketAddr::from(([127, 0, 0, 1], 7));
        let command = command(Path::new("load"), 1, address, &load);
        let expected =
            r#""load" "idle" "127.0.0.1:7" "--connections" "50" "--cpu" "1" "--idle" "9""#;
        assert_eq!(format!("{command:?}"), expected);
    }
}
