//! A TCP proxy: passes everything on, both ways, and the end of each way as well.
//!
//! Run it:     cargo run -p examples --bin proxy -- 127.0.0.1:5003 127.0.0.1:5001
//! Try this:   start `hello` (cargo run -p net), then ask it by `echo hi | nc -N 127.0.0.1 5003`.

use std::{io, net::SocketAddr, process::ExitCode, time::Duration};

use net::{EventLoop, ReadHalf, Server, TaskGroup, TcpStream, WriteHalf, lookup, timeout};

/// How long the target may take to answer a new connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connects the client with the target until both have no more to say, or one way fails.
pub(crate) async fn relay(client: TcpStream, target: SocketAddr) -> io::Result<()> {
    let target = timeout(PATIENCE, TcpStream::connect(target)).await??;
    let (from_client, to_client) = client.split();
    let (from_target, to_target) = target.split();
    let mut ways = TaskGroup::new(); // the first that fails cancels the other
    ways.spawn(pass(from_client, to_target));
    ways.spawn(pass(from_target, to_client));
    Ok(ways.wait().await?)
}

/// Reads no further than one chunk ahead: who sends too fast for the other side has to wait.
async fn pass(mut from: ReadHalf, mut to: WriteHalf) -> io::Result<()> {
    while let Some(chunk) = from.chunk().await? {
        to.write_all(&chunk).await?;
    }
    to.shutdown() // this way has ended; the other may go on
}

async fn serve(address: String, target: String) -> io::Result<()> {
    let (address, target) = (lookup(address).await?[0], lookup(target).await?[0]);
    let server = Server::bind(address)?;
    println!("Listening on {}", server.local_addr()?);
    server.serve(move |client, _| relay(client, target)).await.map(drop)
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or("127.0.0.1:5003".into());
    let target = arguments.next().unwrap_or("127.0.0.1:5001".into());
    let serve = serve(address, target);
    let served = EventLoop::new().and_then(|event_loop| event_loop.run_until(serve)?);
    served.unwrap_or_else(|error| eprintln!("Failed: {error}"));
    ExitCode::FAILURE // a server ends only by failing
}
