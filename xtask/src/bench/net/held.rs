//! What connections that wait cost: memory and the time to take them, as their number grows.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

use super::contest::{Case, Contestant, Figure, contestants};
use super::{Field, descriptors, start};
use crate::bench::peers::Service;
use crate::bench::progress;
use crate::bench::record::Record;
use crate::count::idle::rss;
use crate::count::per_unit;
use crate::processors;
use crate::report::{Failure, Report};

/// The sizes at which one looks, as far as descriptors reach.
const SIZES: [u64; 7] = [100, 300, 1_000, 3_000, 10_000, 30_000, 60_000];

/// hello holds 65,536 connections unless it is told otherwise, so nobody is asked for more.
const MOST: u64 = 65_000;

/// Between these the memory of one more is taken.
const FEW: u64 = 100;
const MANY: u64 = 10_000;

/// What the server had used when so many connections were held.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Look {
    connections: u64,
    bytes: u64,
    nanoseconds: u64,
}

pub(super) fn run(report: &mut Report, field: &Field<'_>) -> Vec<Record> {
    let mut contestants = contestants(field, Service::Hello);
    contestants.retain(|contestant| !contestant.is_second());
    let mut records = Vec::new();
    let bar = progress::bar("net", contestants.len() as u64);
    for contestant in &contestants {
        let name = format!("net: connections that wait, {}", contestant.name);
        bar.set_message(name.clone());
        let most = descriptors::connections().min(contestant.participant.peer.most);
        let sizes = sizes(most as u64);
        let looks = bar.suspend(|| report.value(&name, || looks(field, contestant, &sizes)));
        records.extend(looks.map(|looks| of(contestant, &looks)).into_iter().flatten());
        bar.inc(1);
    }
    bar.finish_and_clear();
    records
}

fn sizes(limit: u64) -> Vec<u64> {
    let limit = limit.min(MOST);
    let mut sizes: Vec<u64> = SIZES.into_iter().filter(|size| *size <= limit).collect();
    // The limit itself, unless it is about the last one.
    if sizes.last().is_none_or(|last| limit > last + last / 4) {
        sizes.push(limit);
    }
    sizes
}

/// Looks at the server before the first connection and at each size.
fn looks(
    field: &Field<'_>,
    contestant: &Contestant<'_>,
    sizes: &[u64],
) -> Result<Vec<Look>, Failure> {
    let running = start::start(contestant, Service::Hello, &[field.place.server])?;
    let mut looks = vec![look(running.server.id(), 0)?];
    let mut holder = Holder::start(field, running.server.address(), sizes)?;
    for (at, size) in sizes.iter().enumerate() {
        if at > 0 {
            holder.go_on()?;
        }
        holder.wait_until_held(*size)?;
        looks.push(look(running.server.id(), *size)?);
    }
    Ok(looks)
}

fn look(id: u32, connections: u64) -> Result<Look, Failure> {
    let bytes = rss(&fs::read_to_string(format!("/proc/{id}/smaps_rollup"))?)?;
    Ok(Look { connections, bytes, nanoseconds: processor_time(id)? })
}

/// The processor time of all threads of a process, in nanoseconds.
pub(super) fn processor_time(id: u32) -> Result<u64, Failure> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{id}/task"))? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        sum += on_processor(&text)?;
    }
    Ok(sum)
}

/// The first of the numbers: time on a processor, time in its queue, turns.
fn on_processor(schedstat: &str) -> Result<u64, Failure> {
    Ok(schedstat.split_whitespace().next().ok_or("schedstat is empty")?.parse()?)
}

