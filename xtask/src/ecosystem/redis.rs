//! The server for the Redis protocol.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::process::said;
use super::{end, program, same};
use crate::client::Client;
use crate::report::{Failure, Report};
use crate::server::Server;
use crate::tool::Tool;

/// Requests of each kind in a load.
const REQUESTS: usize = 10_000;

/// What is typed, and what redis-cli shows.
const SESSION: [(&str, &str); 16] = [
    ("PING", "PONG"),
    ("ECHO \"two words\"", "\"two words\""),
    ("GET a", "(nil)"),
    ("SET a 41 EX 100", "OK"),
    ("INCR a", "(integer) 42"),
    ("GET a", "\"42\""),
    ("SET b \"\\x00\\r\\n\" PX 100000", "OK"),
    ("GET b", "\"\\x00\\r\\n\""),
    ("EXISTS a b c a", "(integer) 3"),
    ("DEL a b c", "(integer) 2"),
    ("EXISTS a", "(integer) 0"),
    ("SET a x", "OK"),
    ("INCR a", "(error) ERR value is not an integer or out of range"),
    ("SET a", "(error) ERR wrong arguments for 'set' command"),
    ("LPUSH a 1", "(error) ERR unknown command 'LPUSH'"),
    ("CONFIG GET appendonly", "1) \"appendonly\"\n2) \"no\""),
];

pub(super) fn run(report: &mut Report, programs: &[PathBuf]) {
    let name = "redis_server sends the answers to a chunk in one write";
    if report.has(Tool::Strace, name) {
        report.step(name, || one_write(programs));
    }
    let server = report
        .value("redis_server starts", || Server::start(serve(program(programs, "redis_server")?)));
    let Some(server) = server else { return };
    report.step("redis_server and requests in pieces", || pieces(&server));
    report.step("redis_server and requests that are none", || nonsense(&server));
    for (name, step) in [
        ("redis_server and redis-cli", session as fn(&Server) -> Result<(), Failure>),
        ("redis_server and redis-benchmark", benchmark),
    ] {
        if report.has(Tool::Redis, name) {
            report.step(name, || step(&server));
        }
    }
    end(report, "redis_server", server);
}

fn serve(mut command: Command) -> Command {
    command.arg("127.0.0.1:0");
    command
}

/// As strace sees it; a client cannot tell how many writes what it reads was.
fn one_write(programs: &[PathBuf]) -> Result<(), Failure> {
    let log = std::env::temp_dir().join(format!("xtask-redis-{}.log", std::process::id()));
    let mut command = Command::new("strace");
    command.args(["-f", "-e", "trace=sendto", "-o"]).arg(&log);
    command.arg(program(programs, "redis_server")?.get_program());
    let server = Server::start(serve(command))?;
    let mut client = Client::connect(server.address())?;
    client.send("PING\r\n".repeat(100).as_bytes())?;
    let answer = client.receive("+PONG\r\n".len() * 100)?;
    drop(client);
    server.terminate()?;
    let calls = fs::read_to_string(&log)?;
    fs::remove_file(&log)?;
    same(&"+PONG\r\n".repeat(100), &String::from_utf8_lossy(&answer))?;
    if calls.matches("PONG").count() > 0 && calls.matches("sendto(").count() == 1 {
        return Ok(());
    }
    Err(calls.into())
}

/// Requests come one by one, many at once, and cut anywhere; each is answered in its turn.
fn pieces(server: &Server) -> Result<(), Failure> {
    let requests = b"*2\r\n$4\r\necho\r\n$3\r\none\r\n*1\r\n$4\r\nPING\r\nECHO two\r\nQUIT\r\n";
    let answers = "$3\r\none\r\n+PONG\r\n$3\r\ntwo\r\n+OK\r\n";
    for cut in 0..requests.len() {
        let mut client = Client::connect(server.address())?;
        client.send(&requests[..cut])?;
        client.send(&requests[cut..])?;
        let answer = client.receive(answers.len())?;
        same(answers, &String::from_utf8_lossy(&answer))?;
        same("", &String::from_utf8_lossy(&client.finish()?))?;
    }
    Ok(())
}

/// What came before is answered, then the error is told, and that is the end.
fn nonsense(server: &Server) -> Result<(), Failure> {
    for (request, error) in [
        ("*x\r\n", "invalid multibulk length"),
        ("*1\r\n$536870912\r\n", "invalid bulk length"),
        ("*1\r\n:1\r\n", "expected '$', got ':1'"),
    ] {
        let mut client = Client::connect(server.address())?;
        client.send(format!("PING\r\n{request}").as_bytes())?;
        let answer = client.finish()?;
        let expected = format!("+PONG\r\n-ERR Protocol error: {error}\r\n");
        same(&expected, &String::from_utf8_lossy(&answer))?;
    }
    Ok(())
}

/// A client of a server, without its arguments.
fn client(name: &str, server: &Server) -> Command {
    let mut command = Command::new(name);
    command.args(["-h", "127.0.0.1", "-p", &server.address().port().to_string()]);
    command
}

fn session(server: &Server) -> Result<(), Failure> {
    let mut command = client("redis-cli", server);
    command.arg("--no-raw");
    let (typed, shown): (String, String) =
        SESSION.iter().map(|(typed, shown)| (format!("{typed}\n"), format!("{shown}\n"))).unzip();
    same(&shown, &said(command, &typed)?)
}

/// Sixteen requests at once on each of twenty connections; the counter shows that each was served.
fn benchmark(server: &Server) -> Result<(), Failure> {
    let mut command = client("redis-benchmark", server);
    command.args(["-t", "ping,set,get,incr", "-P", "16", "-c", "20", "--csv"]);
    command.args(["-n", &REQUESTS.to_string()]);
    let table = said(command, "")?;
    let rates = table.lines().filter_map(rate);
    let tests: Vec<&str> = rates.filter(|(_, rate)| *rate > 0.0).map(|(name, _)| name).collect();
    let expected = ["PING_INLINE", "PING_MBULK", "SET", "GET", "INCR"];
    if tests != expected || table.contains("WARNING") {
        return Err(table.into());
    }
    let mut counter = client("redis-cli", server);
    counter.args(["get", "counter:__rand_int__"]);
    same(&format!("{REQUESTS}\n"), &said(counter, "")?)
}

/// The name and the rate in `"SET","50377.83",...`; none in other lines.
fn rate(line: &str) -> Option<(&str, f64)> {
    let mut cells = line.split(',').map(|cell| cell.trim_matches('"'));
    Some((cells.next()?, cells.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_from_their_lines() {
        assert_eq!(rate("\"SET\",\"50377.83\",\"0.1\""), Some(("SET", 50377.83)));
        assert_eq!(rate("\"test\",\"rps\",\"avg_latency_ms\""), None);
        assert_eq!(rate("WARNING"), None);
    }
}
