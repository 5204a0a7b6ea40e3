//! A fast writer and a slow reader, with an echo server between: what is held stays bounded.

use std::cell::Cell;
use std::rc::Rc;

use net::sim::Sim;
use net::{Server, sleep, spawn};

use crate::util::{PORT, SECOND, connect, everywhere, harmless, pattern};

const BUFFER: usize = 2048;
const BYTES: usize = 40_000;

pub(crate) fn build(seed: u64) -> Sim {
    let mut sim = harmless(seed).buffers(BUFFER, BUFFER);
    sim.service("server", async || {
        Server::bind(everywhere())?.serve(net::handlers::echo).await.map(drop)
    });
    let server = (sim.address("server"), PORT).into();
    sim.host("client", async move || {
        let (mut reader, mut writer) = connect(server).await?.split();
        let written = Rc::new(Cell::new(0));
        let counted = Rc::clone(&written);
        let bytes = pattern(0, BYTES);
        let sent = bytes.clone();
        let writing = spawn(async move {
            for part in sent.chunks(500) {
                writer.write_all(part).await?;
                counted.set(counted.get() + part.len());
            }
            writer.shutdown()
        });
        let mut heard = Vec::new();
        let mut buffer = [0; 300];
        loop {
            sleep(SECOND).await;
            // Four buffers of the system, one chunk in the server, and what is on its way.
            let held = written.get() - heard.len();
            assert!(held <= 4 * BUFFER + net::CHUNK_SIZE + 500, "{held} bytes are held");
            match reader.read(&mut buffer).await? {
                0 => break,
                length => heard.extend_from_slice(&buffer[..length]),
            }
        }
        assert!(heard == bytes);
        writing.await?
    });
    sim
}
