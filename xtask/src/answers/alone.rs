//! Programs without a twin: each does its work with real clients, servers and files.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::report::{Failure, output};
use crate::server::Server;

/// How long any wait may last.
const PATIENCE: Duration = Duration::from_secs(30);

/// More bytes than the socket buffers between two ends hold.
const LARGE: usize = 8 << 20;

/// What makes a command of a program's name.
pub(super) type Programs<'a> = &'a dyn Fn(&str) -> Result<Command, Failure>;

/// How programs are put to the test.
pub(super) type Trial = fn(Programs<'_>) -> Result<(), Failure>;

/// What one guest says the others hear, and not the guest; the comings and goings all hear.
pub(super) fn chat(programs: Programs<'_>) -> Result<(), Failure> {
    let server = serve(programs("chat")?, &["127.0.0.1:0"])?;
    let (mut first, one) = Guest::enter(server.address())?;
    let (mut second, two) = Guest::enter(server.address())?;
    first.hears(&format!("* {two} joins"))?;
    first.says(b"good morning\n")?;
    second.hears(&format!("{one}: good morning"))?;
    second.says(b"and ")?;
    second.says(b"to you\r\n")?;
    first.hears(&format!("{two}: and to you"))?;
    // A line too long is cut, and what would act on a terminal is left out.
    first.says(&[&b"\x1b[2J"[..], &[b'x'; 600], b"\n"].concat())?;
    second.hears(&format!("{one}: [2J{}", "x".repeat(508)))?;
    // Whoever reads is never shown out, however many lines come at once.
    let lines: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
    first.says(format!("{}\n", lines.join("\n")).as_bytes())?;
    lines.iter().try_for_each(|line| second.hears(&format!("{one}: {line}")))?;
    drop(second);
    first.hears(&format!("* {two} leaves"))
}

/// Who does not read is shown out, and the others go on.
pub(super) fn chat_with_a_slow_guest(programs: Programs<'_>) -> Result<(), Failure> {
    let server = serve(programs("chat")?, &["127.0.0.1:0"])?;
    let (mut listener, _) = Guest::enter(server.address())?;
    let (_slow, slow) = Guest::enter(server.address())?;
    let (mut speaker, one) = Guest::enter(server.address())?;
    listener.hears(&format!("* {slow} joins"))?;
    listener.hears(&format!("* {one} joins"))?;
    let line = [&[b'x'; 511][..], b"\n"].concat();
    let gone = format!("* {slow} leaves");
    // It is more than the buffers of any system hold between two ends.
    for _ in 0..(64 << 20) / line.len() {
        speaker.says(&line)?;
        if listener.next()? == gone {
            speaker.hears(&gone)?;
            return Ok(());
        }
    }
    Err("the guest that does not read is still there".into())
}

/// Every byte passes, both ways; so does the end of each way while the other goes on.
pub(super) fn proxy(programs: Programs<'_>) -> Result<(), Failure> {
    let target = TcpListener::bind(("127.0.0.1", 0))?;
    let address = target.local_addr()?.to_string();
    let server = serve(programs("proxy")?, &["127.0.0.1:0", &address])?;
    let (there, back) = (bytes(251), bytes(241));
    let mut client = connect(server.address())?;
    let mut target = patient(target.accept()?.0)?;
    thread::scope(|scope| {
        let sent = scope.spawn(|| -> std::io::Result<()> {
            client.write_all(&there)?;
            client.shutdown(Shutdown::Write)
        });
        let mut received = Vec::new();
        target.read_to_end(&mut received)?;
        sent.join().map_err(|_| "the sender panicked")??;
        same("the target received", &there, &received)
    })?;
    thread::scope(|scope| {
        // The client has ended its way long before the answer begins.
        let sent = scope.spawn(|| -> std::io::Result<()> {
            target.write_all(&back)?;
            target.shutdown(Shutdown::Write)
        });
        let mut received = Vec::new();
        client.read_to_end(&mut received)?;
        sent.join().map_err(|_| "the sender panicked")??;
        same("the client received", &back, &received)
    })
}

/// When one way fails the other ends; and where there is no target, the client hears of it.
pub(super) fn proxy_with_faults(programs: Programs<'_>) -> Result<(), Failure> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?.to_string();
    let server = serve(programs("proxy")?, &["127.0.0.1:0", &address])?;
    let client = connect(server.address())?;
    let mut target = patient(listener.accept()?.0)?;
    target.write_all(b"unread")?;
    client.peek(&mut [0])?;
    drop(client); // with something unread: a reset
    ended(&mut target)?;
    drop(listener);
    ended(&mut connect(server.address())?)
}

/// It finds the ports that listen, of which nobody told it.
pub(super) fn scan(programs: Programs<'_>) -> Result<(), Failure> {
    let listeners = [TcpListener::bind(("127.0.0.1", 0))?, TcpListener::bind(("127.0.0.1", 0))?];
    let mut ports = [listeners[0].local_addr()?.port(), listeners[1].local_addr()?.port()];
    ports.sort_unstable();
    let around = format!("{}-{}", ports[0].saturating_sub(300), ports[0].saturating_add(300));
    let near = scanned(programs, &["127.0.0.1", &around])?;
    let alone = scanned(programs, &["127.0.0.1", &ports[1].to_string()])?;
    for (said, port) in [(&near, ports[0]), (&alone, ports[1])] {
        if !said.lines().any(|line| line == format!("{port} is open")) {
            return Err(format!("{port} is not among\n{said}").into());
        }
    }
    drop(listeners);
    let port = ports[0].to_string();
    let nothing = scanned(programs, &["127.0.0.1", &port])?;
    if !nothing.is_empty() || scanned(programs, &["127.0.0.1", "a-b"]).is_ok() {
        return Err(format!("of a closed port: {nothing}").into());
    }
    Ok(())
}

/// A file goes to the other side and its answer comes back; the end of the other side is the end,
/// with an input that goes on.
pub(super) fn netcat(programs: Programs<'_>) -> Result<(), Failure> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?.to_string();
    let manifest = crate::tree::root().join("Cargo.lock");

    let mut command = programs("netcat")?;
    command.arg(&address).stdin(File::open(&manifest)?).stdout(Stdio::piped());
    let mut child = Child(command.spawn()?);
    let mut stream = patient(listener.accept()?.0)?;
    let mut received = Vec::new();
    stream.read_to_end(&mut received)?; // the end of the file is passed on
    same("the other side received", &std::fs::read(&manifest)?, &received)?;
    let answer = thread::spawn(move || stream.write_all(&bytes(251)));
    same("netcat wrote", &bytes(251), &child.output()?)?;
    answer.join().map_err(|_| "the sender panicked")??;

    let mut command = programs("netcat")?;
    command.arg(&address).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = Child(command.spawn()?);
    let stdin = child.0.stdin.take().ok_or("there is no pipe")?;
    (&stdin).write_all(b"hi\n")?;
    let mut stream = patient(listener.accept()?.0)?;
    stream.read_exact(&mut [0; 3])?;
    stream.write_all(b"bye\n")?;
    drop(stream);
    same("netcat wrote", b"bye\n", &child.output()?)?;
    drop(stdin); // was open until after the end
    Ok(())
}

/// The programs of this project, one through the other: netcat through a proxy to a chat room.
pub(super) fn all_together(programs: Programs<'_>) -> Result<(), Failure> {
    let room = serve(programs("chat")?, &["127.0.0.1:0"])?;
    let proxy = serve(programs("proxy")?, &["127.0.0.1:0", &room.address().to_string()])?;
    let (mut listener, _) = Guest::enter(room.address())?;
    let mut command = programs("netcat")?;
    command.arg(proxy.address().to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = Child(command.spawn()?);
    let joins = listener.next()?;
    let peer = joins.strip_prefix("* ").and_then(|line| line.strip_suffix(" joins"));
    let peer = peer.ok_or_else(|| format!("heard {joins:?}"))?;
    let mut stdin = child.0.stdin.take().ok_or("there is no pipe")?;
    stdin.write_all(b"hello\n")?;
    listener.hears(&format!("{peer}: hello"))?;
    drop(stdin);
    listener.hears(&format!("* {peer} leaves"))?;
    same("netcat wrote", format!("{joins}\n").as_bytes(), &child.output()?)
}

/// A chat's guest.
struct Guest {
    stream: TcpStream,
    lines: BufReader<TcpStream>,
}

impl Guest {
    /// Connects, and waits until the room tells so; returns the guest's own address as well.
    fn enter(address: SocketAddr) -> Result<(Guest, SocketAddr), Failure> {
        let stream = connect(address)?;
        let name = stream.local_addr()?;
        let mut guest = Guest { lines: BufReader::new(stream.try_clone()?), stream };
        guest.hears(&format!("* {name} joins"))?;
        Ok((guest, name))
    }

    fn says(&mut self, text: &[u8]) -> Result<(), Failure> {
        Ok(self.stream.write_all(text)?)
    }

    fn next(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        self.lines.read_line(&mut line)?;
        Ok(line.trim_end_matches('\n').to_owned())
    }

    fn hears(&mut self, expected: &str) -> Result<(), Failure> {
        same("a guest heard", expected.as_bytes(), self.next()?.as_bytes())
    }
}

/// A running program that is ended when it is not needed any more.
struct Child(std::process::Child);

impl Child {
    /// All that it still writes, once it has ended well.
    fn output(&mut self) -> Result<Vec<u8>, Failure> {
        let mut written = Vec::new();
        let mut stdout = self.0.stdout.take().ok_or("there is no pipe")?;
        stdout.read_to_end(&mut written)?;
        let status = self.0.wait()?;
        if status.success() { Ok(written) } else { Err(status.to_string().into()) }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It has ended by itself where all went well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn serve(mut command: Command, arguments: &[&str]) -> Result<Server, Failure> {
    command.args(arguments);
    Server::start(command)
}

fn scanned(programs: Programs<'_>, arguments: &[&str]) -> Result<String, Failure> {
    let mut command = programs("scan")?;
    command.args(arguments);
    output(command)
}

fn connect(address: SocketAddr) -> Result<TcpStream, Failure> {
    patient(TcpStream::connect_timeout(&address, PATIENCE)?)
}

fn patient(stream: TcpStream) -> Result<TcpStream, Failure> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Reads up to the end or the reset of a connection, which nobody waits for.
fn ended(stream: &mut TcpStream) -> Result<(), Failure> {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionReset};
    match stream.read_to_end(&mut Vec::new()) {
        Ok(_) => Ok(()),
        Err(error) if matches!(error.kind(), ConnectionAborted | ConnectionReset) => Ok(()),
        Err(error) => Err(format!("the connection has not ended: {error}").into()),
    }
}

fn bytes(period: usize) -> Vec<u8> {
    (0..LARGE).map(|at| (at % period) as u8).collect()
}

fn same(what: &str, expected: &[u8], got: &[u8]) -> Result<(), Failure> {
    if expected == got {
        return Ok(());
    }
    let at = expected.iter().zip(got).take_while(|(a, b)| a == b).count();
    let show =
        |bytes: &[u8]| String::from_utf8_lossy(&bytes[at..bytes.len().min(at + 60)]).into_owned();
    let (lengths, shown) = ((expected.len(), got.len()), (show(expected), show(got)));
    let ((long, short), (wanted, found)) = (lengths, shown);
    Err(format!("{what} {short} bytes of {long}; at {at} {found:?} for {wanted:?}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_shown_where_it_begins() {
        assert!(same("b", b"abc", b"abc").is_ok());
        let failure = same("it was", b"abc", b"abd").unwrap_err().to_string();
        assert_eq!(failure, "it was 3 bytes of 3; at 2 \"d\" for \"c\"");
        assert!(same("b", b"abc", b"ab").is_err() && same("b", b"", b"a").is_err());
    }
}
