//! Echo over a Unix socket, whose reads may stop short of what is there.

use net::sim::{Fault, Sim};
use net::{UnixAddr, UnixListener, UnixStream, spawn};

use crate::util::{harmless, pattern};

pub(crate) fn build(seed: u64) -> Sim {
    let mut sim = harmless(seed).rate(Fault::ShortRead, 0.1).buffers(4096, 4096);
    sim.host("machine", async || {
        let listener = UnixListener::bind(UnixAddr::path("/run/echo"))?;
        drop(spawn(async move {
            while let Ok((stream, peer)) = listener.accept().await {
                drop(spawn(net::handlers::echo(stream, peer)));
            }
        }));
        for client in 0..5 {
            let bytes = pattern(client, 10_000);
            let stream = UnixStream::connect(UnixAddr::path("/run/echo")).await?;
            let (mut reader, mut writer) = stream.split();
            let sent = bytes.clone();
            let writing = spawn(async move {
                writer.write_all(&sent).await?;
                writer.shutdown()
            });
            let mut heard = Vec::new();
            while let Some(chunk) = reader.chunk().await? {
                heard.extend_from_slice(&chunk);
            }
            assert!(heard == bytes, "{} bytes came back", heard.len());
            writing.await??;
        }
        Ok(())
    });
    sim
}
