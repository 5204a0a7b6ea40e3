//! The shipped `echo` with 20 clients: every byte comes back, in order, however it is cut.

use net::Server;
use net::sim::Sim;

use crate::util::{PORT, connect, everywhere, exchange, harmless, pattern};

const CLIENTS: usize = 20;

pub(crate) fn build(seed: u64) -> Sim {
    let mut sim = harmless(seed).buffers(4096, 4096);
    sim.service("server", async || {
        Server::bind(everywhere())?.serve(net::handlers::echo).await.map(drop)
    });
    let server = (sim.address("server"), PORT).into();
    for client in 0..CLIENTS {
        let bytes = pattern(client, 1 + (seed as usize * 977 + client * 1361) % 20_000);
        sim.host(&format!("client {client}"), async move || {
            let heard = exchange(connect(server).await?, bytes.clone()).await?;
            assert!(
                heard == bytes,
                "{} of {} bytes came back, or others",
                heard.len(),
                bytes.len()
            );
            Ok(())
        });
    }
    sim
}
