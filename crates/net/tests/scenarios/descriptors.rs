//! A server with fewer descriptors than clients: it pauses, spins not, and goes on when one is free.

use net::Server;
use net::sim::{Fault, Sim};

use crate::util::{PORT, SECOND, connect, everywhere, exchange, harmless, pattern};

pub(crate) fn build(seed: u64) -> Sim {
    // The listener takes one, so that five connections are held at a time.
    let mut sim = harmless(seed)
        .descriptors(6)
        .step_limit(200_000)
        .rate(Fault::AcceptDescriptors, 0.05)
        .rate(Fault::NoBuffers, 0.01);
    sim.service("server", async || {
        Server::bind(everywhere())?.serve(net::handlers::echo).await.map(drop)
    });
    let server = (sim.address("server"), PORT).into();
    for client in 0..20 {
        sim.host(&format!("client {client}"), async move || {
            let bytes = pattern(client, 3000);
            let stream = connect(server).await?;
            // It holds its place for a while, so that others have to wait for it.
            net::sleep(SECOND).await;
            assert_eq!(exchange(stream, bytes.clone()).await?, bytes);
            Ok(())
        });
    }
    sim
}
