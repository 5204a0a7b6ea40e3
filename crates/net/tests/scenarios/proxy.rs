//! The example `proxy` between a client and the shipped `echo`: every byte goes there and back, and the
//! end of each way arrives as itself.

use std::net::SocketAddr;

use net::Server;
use net::sim::Sim;

use crate::util::{PORT, connect, everywhere, exchange, harmless, pattern};

#[path = "../../../../examples/proxy.rs"]
#[allow(dead_code, reason = "of the program only what works is wanted, not its start")]
mod program;

pub(crate) fn build(seed: u64) -> Sim {
    let mut sim = harmless(seed).buffers(4096, 4096);
    sim.service("echo", async || {
        Server::bind(everywhere())?.serve(net::handlers::echo).await.map(drop)
    });
    let echo: SocketAddr = (sim.address("echo"), PORT).into();
    sim.service("proxy", async move || {
        let server = Server::bind(everywhere())?;
        server.serve(move |client, _| program::relay(client, echo)).await.map(drop)
    });
    let proxy = (sim.address("proxy"), PORT).into();
    for client in 0..5 {
        let bytes = pattern(client, 1 + (seed as usize * 631 + client * 977) % 12_000);
        sim.host(&format!("client {client}"), async move || {
            let heard = exchange(connect(proxy).await?, bytes.clone()).await?;
            assert!(heard == bytes, "{} of {} bytes came back", heard.len(), bytes.len());
            Ok(())
        });
    }
    sim
}
