//! HTTP, asked for by wrk.

use std::process::Command;

use super::contest::{self, Case, Figure, contestants};
use super::start::Running;
use super::{Field, held, start};
use crate::bench::peers::Service;
use crate::bench::record::Record;
use crate::http::loads::{faultless, requests};
use crate::processors;
use crate::report::{Failure, Report, output};
use crate::tool::Tool;

const CONNECTIONS: &str = "50";

/// The shortest time that wrk can be told.
const DURATION: &str = "1s";

/// Seconds, as wrk writes them.
const UNITS: [(&str, f64); 3] = [("us", 1.0), ("ms", 1e3), ("s", 1e6)];

pub(super) fn run(report: &mut Report, field: &Field<'_>) -> Vec<Record> {
    let case =
        Case { name: "HTTP hello, by wrk".into(), size: Some(("connections", 50)), grows: false };
    let title = case.title();
    if !report.has(Tool::Wrk, &title) {
        return Vec::new();
    }
    let contestants = contestants(field, Service::Http);
    contest::hold(
        report,
        &title,
        |_| case.clone(),
        &contestants,
        field.rounds(),
        |contestant| {
            let running = start::start(contestant, Service::Http, &[field.place.server])?;
            turn(field, &running)
        },
    )
}

/// The processor time of the server over a run of wrk, by the requests that wrk counted.
fn turn(field: &Field<'_>, running: &Running) -> Result<Vec<Figure>, Failure> {
    let id = running.server.id();
    let before = held::processor_time(id)?;
    let mut wrk = Command::new("wrk");
    wrk.args(["--threads", "1", "--connections", CONNECTIONS, "--duration", DURATION, "--latency"]);
    wrk.arg(format!("http://{}/", running.server.address()));
    // The shell's word on what its children used, which nothing else tells of a program that has ended.
    let mut shell = Command::new("sh");
    shell.args(["-c", r#""$0" "$@" && times"#]).arg(wrk.get_program()).args(wrk.get_args());
    let said = output(processors::on(&[field.place.load], &shell))?;
    let used = held::processor_time(id)? - before;
    faultless(&said)?;
    figures(&said, used)
}

fn figures(said: &str, nanoseconds: u64) -> Result<Vec<Figure>, Failure> {
    let missing = |what: &str| format!("no {what} in what wrk said:\n{said}");
    let requests = requests(said).ok_or_else(|| missing("requests"))? as f64;
    let rate = after(said, "Requests/sec:").and_then(|rate| rate.parse().ok());
    let figure = |metric, unit: &str, value| Figure { metric, unit: unit.into(), value };
    let mut figures = vec![
        figure("cpu", "µs/request", nanoseconds as f64 / requests / 1_000.0),
        figure("throughput", "requests/s", rate.ok_or_else(|| missing("rate"))?),
    ];
    for (metric, share) in [("p50", "50%"), ("p99", "99%")] {
        let time = after(said, share).and_then(microseconds).ok_or_else(|| missing(share))?;
        figures.push(figure(metric, "µs", time));
    }
    figures.push(figure(
        "load's utilisation",
        "",
        utilisation(said).ok_or_else(|| missing("times"))?,
    ));
    Ok(figures)
}

/// The share of its time for which wrk was on its processor.
fn utilisation(said: &str) -> Option<f64> {
    let (_, rest) = said.lines().find_map(|line| line.trim().split_once(" requests in "))?;
    let elapsed = microseconds(rest.split(',').next()?)?;
    // The last line of `times`: `0m0.250s 0m0.480s`, of user and system.
    let used = said.lines().last()?.split_whitespace().map(|time| {
        let (minutes, seconds) = time.split_once('m')?;
        Some(minutes.parse::<f64>().ok()? * 60e6 + microseconds(seconds)?)
    });
    Some(used.sum::<Option<f64>>()? / elapsed)
}

/// The word behind the one that begins a line.
fn after<'a>(said: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = said.lines().map(str::split_whitespace);
    lines.find_map(|mut words| (words.next()? == name).then(|| words.next())?)
}

/// The number in `1.23ms`.
fn microseconds(text: &str) -> Option<f64> {
    let number =
        |(unit, factor): (&str, f64)| Some(text.strip_suffix(unit)?.parse::<f64>().ok()? * factor);
    UNITS.into_iter().find_map(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "\
Running 1s test @ http://127.0.0.1:5001/
  1 threads and 50 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   512.00us  100.00us   3.00ms   90.00%
    Req/Sec   100.00k     1.00k  110.00k    70.00%
  Latency Distribution
     50%  498.00us
     75%  520.00us
     90%  600.00us
     99%    1.25ms
  100000 requests in 1.10s, 10.87MB read
Requests/sec:  90909.09
Transfer/sec:      9.88MB
0m0.000s 0m0.000s
0m0.150s 0m0.400s
";

    #[test]
    fn what_wrk_says_is_read() {
        let figures = figures(SAID, 600_000_000).unwrap();
        let shown: Vec<(&str, f64)> = figures.iter().map(|f| (f.metric, f.value)).collect();
        let expected = [("cpu", 6.0), ("throughput", 90909.09), ("p50", 498.0), ("p99", 1250.0)];
        assert_eq!(shown[..4], expected);
        assert_eq!((shown[4].0, (shown[4].1 * 100.0).round()), ("load's utilisation", 50.0));
        assert!(super::figures("unable to connect\n", 1).is_err());
    }

    #[test]
    fn times_have_units() {
        assert_eq!(microseconds("2.00s"), Some(2e6));
        assert_eq!(microseconds("3.50ms"), Some(3500.0));
        assert_eq!(microseconds("7.00us"), Some(7.0));
        assert_eq!(microseconds("7"), None);
    }
}
