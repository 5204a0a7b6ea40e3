//! hello and echo with smol. Tasks run on one thread; smol starts another by itself, which waits
//! for readiness while that one is busy.

use std::io;
use std::process::ExitCode;
use std::rc::Rc;

use servers::{ANYWHERE, Arguments, Failure, HELLO, READ_SIZE, Service, Unavailable, announce};
use smol::LocalExecutor;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::{TcpListener, TcpStream};

fn main() -> ExitCode {
    servers::main(run)
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    arguments.one_thread()?;
    match arguments.service {
        Service::Hello => serve(hello),
        Service::Echo => serve(echo),
        Service::Http => Err(Unavailable("serves hello and echo").into()),
    }
}

fn serve<F>(handler: fn(TcpStream) -> F) -> Result<(), Failure>
where
    F: Future<Output = io::Result<()>> + 'static,
{
    let executor = Rc::new(LocalExecutor::new());
    smol::block_on(executor.run(async {
        let listener = TcpListener::bind(ANYWHERE).await?;
        announce(listener.local_addr()?)?;
        loop {
            let (stream, _) = listener.accept().await?;
            executor.spawn(handler(stream)).detach();
        }
    }))
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
