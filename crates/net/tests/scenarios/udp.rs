//! Questions and answers over UDP, which loses, doubles and overtakes: asked again until answered.

use std::io;

use net::sim::{Fault, Sim};
use net::{UdpSocket, timeout};

use crate::util::{PORT, SECOND, everywhere, harmless};

pub(crate) fn build(seed: u64) -> Sim {
    let mut sim = harmless(seed)
        .rate(Fault::DatagramLoss, 0.2)
        .rate(Fault::DatagramDuplicate, 0.1)
        .rate(Fault::DatagramReorder, 0.2)
        .rate(Fault::NoBuffers, 0.02);
    sim.service("server", serve);
    let server = (sim.address("server"), PORT).into();
    for client in 0..5u8 {
        sim.host(&format!("client {client}"), async move || {
            let socket = UdpSocket::bind("0.0.0.0:0".parse().unwrap())?;
            socket.connect(&server)?;
            for number in 0..20u8 {
                ask(&socket, &[client, number, number]).await?;
            }
            Ok(())
        });
    }
    sim
}

/// Answers each datagram with itself backwards. A datagram that cannot be sent is as good as lost.
async fn serve() -> io::Result<()> {
    let socket = UdpSocket::bind(everywhere())?;
    let mut buffer = [0; 64];
    loop {
        let (received, from) = socket.recv_from(&mut buffer).await?;
        buffer[..received.length].reverse();
        let _ = socket.send_to(&buffer[..received.length], &from).await;
    }
}

async fn ask(socket: &UdpSocket, question: &[u8; 3]) -> io::Result<()> {
    let mut answer = *question;
    answer.reverse();
    let mut buffer = [0; 64];
    for _ in 0..100 {
        let _ = socket.send(question).await;
        while let Ok(received) = timeout(SECOND, socket.recv(&mut buffer)).await {
            let received = received?;
            assert_eq!((received.length, received.truncated), (answer.len(), false));
            // An answer to an earlier question may have been overtaken.
            if buffer[..received.length] == answer {
                return Ok(());
            }
        }
    }
    Err(io::Error::other("no answer to a hundred questions"))
}
