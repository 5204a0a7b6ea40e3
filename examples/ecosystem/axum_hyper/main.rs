//! A web server: hyper speaks HTTP/1 and HTTP/2 over the loop's sockets, and axum finds the handler.
//!
//! Run it:     cargo run --bin axum_hyper -- 127.0.0.1:8080
//! Ask it:     curl -i http://127.0.0.1:8080/hello/you
//! Try this:   curl -i --http2-prior-knowledge --data 'turn around' http://127.0.0.1:8080/reversed
//!             h2load -n 10000 -c 10 -m 10 http://127.0.0.1:8080/

mod runtime;
mod stream;

use std::net::SocketAddr;
use std::time::Duration;
use std::{env, error::Error, io, process::ExitCode};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path};
use axum::routing::{get, post};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use net::{EventLoop, Server, TcpStream};
use runtime::Loop;
use stream::Io;

/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a client of HTTP/2 may be silent before it is asked whether it is still there.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// Bytes of a request's body that are kept in memory.
const BODY_LIMIT: usize = 1 << 20;

/// Nothing in here knows which loop it runs on.
fn router() -> Router {
    Router::new()
        .route("/", get(async || "Hello world\n"))
        .route("/hello/{name}", get(async |Path(name): Path<String>| format!("Hello {name}\n")))
        .route("/reversed", post(reversed))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
}

async fn reversed(body: Bytes) -> Vec<u8> {
    body.iter().rev().copied().collect()
}

/// Serves one connection, in the version of HTTP that its first bytes tell.
async fn connection(stream: TcpStream, router: Router) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut builder = Builder::new(Loop);
    builder.http1().timer(Loop).header_read_timeout(HEAD_TIMEOUT);
    builder.http2().timer(Loop).keep_alive_interval(PING_INTERVAL).max_concurrent_streams(100);
    let service = TowerToHyperService::new(router);
    builder.serve_connection(Io(stream), service).await.map_err(io::Error::other)
}

async fn serve(address: SocketAddr) -> Result<(), Box<dyn Error>> {
    let server = Server::bind(address)?;
    let stopper = server.stopper();
    ctrlc::set_handler(move || stopper.stop())?;
    println!("Listening on {}", server.local_addr()?);
    let router = router();
    server.serve(move |stream, _peer| connection(stream, router.clone())).await?;
    Ok(())
}

fn main() -> ExitCode {
    let address = env::args().nth(1).unwrap_or("127.0.0.1:8080".into());
    let run = || EventLoop::new()?.run_until(serve(address.parse()?))?;
    let Err(error) = run() else { return ExitCode::SUCCESS };
    eprintln!("Failed: {error}");
    ExitCode::FAILURE
}
