//! Peers that never read again: who waits for them gives up in time, and tries anew.

use std::io::ErrorKind;
use std::net::SocketAddr;

use net::sim::{Fault, Sim};
use net::{Server, spawn, timeout};

use crate::util::{PORT, SECOND, connect, everywhere, exchange, harmless, pattern};

const BYTES: usize = 20_000;

/// Connections that a client may need: each has a handful of segments at which it may get stuck.
const ATTEMPTS: usize = 200;

pub(crate) fn build(seed: u64) -> Sim {
    let mut sim = harmless(seed).buffers(4096, 4096).rate(Fault::StuckReader, 0.01);
    sim.service("server", async || {
        Server::bind(everywhere())?.serve(net::handlers::echo).await.map(drop)
    });
    let server = (sim.address("server"), PORT).into();
    for number in 0..3 {
        sim.host(&format!("client {number}"), async move || {
            let bytes = pattern(number, BYTES);
            for _ in 0..ATTEMPTS {
                if let Some(heard) = attempt(server, bytes.clone()).await? {
                    assert!(heard == bytes);
                    return Ok(());
                }
            }
            Err(ErrorKind::TimedOut.into())
        });
    }
    sim
}

/// Everything back, unless that takes too long.
async fn attempt(server: SocketAddr, bytes: Vec<u8>) -> std::io::Result<Option<Vec<u8>>> {
    let stream = connect(server).await?;
    let echo = spawn(exchange(stream, bytes));
    match timeout(600 * SECOND, echo).await {
        Ok(heard) => heard?.map(Some),
        Err(_) => Ok(None),
    }
}
