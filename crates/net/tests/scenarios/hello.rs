//! The shipped `hello` on a harsh network: whoever gets an answer gets that answer, a connection that
//! ends is made anew, and the server outlives it all.

use std::io;
use std::net::SocketAddr;

use net::sim::Sim;
use net::{Server, TcpStream, timeout};

use crate::util::{PORT, SECOND, connect, everywhere, harsh};

const ANSWER: &[u8] = b"Hello world\n";

pub(crate) fn build(seed: u64) -> Sim {
    let mut sim = harsh(seed);
    sim.service("server", async || {
        Server::bind(everywhere())?.serve(net::handlers::hello).await.map(drop)
    });
    let server = (sim.address("server"), PORT).into();
    for client in 0..5 {
        sim.host(&format!("client {client}"), async move || {
            let mut answered = 0;
            while answered < 10 {
                answered += talk(server, 10 - answered).await?;
            }
            Ok(())
        });
    }
    sim
}

/// Asks over one connection as long as it lives, and says how often it was answered.
async fn talk(server: SocketAddr, times: usize) -> io::Result<usize> {
    let mut client = Client { stream: connect(server).await?, heard: 0 };
    for asked in 1..=times {
        // A connection that the network or the server has lost is given up after a while.
        match timeout(60 * SECOND, client.ask(asked)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return Ok(asked - 1),
        }
    }
    Ok(times)
}

struct Client {
    stream: TcpStream,
    /// Bytes of answers so far.
    heard: usize,
}

impl Client {
    /// Asks, and waits until there are as many answers as questions; there are more where a question
    /// came in pieces, for each is answered.
    async fn ask(&mut self, asked: usize) -> io::Result<()> {
        self.stream.write_all(b"hello?").await?;
        while self.heard < asked * ANSWER.len() {
            let chunk = self.stream.chunk().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
            for byte in chunk.iter() {
                assert_eq!(*byte, ANSWER[self.heard % ANSWER.len()]);
                self.heard += 1;
            }
        }
        Ok(())
    }
}
