//! A server under a name with two addresses of which one leads nowhere, in a list with others that are
//! dead: connecting finds the one that answers, and soon.

use net::sim::Sim;
use net::{Server, TcpStream, now};

use crate::util::{PORT, SECOND, exchange, harmless, pattern};

pub(crate) fn build(seed: u64) -> Sim {
    let mut sim = harmless(seed);
    sim.service("server", async || {
        // On IPv4 alone, though its name has an IPv6 address too, which comes first.
        let address = ([0, 0, 0, 0], PORT).into();
        Server::bind(address)?.serve(net::handlers::echo).await.map(drop)
    });
    sim.host("deaf", async || Ok(()));
    sim.host("cut off", async || Ok(()));
    let (server, deaf) = (sim.address("server"), sim.address("deaf"));
    let addresses = [
        (sim.address_v6("cut off"), PORT).into(),
        (sim.address("cut off"), PORT).into(),
        (sim.address_v6("deaf"), PORT).into(),
        (deaf, PORT).into(),
        ([10, 9, 9, 9], PORT).into(),
        (server, PORT).into(),
    ];
    sim.host("client", async move || {
        let start = now();
        let bytes = pattern(0, 3000);
        let stream = TcpStream::connect_any(&addresses).await?;
        assert_eq!(exchange(stream, bytes.clone()).await?, bytes);
        let stream = TcpStream::connect_to(("server", PORT)).await?;
        assert_eq!(exchange(stream, bytes.clone()).await?, bytes);
        assert!(TcpStream::connect_to(("nobody", PORT)).await.is_err());
        // Without the attempts beside each other, the first alone would take a minute.
        assert!(now() - start < 30 * SECOND, "{:?}", now() - start);
        Ok(())
    });
    sim.partition("client", "cut off", std::time::Duration::ZERO..3600 * SECOND);
    sim
}
