//! hello and echo with monoio, on io_uring.

use std::io;
use std::process::ExitCode;

use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net::{TcpListener, TcpStream};
use monoio::{FusionDriver, RuntimeBuilder};
use servers::{ANYWHERE, Arguments, Failure, HELLO, READ_SIZE, Service, Unavailable, announce};

fn main() -> ExitCode {
    servers::main(run)
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    arguments.one_thread()?;
    if !monoio::utils::detect_uring() {
        return Err(Unavailable("this system has no io_uring").into());
    }
    let mut runtime = RuntimeBuilder::<FusionDriver>::new().build()?;
    match arguments.service {
        Service::Hello => runtime.block_on(serve(hello)),
        Service::Echo => runtime.block_on(serve(echo)),
        Service::Http => Err(Unavailable("serves hello and echo").into()),
    }
}

async fn serve<F>(handler: fn(TcpStream) -> F) -> Result<(), Failure>
where
    F: Future<Output = io::Result<()>> + 'static,
{
    let listener = TcpListener::bind(std::net::SocketAddr::from(ANYWHERE))?;
    announce(listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        monoio::spawn(handler(stream));
    }
}

async fn hello(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(READ_SIZE);
    loop {
        let read;
        (read, buffer) = stream.read(buffer).await;
        if read? == 0 {
            return Ok(());
        }
        stream.write_all(HELLO).await.0?;
    }
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(READ_SIZE);
    loop {
        let (read, written);
        (read, buffer) = stream.read(buffer).await;
        if read? == 0 {
            return Ok(());
        }
        (written, buffer) = stream.write_all(buffer).await;
        written?;
    }
}
