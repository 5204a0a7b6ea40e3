//! A small protocol and its test: a client sends words, the server answers how long each is.
//!
//! Run it:     cargo run -p examples --bin letters, then: echo seventeen | nc -N 127.0.0.1 5004
//! Test it:    cargo test -p examples --bin letters
//! Try this:   put `line` inside of the loop, and test again. Over the loopback nobody would notice.

use std::{io, process::ExitCode};

use net::{EventLoop, Family, Server, Stream};

/// Answers each line with the number of its letters.
async fn count<K: Family>(mut stream: Stream<K>, _peer: K::Address) -> io::Result<()> {
    let mut line = Vec::new();
    while let Some(chunk) = stream.chunk().await? {
        for byte in chunk.iter() {
            if *byte == b'\n' {
                stream.write_all(format!("{}\n", line.len()).as_bytes()).await?;
                line.clear();
            } else {
                line.push(*byte);
            }
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:5004".into());
    let serve = async {
        let server = Server::bind(net::lookup(address).await?[0])?;
        println!("Listening on {}", server.local_addr()?);
        server.serve(count).await.map(drop)
    };
    let served = EventLoop::new().and_then(|event_loop| event_loop.run_until(serve)?);
    served.unwrap_or_else(|error| eprintln!("Failed: {error}"));
    ExitCode::FAILURE // a server ends only by failing
}

#[cfg(test)]
mod tests {
    use net::TcpStream;
    use net::sim::{Fault, Sim, check};

    use super::*;

    fn build(seed: u64) -> Sim {
        let calm = Sim::new(seed);
        let mut sim = Fault::HARMLESS.into_iter().fold(calm, |sim, fault| sim.rate(fault, 0.1));
        sim.service("server", async || {
            Server::bind("0.0.0.0:7".parse().unwrap())?.serve(count).await.map(drop)
        });
        sim.host("client", async || {
            let mut stream = TcpStream::connect_to("server:7").await?;
            stream.write_all(b"one\nthree\nseventeen\n").await?;
            let mut answers = Vec::new();
            while answers.iter().filter(|byte| **byte == b'\n').count() < 3 {
                let more = stream.chunk().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
                answers.extend_from_slice(&more);
            }
            assert_eq!(answers, b"3\n5\n9\n");
            Ok(())
        });
        sim
    }

    #[test]
    fn letters_are_counted_however_the_words_are_cut() {
        check(0..100, build, "cargo test -p examples --bin letters")
            .unwrap_or_else(|failure| panic!("{failure}"));
    }
}
