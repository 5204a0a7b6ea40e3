//! A small server for the Redis protocol: strings in memory, for redis-cli and other clients.
//!
//! Run it:     cargo run --bin redis_server -- 127.0.0.1:6380
//! Ask it:     redis-cli -p 6380 set greeting hello ex 60
//! Try this:   redis-benchmark -p 6380 -t ping,set,get,incr -P 16 -q

mod about;
mod answer;
mod commands;
mod request;
mod store;
mod strings;

use std::{cell::RefCell, env, error::Error, io, net::SocketAddr, process::ExitCode, rc::Rc};

use answer::Answer;
use commands::Then;
use net::{EventLoop, Server, TcpStream};
use store::Store;

/// Bytes of answers that are gathered before they are sent. A client that asks without reading gets about
/// that far ahead, and what the kernel holds.
const ANSWER_SIZE: usize = 65_536;

/// Answers a client. What it asked together is answered together, in one write.
async fn client(mut stream: TcpStream, store: Rc<RefCell<Store>>) -> io::Result<()> {
    let (mut unread, mut answer) = (Vec::new(), Answer::default());
    while let Some(chunk) = stream.chunk().await? {
        unread.extend_from_slice(&chunk);
        drop(chunk); // whoever is slow to read the answers holds no buffer of the loop
        let mut done = 0;
        let then = loop {
            match request::parse(&unread[done..]) {
                Ok(None) => break Then::Stay,
                Ok(Some((words, size))) => {
                    done += size;
                    let then = commands::run(&words, &mut store.borrow_mut(), &mut answer);
                    if then == Then::Leave {
                        break then;
                    }
                }
                Err(error) => {
                    answer.error(&format!("ERR Protocol error: {error}"));
                    break Then::Leave; // nobody knows where the next request begins
                }
            }
            if answer.bytes().len() >= ANSWER_SIZE {
                stream.write_all(answer.bytes()).await?;
                answer.clear();
            }
        };
        stream.write_all(answer.bytes()).await?;
        if then == Then::Leave {
            return Ok(());
        }
        unread.drain(..done);
        answer.clear();
    }
    Ok(())
}

async fn serve(address: SocketAddr) -> Result<(), Box<dyn Error>> {
    let server = Server::bind(address)?;
    let stopper = server.stopper();
    ctrlc::set_handler(move || stopper.stop())?;
    println!("Listening on {}", server.local_addr()?);
    let store = Rc::default();
    server.serve(move |stream, _peer| client(stream, Rc::clone(&store))).await?;
    Ok(())
}

fn main() -> ExitCode {
    let address = env::args().nth(1).unwrap_or("127.0.0.1:6380".into());
    let run = || EventLoop::new()?.run_until(serve(address.parse()?))?;
    let Err(error) = run() else { return ExitCode::SUCCESS };
    eprintln!("Failed: {error}");
    ExitCode::FAILURE
}
