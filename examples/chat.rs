//! A chat room: what one guest says, all others hear.
//!
//! Run it:     cargo run -p examples --bin chat -- 127.0.0.1:5002
//! Try this:   connect twice with `nc 127.0.0.1 5002` and type in both windows.

use std::{io, net::SocketAddr, process::ExitCode, rc::Rc};

use async_lock::Mutex;
use futures_lite::future::or;
use net::{EventLoop, ReadHalf, Server, TcpStream, channel, lookup, yield_now};

const LINES: usize = 64; // that may wait for a guest; with one more, the guest is shown out
const LONGEST: usize = 512; // line, in bytes; the rest of it is cut

#[derive(Default)]
pub(crate) struct Room(Mutex<Vec<(SocketAddr, channel::Sender<Rc<str>>)>>); // the guests

/// Leaves a line with all but the speaker; who has left, or has no room for it, is shown out.
async fn say(Room(guests): &Room, speaker: Option<SocketAddr>, line: &str) {
    let line: Rc<str> = format!("{line}\n").into();
    let mut guests = guests.lock().await;
    guests.retain(|(peer, guest)| {
        speaker == Some(*peer) || guest.try_send(line.clone()).map_err(|_| guest.close()).is_ok()
    });
    yield_now().await; // everybody can take this line before the next is said
}

pub(crate) async fn guest(room: Rc<Room>, stream: TcpStream, peer: SocketAddr) -> io::Result<()> {
    let ((reader, mut writer), (sender, lines)) = (stream.split(), channel::bounded(LINES));
    room.0.lock().await.push((peer, sender.clone()));
    let tell = async {
        while let Ok(line) = lines.recv().await {
            writer.write_all(line.as_bytes()).await?;
        }
        Ok(())
    };
    let show_out = async {
        sender.closed().await;
        Err(io::Error::other(format!("{peer} reads too slowly")))
    };
    let ended = or(show_out, or(tell, hear(&room, reader, peer))).await;
    sender.close();
    say(&room, None, &format!("* {peer} leaves")).await;
    ended
}

/// What the guest says, line by line.
async fn hear(room: &Room, mut reader: ReadHalf, peer: SocketAddr) -> io::Result<()> {
    say(room, None, &format!("* {peer} joins")).await;
    let mut line = Vec::new();
    while let Some(chunk) = reader.chunk().await? {
        for byte in chunk.iter() {
            if *byte == b'\n' {
                let text = String::from_utf8_lossy(&line).replace(char::is_control, "");
                say(room, Some(peer), &format!("{peer}: {text}")).await;
                line.clear();
            } else if line.len() < LONGEST {
                line.push(*byte);
            }
        }
    }
    Ok(())
}

async fn serve(address: String) -> io::Result<()> {
    let server = Server::bind(lookup(address).await?[0])?;
    println!("Listening on {}", server.local_addr()?);
    let room = Rc::<Room>::default();
    server.serve(move |stream, peer| guest(room.clone(), stream, peer)).await.map(drop)
}

fn main() -> ExitCode {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:5002".into());
    let served = EventLoop::new().and_then(|event_loop| event_loop.run_until(serve(address))?);
    served.unwrap_or_else(|error| eprintln!("Failed: {error}"));
    ExitCode::FAILURE // a server ends only by failing
}
