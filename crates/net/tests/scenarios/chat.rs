//! The example `chat` with several guests: each hears every line of every other, whole and in the order
//! in which it was said.

use std::io;
use std::rc::Rc;

use net::sim::Sim;
use net::{ReadHalf, Server, sleep};

use crate::util::{PORT, SECOND, connect, everywhere, harmless};

#[path = "../../../../examples/chat.rs"]
#[allow(dead_code, reason = "of the program only what works is wanted, not its start")]
mod program;

const GUESTS: usize = 4;
const LINES: usize = 10;

pub(crate) fn build(seed: u64) -> Sim {
    let mut sim = harmless(seed);
    sim.service("room", async || {
        let room = Rc::<program::Room>::default();
        let server = Server::bind(everywhere())?;
        server.serve(move |stream, peer| program::guest(room.clone(), stream, peer)).await.map(drop)
    });
    let room = (sim.address("room"), PORT).into();
    for guest in 0..GUESTS {
        sim.host(&format!("guest {guest}"), async move || {
            let (mut reader, mut writer) = connect(room).await?.split();
            // Nobody speaks before all are there.
            sleep(120 * SECOND).await;
            for line in 0..LINES {
                writer.write_all(format!("{guest} says {line}\n").as_bytes()).await?;
            }
            hear(&mut reader, guest).await?;
            // Nobody leaves before all have heard everything.
            sleep(600 * SECOND).await;
            Ok(())
        });
    }
    sim
}

/// Reads until every line of the others has come.
async fn hear(reader: &mut ReadHalf, own: usize) -> io::Result<()> {
    let (mut text, mut heard) = (Vec::new(), [0; GUESTS]);
    heard[own] = LINES;
    while heard.iter().any(|lines| *lines < LINES) {
        text.extend_from_slice(&reader.chunk().await?.ok_or(io::ErrorKind::UnexpectedEof)?);
        while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
            let line = String::from_utf8(text.drain(..=end).collect()).expect("a line of letters");
            // Who came or went is told with a star.
            if let Some((_, said)) = line.trim_end().split_once(": ") {
                let guest: usize = said[..1].parse().expect("a guest's number");
                assert_eq!(said, format!("{guest} says {}", heard[guest]));
                heard[guest] += 1;
            }
        }
    }
    Ok(())
}
