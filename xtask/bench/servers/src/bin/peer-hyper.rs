//! HTTP/1.1 with hyper on tokio, on one thread or on its work-stealing ones.

use std::convert::Infallible;
use std::process::ExitCode;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use servers::{ANYWHERE, Arguments, Failure, HELLO, Service, Unavailable, announce};
use tokio::net::TcpListener;
use tokio::runtime::Builder;

fn main() -> ExitCode {
    servers::main(run)
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    if arguments.service != Service::Http {
        return Err(Unavailable("serves http").into());
    }
    let mut builder = match arguments.threads {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    if arguments.threads > 1 {
        builder.worker_threads(arguments.threads);
    }
    builder.enable_io().build()?.block_on(serve())
}

/// Without a limit of time for a request, which would need timers.
async fn serve() -> Result<(), Failure> {
    let listener = TcpListener::bind(ANYWHERE).await?;
    announce(listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let connection =
            http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(hello));
        tokio::spawn(connection);
    }
}

/// hyper adds the length and the date.
async fn hello(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::new(Bytes::from_static(HELLO)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Ok(response)
}
