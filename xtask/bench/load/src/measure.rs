//! What is measured, and how it is told.

use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::clocks::ProcessClock;
use crate::crowd::{Crowd, Then};
use crate::sources::Sources;
use crate::{Failure, Scenario};

/// A measurement.
#[derive(Clone, Debug)]
pub struct Plan {
    pub scenario: Scenario,
    pub address: SocketAddrV4,
    /// Those that ask.
    pub connections: usize,
    /// Those that were answered once, and are held meanwhile.
    pub idle: usize,
    /// The server's process.
    pub pid: Option<i32>,
    pub length: Length,
}

#[derive(Clone, Copy, Debug)]
pub enum Length {
    /// In each round all connections ask, and then all are answered.
    Rounds(u64),
    Slices(Slices),
}

/// Each connection asks again as soon as it is answered.
#[derive(Clone, Copy, Debug)]
pub struct Slices {
    pub count: usize,
    pub length: Duration,
    /// Before the first slice.
    pub warm_up: Duration,
}

/// Opens the connections, has them ask, and says what came of it.
///
/// # Errors
///
/// A connection that cannot be made or ends, an answer that is not as it should be, and a server
/// that is stuck or not there.
pub fn measure(plan: &Plan) -> Result<Value, Failure> {
    let mut crowd = Crowd::new(plan.scenario, Sources::new(plan.address))?;
    let mut result = json!({ "scenario": plan.scenario.name(), "connections": plan.connections });
    if plan.idle > 0 {
        crowd.grow(plan.connections + plan.idle)?;
        result["idle"] = plan.idle.into();
    }
    let measured = match plan.length {
        Length::Rounds(rounds) => in_rounds(&mut crowd, plan, rounds)?,
        Length::Slices(slices) => in_slices(&mut crowd, plan, slices)?,
    };
    if let (Value::Object(result), Value::Object(measured)) = (&mut result, measured) {
        result.extend(measured);
    }
    Ok(result)
}

fn in_rounds(crowd: &mut Crowd, plan: &Plan, rounds: u64) -> Result<Value, Failure> {
    crowd.open(plan.connections)?;
    for _ in 0..rounds {
        crowd.ask(0..plan.connections)?;
        crowd.finish()?;
    }
    let requests = rounds * plan.connections as u64 * plan.scenario.depth();
    Ok(json!({ "requests": requests, "rounds": rounds }))
}

fn in_slices(crowd: &mut Crowd, plan: &Plan, slices: Slices) -> Result<Value, Failure> {
    crowd.open(plan.connections)?;
    crowd.ask(0..plan.connections)?;
    let start = Instant::now();
    while start.elapsed() < slices.warm_up {
        crowd.turn(Then::Ask, |_| ())?;
    }
    let server = plan.pid.map(ProcessClock::of).transpose()?;
    let mut latencies = Histogram::<u64>::new_with_max(LONGEST.as_nanos() as u64, DIGITS)?;
    let (own, start) = (ProcessClock::own().read()?, Instant::now());
    let mut measured = Vec::with_capacity(slices.count);
    for _ in 0..slices.count {
        measured.push(slice(crowd, slices.length, server, &mut latencies)?);
    }
    let (used, seconds) = (ProcessClock::own().read()? - own, start.elapsed().as_secs_f64());
    // Whoever still waits is answered too, or it is a failure.
    crowd.finish()?;
    let depth = plan.scenario.depth();
    let microseconds = |quantile| latencies.value_at_quantile(quantile) as f64 / 1_000.0;
    Ok(json!({
        "requests": latencies.len() * depth,
        "seconds": seconds,
        "utilisation": used.as_secs_f64() / seconds,
        "slices": measured.iter().map(|slice| slice.json(depth)).collect::<Vec<_>>(),
        "latency_us": {
            "p50": microseconds(0.5),
            "p99": microseconds(0.99),
            "p99.9": microseconds(0.999),
        },
    }))
}

/// Latencies are kept up to this; longer ones count as this long.
const LONGEST: Duration = Duration::from_secs(60);

/// How exactly latencies are kept: finer than any of them repeats.
const DIGITS: u8 = 3;

struct Slice {
    time: Duration,
    answers: u64,
    server_time: Option<Duration>,
}

impl Slice {
    fn json(&self, depth: u64) -> Value {
        json!({
            "seconds": self.time.as_secs_f64(),
            "requests": self.answers * depth,
            "server_cpu_ns": self.server_time.map(|time| time.as_nanos() as u64),
        })
    }
}

/// Goes on for `length`, and to the end of the turn in which it is over.
fn slice(
    crowd: &mut Crowd,
    length: Duration,
    server: Option<ProcessClock>,
    latencies: &mut Histogram<u64>,
) -> Result<Slice, Failure> {
    let before = server.map(ProcessClock::read).transpose()?;
    let (start, answers) = (Instant::now(), latencies.len());
    while start.elapsed() < length {
        crowd.turn(Then::Ask, |latency| latencies.saturating_record(latency.as_nanos() as u64))?;
    }
    let time = start.elapsed();
    let after = server.map(ProcessClock::read).transpose()?;
    let server_time = after.zip(before).map(|(after, before)| after - before);
    Ok(Slice { time, answers: latencies.len() - answers, server_time })
}
