//! A two-way pipe between standard input and output and a TCP connection.
//!
//! Run it:     cargo run -p examples --bin netcat -- localhost:5001
//! Try this:   start `hello` (cargo run -p net) and type; or run it as `… < Cargo.toml | wc`.

use std::io::{self, Read, Write};
use std::process::ExitCode;

use futures_lite::future::or;
use net::{EventLoop, ReadHalf, TcpStream, WriteHalf, unblock};

const BLOCK: usize = 16 << 10; // bytes that one read of the input takes at most

/// Passes `input` on until its end, and meanwhile `output` what comes, until the other side ends.
///
/// Reading a file or a terminal blocks, and on some systems nothing tells when it would not: so it
/// is done on threads.
pub(crate) async fn talk(
    stream: TcpStream,
    input: impl Read + Send + 'static,
    output: impl Write + Send + 'static,
) -> io::Result<()> {
    let (reader, writer) = stream.split();
    let sent = async {
        send(input, writer).await?;
        std::future::pending().await // that the input has ended does not end the conversation
    };
    or(receive(reader, output), sent).await
}

async fn send(mut input: impl Read + Send + 'static, mut to: WriteHalf) -> io::Result<()> {
    loop {
        let block;
        (block, input) = unblock(move || {
            let mut block = vec![0; BLOCK];
            let read = input.read(&mut block);
            block.truncate(*read.as_ref().unwrap_or(&0));
            (read.map(|_| block), input)
        })
        .await;
        match block? {
            end if end.is_empty() => return to.shutdown(),
            block => to.write_all(&block).await?,
        }
    }
}

async fn receive(mut from: ReadHalf, mut output: impl Write + Send + 'static) -> io::Result<()> {
    while let Some(chunk) = from.chunk().await? {
        let written;
        (written, output) = unblock(move || {
            let written = output.write_all(&chunk).and_then(|()| output.flush());
            (written, output)
        })
        .await;
        written?;
    }
    Ok(())
}

async fn run(address: String) -> io::Result<()> {
    let stream = TcpStream::connect_to(address).await?;
    talk(stream, io::stdin(), io::stdout()).await
}

fn main() -> ExitCode {
    let address = std::env::args().nth(1).unwrap_or("localhost:5001".into());
    let ended = EventLoop::new().and_then(|event_loop| event_loop.run_until(run(address))?);
    let Err(error) = ended else { return ExitCode::SUCCESS };
    eprintln!("Failed: {error}");
    ExitCode::FAILURE
}
