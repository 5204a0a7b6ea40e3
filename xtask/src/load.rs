//! Many connections to hello, in lock-step: all ask, then all are answered.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

use crate::client::Client;
use crate::report::Failure;

/// What each request is, and what answers it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialogue {
    request: &'static [u8],
    /// The end of each answer, and its whole length: before the end may stand what changes.
    answer: &'static [u8],
    length: usize,
}

pub(crate) const ANSWER: &[u8] = b"Hello world\n";

/// With hello as it is.
pub(crate) const HELLO: Dialogue =
    Dialogue { request: b"hello\n", answer: ANSWER, length: ANSWER.len() };

/// With echo.
pub(crate) const ECHO: Dialogue =
    Dialogue { request: SAYING, answer: SAYING, length: SAYING.len() };

/// 64 bytes.
const SAYING: &[u8] = b"Whatever is said to echo comes back, byte for byte, as it came.\n";

/// With `hello --http`.
pub(crate) const HTTP: Dialogue = Dialogue {
    request: b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    answer: b"\r\nContent-Length: 12\r\n\r\nHello world\n",
    length: 114,
};

/// `load ADDRESS CONNECTIONS ROUNDS [--hold]`
pub(crate) fn main(arguments: &[&str]) -> ExitCode {
    let result = match arguments {
        [address, connections, rounds] => command(address, connections, rounds, false),
        [address, connections, rounds, "--hold"] => command(address, connections, rounds, true),
        _ => Err("expected ADDRESS CONNECTIONS ROUNDS [--hold]".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("load: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn command(address: &str, connections: &str, rounds: &str, hold: bool) -> Result<(), Failure> {
    let clients = run(address.parse()?, HELLO, connections.parse()?, rounds.parse()?)?;
    println!("{} connections answered", clients.len());
    std::io::stdout().flush()?;
    if hold {
        std::io::stdin().read_to_end(&mut Vec::new())?;
    }
    Ok(())
}

/// Opens the connections, makes the rounds, and returns the connections, still open.
pub(crate) fn run(
    address: SocketAddr,
    dialogue: Dialogue,
    connections: usize,
    rounds: usize,
) -> Result<Vec<Client>, Failure> {
    let mut clients = open(address, connections)?;
    for _ in 0..rounds {
        ask(&mut clients, dialogue)?;
        check(&mut clients, dialogue)?;
    }
    Ok(clients)
}

/// Opens the connections.
pub(crate) fn open(address: SocketAddr, connections: usize) -> Result<Vec<Client>, Failure> {
    (0..connections).map(|_| Client::connect(address)).collect()
}

/// The first half of a round: all ask.
pub(crate) fn ask(clients: &mut [Client], dialogue: Dialogue) -> Result<(), Failure> {
    clients.iter_mut().try_for_each(|client| client.send(dialogue.request))
}

/// The second half: all are answered.
pub(crate) fn check(clients: &mut [Client], dialogue: Dialogue) -> Result<(), Failure> {
    for client in clients {
        let answer = client.receive(dialogue.length)?;
        if !answer.ends_with(dialogue.answer) {
            return Err(format!("answered {:?}", String::from_utf8_lossy(&answer)).into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};
    use std::thread;

    use super::*;

    /// Accepts two connections and answers each three times.
    fn serve(answer: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming().take(2) {
                thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    for _ in 0..3 {
                        stream.read_exact(&mut [0; HELLO.request.len()]).unwrap();
                        stream.write_all(answer).unwrap();
                    }
                });
            }
        });
        address
    }

    #[test]
    fn every_connection_is_answered_in_every_round() {
        assert_eq!(run(serve(ANSWER), HELLO, 2, 3).unwrap().len(), 2);
    }

    #[test]
    fn a_wrong_answer_is_a_failure() {
        let failure = run(serve(b"Hallo Welt!\n"), HELLO, 2, 3).unwrap_err().to_string();
        assert_eq!(failure, "answered \"Hallo Welt!\\n\"");
    }
}
