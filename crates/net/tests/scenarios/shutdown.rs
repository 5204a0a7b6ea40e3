//! A server that is stopped under load: whoever was accepted is answered, and nobody is cancelled.

use std::time::Duration;

use net::sim::{Fault, Sim};
use net::{Server, sleep};

use crate::util::{PORT, SECOND, everywhere, exchange, harmless, pattern};

pub(crate) fn build(seed: u64) -> Sim {
    // A server that gets its turn late finds many in the backlog when it stops.
    let mut sim = harmless(seed).rate(Fault::LateTurn, 0.3);
    let stop = Duration::from_millis(20 + seed * 7 % 200);
    sim.host("server", async move || {
        let server = Server::bind(everywhere())?.grace(600 * SECOND);
        let stopper = server.stopper();
        drop(net::spawn(async move {
            sleep(Duration::from_millis(10) + stop).await;
            stopper.stop();
        }));
        let served = server.serve(net::handlers::echo).await?;
        assert_eq!(served.cancelled, 0, "{served:?}");
        Ok(())
    });
    let server = (sim.address("server"), PORT).into();
    for client in 0..30 {
        sim.host(&format!("client {client}"), async move || {
            // Some come one after the other, and most at the very moment of the stop.
            let late = if client < 5 { 30 * client as u64 } else { stop.as_millis() as u64 - 3 };
            sleep(Duration::from_millis(10 + late)).await;
            let bytes = pattern(client, 5000);
            match net::TcpStream::connect(server).await {
                Ok(stream) => assert_eq!(exchange(stream, bytes.clone()).await?, bytes),
                // The server has stopped: it was not accepted.
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused),
            }
            Ok(())
        });
    }
    // Nobody is refused who comes after everybody has gone: the host is up, and nobody listens.
    sim.host("late", async move || {
        sleep(3600 * SECOND).await;
        assert!(net::TcpStream::connect(server).await.is_err());
        Ok(())
    });
    sim
}