/// The curves of a contestant, and the memory of one more connection.
fn of(contestant: &Contestant<'_>, looks: &[Look]) -> Vec<Record> {
    let mut records = Vec::new();
    let mut add = |case: &Case, metric, unit: &str, value| {
        records.push(case.record(contestant, &Figure { metric, unit: unit.into(), value }));
    };
    for pair in looks.windows(2) {
        let (before, now) = (pair[0], pair[1]);
        let size = Some(("connections", now.connections));
        let case = Case { name: "connections that wait".into(), size, grows: true };
        let bytes = per_unit((0, looks[0].bytes), (now.connections, now.bytes));
        add(&case, "memory", "bytes/connection", bytes);
        let nanoseconds =
            per_unit((before.connections, before.nanoseconds), (now.connections, now.nanoseconds));
        add(&case, "cpu to take and answer one", "µs/connection", nanoseconds / 1_000.0);
    }
    let at = |size: u64| looks.iter().find(|look| look.connections == size);
    if let Some((few, many)) = at(FEW).zip(at(MANY)) {
        let case = Case { name: "one more connection that waits".into(), size: None, grows: false };
        let bytes = per_unit((few.connections, few.bytes), (many.connections, many.bytes));
        add(&case, "memory", "bytes/connection", bytes);
    }
    records
}

/// The process that holds the other ends. Dropped, it is ended.
#[derive(Debug)]
struct Holder {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Holder {
    fn start(field: &Field<'_>, address: SocketAddr, sizes: &[u64]) -> Result<Holder, Failure> {
        let sizes: Vec<String> = sizes.iter().map(u64::to_string).collect();
        let mut load = Command::new(field.load);
        load.args(["hold", &address.to_string(), "--connections", &sizes.join(",")]);
        let mut command = processors::on(&[field.place.load], &load);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let lines = BufReader::new(child.stdout.take().ok_or("it has no output")?);
        Ok(Holder { child, lines })
    }

    /// Waits for the line that it prints once so many are answered; it ends with none if it fails.
    fn wait_until_held(&mut self, size: u64) -> Result<(), Failure> {
        let mut line = String::new();
        self.lines.read_line(&mut line)?;
        let said: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
        if said["held"] == size { Ok(()) } else { Err(format!("{size}: it says {line:?}").into()) }
    }

    fn go_on(&mut self) -> Result<(), Failure> {
        let input = self.child.stdin.as_mut().ok_or("it has no input")?;
        input.write_all(b"\n")?;
        Ok(input.flush()?)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // Its input ends with this end of the pipe, and so does it; killing it is for the stuck one.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::peers::{PEERS, Participant};

    #[test]
    fn sizes_reach_as_far_as_descriptors() {
        assert_eq!(sizes(370), [100, 300]);
        assert_eq!(sizes(400), [100, 300, 400]);
        assert_eq!(sizes(2_000), [100, 300, 1_000, 2_000]);
        assert_eq!(sizes(50), [50]);
        assert_eq!(sizes(1 << 40), SIZES);
    }

    #[test]
    fn costs_are_of_one_connection() {
        let look = |connections, bytes, nanoseconds| Look { connections, bytes, nanoseconds };
        let looks = [
            look(0, 1_000, 5_000),
            look(100, 21_000, 205_000),
            look(10_000, 1_011_000, 10_105_000),
        ];
        let participant = Participant { peer: &PEERS[0], lines: Vec::new(), version: None };
        let contestant = Contestant { participant: &participant, name: "ours".into(), threads: 1 };
        let records = of(&contestant, &looks);
        let shown: Vec<(Option<u64>, &str, f64)> = records
            .iter()
            .map(|r| (r.size.as_ref().map(|size| size.1), &*r.metric, r.samples[0]))
            .collect();
        let expected = [
            (Some(100), "memory", 200.0),
            (Some(100), "cpu to take and answer one", 2.0),
            (Some(10_000), "memory", 101.0),
            (Some(10_000), "cpu to take and answer one", 1.0),
            (None, "memory", 100.0),
        ];
        assert_eq!(shown, expected);
        assert!(records[..4].iter().all(|record| record.grows) && !records[4].grows);
    }

    #[test]
    fn processor_time_is_the_first_number() {
        assert_eq!(on_processor("846856976 83352053 89\n").unwrap(), 846_856_976);
        assert!(on_processor("").is_err());
    }
}
