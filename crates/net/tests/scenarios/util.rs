//! What the scenarios share: the network they run over, and clients that check every byte.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use net::sim::{Fault, Sim};
use net::{ReadHalf, TcpStream, sleep, spawn};

pub(crate) const PORT: u16 = 5001;

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Where a server listens.
pub(crate) fn everywhere() -> SocketAddr {
    SocketAddr::from(([0, 0, 0, 0], PORT))
}

/// A network on which everything happens that a program must not notice.
pub(crate) fn harmless(seed: u64) -> Sim {
    // Some runs have much, some little of it.
    let rate = [0.0, 0.01, 0.05, 0.2][(seed % 4) as usize];
    Fault::HARMLESS.into_iter().fold(Sim::new(seed), |sim, fault| sim.rate(fault, rate))
}

/// As [`harmless`], with ends of connections and hosts besides.
pub(crate) fn harsh(seed: u64) -> Sim {
    let rare = 0.002;
    harmless(seed)
        .rate(Fault::Reset, rare)
        .rate(Fault::Partition, rare)
        .rate(Fault::Crash, rare / 4.0)
        .rate(Fault::AcceptAborted, 0.05)
        .rate(Fault::AcceptDescriptors, 0.05)
        .rate(Fault::ConnectDescriptors, 0.05)
        .rate(Fault::NoBuffers, 0.05)
}

/// Bytes that tell where they stand and whose they are.
pub(crate) fn pattern(of: usize, length: usize) -> Vec<u8> {
    (0..length).map(|at| (at.wrapping_mul(31) ^ (at >> 8) ^ of.wrapping_mul(77)) as u8).collect()
}

/// Connects, again where the network or a lack of something kept it from it.
pub(crate) async fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    for _ in 0..50 {
        match TcpStream::connect(to).await {
            Ok(stream) => return Ok(stream),
            Err(_) => sleep(SECOND).await,
        }
    }
    Err(io::Error::other("no connection in fifty attempts"))
}

/// Writes all of `bytes` and ends the stream, from another task, while this one reads what comes to its
/// end.
pub(crate) async fn exchange(stream: TcpStream, bytes: Vec<u8>) -> io::Result<Vec<u8>> {
    let (reader, mut writer) = stream.split();
    let sent = spawn(async move {
        writer.write_all(&bytes).await?;
        writer.shutdown()
    });
    let heard = read_to_end(reader).await;
    sent.await??;
    heard
}

pub(crate) async fn read_to_end(mut reader: ReadHalf) -> io::Result<Vec<u8>> {
    let mut heard = Vec::new();
    while let Some(chunk) = reader.chunk().await? {
        heard.extend_from_slice(&chunk);
    }
    Ok(heard)
}
