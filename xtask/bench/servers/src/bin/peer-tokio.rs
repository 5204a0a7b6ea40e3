//! hello and echo with tokio: on one thread, or on its work-stealing ones.

use std::io;
use std::process::ExitCode;

use servers::{ANYWHERE, Arguments, Failure, HELLO, READ_SIZE, Service, Unavailable, announce};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;

fn main() -> ExitCode {
    servers::main(run)
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    let mut builder = match arguments.threads {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    if arguments.threads > 1 {
        builder.worker_threads(arguments.threads);
    }
    let runtime = builder.enable_io().build()?;
    match arguments.service {
        Service::Hello => runtime.block_on(serve(hello)),
        Service::Echo => runtime.block_on(serve(echo)),
        Service::Http => Err(Unavailable("serves hello and echo").into()),
    }
}

async fn serve<F>(handler: fn(TcpStream) -> F) -> Result<(), Failure>
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind(ANYWHERE).await?;
    announce(listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(handler(stream));
    }
}

async fn hello(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; READ_SIZE];
    while stream.read(&mut buffer).await? > 0 {
        stream.write_all(HELLO).await?;
    }
    Ok(())
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; READ_SIZE];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            count => stream.write_all(&buffer[..count]).await?,
        }
    }
}
