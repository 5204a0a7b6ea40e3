//! How connections end: half-closes, resets, and which error comes when.

use std::io::{ErrorKind, Result};
use std::net::Shutdown;
use std::time::Duration;

use futures_util::join;
use net::TcpStream;

use crate::place::{At, World, numbered, read_exactly, read_to_end, write_until_it_fails};

/// What a read brings: a count of bytes, or the kind of its error.
async fn read(side: &mut At<TcpStream>) -> std::result::Result<usize, ErrorKind> {
    let read = side.with(async |stream| stream.read(&mut [0; 64]).await).await;
    read.map_err(|error| error.kind())
}

async fn write(side: &mut At<TcpStream>, bytes: &'static [u8]) -> Result<()> {
    side.with(async move |stream| stream.write_all(bytes).await).await
}

async fn shutdown(side: &mut At<TcpStream>, how: Shutdown) -> Result<()> {
    side.with(async move |stream| stream.shutdown(how)).await
}

async fn all(side: &mut At<TcpStream>) -> Vec<u8> {
    side.with(async |stream| read_to_end(stream).await).await
}

async fn failure(side: &mut At<TcpStream>) -> ErrorKind {
    side.with(async |stream| write_until_it_fails(stream).await).await
}

async fn reset(mut side: At<TcpStream>) {
    side.with(async |stream| stream.set_linger(Some(Duration::ZERO)).unwrap()).await;
    side.close().await;
}

async fn one_after_the_other(mut first: At<TcpStream>, mut second: At<TcpStream>) {
    write(&mut first, b"question").await.unwrap();
    shutdown(&mut first, Shutdown::Write).await.unwrap();
    assert_eq!(all(&mut second).await, b"question");
    write(&mut second, b"answer").await.unwrap();
    assert_eq!(first.with(async |stream| read_exactly(stream, 6).await).await, b"answer");
    shutdown(&mut second, Shutdown::Write).await.unwrap();
    assert_eq!(all(&mut first).await, b"");
    assert_eq!(all(&mut second).await, b"");
}

pub(crate) async fn half_closes_follow_each_other(world: World) {
    let (near, far) = world.pair().await;
    one_after_the_other(near, far).await;
}

pub(crate) async fn the_accepted_side_may_close_first(world: World) {
    let (near, far) = world.pair().await;
    one_after_the_other(far, near).await;
}

pub(crate) async fn nothing_is_written_after_a_shutdown(world: World) {
    let (mut near, mut far) = world.pair().await;
    shutdown(&mut near, Shutdown::Write).await.unwrap();
    shutdown(&mut near, Shutdown::Write).await.unwrap();
    let refused = write(&mut near, b"too late").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::BrokenPipe);
    write(&mut far, b"still").await.unwrap();
    assert_eq!(near.with(async |stream| read_exactly(stream, 5).await).await, b"still");
    assert_eq!(all(&mut far).await, b"");
}

pub(crate) async fn a_side_that_stops_reading_still_writes(world: World) {
    let (mut near, mut far) = world.pair().await;
    shutdown(&mut near, Shutdown::Read).await.unwrap();
    assert_eq!(read(&mut near).await, Ok(0));
    write(&mut far, b"unheard").await.unwrap();
    write(&mut near, b"heard").await.unwrap();
    assert_eq!(far.with(async |stream| read_exactly(stream, 5).await).await, b"heard");
    write(&mut far, b"unheard").await.unwrap();
    shutdown(&mut near, Shutdown::Write).await.unwrap();
    assert_eq!(all(&mut far).await, b"");
}

pub(crate) async fn both_directions_shut_down_at_once(world: World) {
    let (mut near, mut far) = world.pair().await;
    write(&mut near, b"last words").await.unwrap();
    shutdown(&mut near, Shutdown::Both).await.unwrap();
    assert_eq!(read(&mut near).await, Ok(0));
    let refused = write(&mut near, b"too late").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::BrokenPipe);
    assert_eq!(all(&mut far).await, b"last words");
}

pub(crate) async fn a_reset_is_an_error_once_and_then_the_end(world: World) {
    for near_first in [true, false] {
        let (near, far) = world.pair().await;
        let (gone, mut left) = if near_first { (near, far) } else { (far, near) };
        reset(gone).await;
        assert_eq!(read(&mut left).await, Err(ErrorKind::ConnectionReset));
        assert_eq!(read(&mut left).await, Ok(0));
        assert_eq!(read(&mut left).await, Ok(0));
        let refused = write(&mut left, b"anybody there?").await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::BrokenPipe);
        let peer = left.with(async |stream| stream.peer_addr()).await;
        assert_eq!(peer.unwrap_err().kind(), ErrorKind::NotConnected);
        let refused = shutdown(&mut left, Shutdown::Write).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::NotConnected);
        left.with(async |stream| stream.local_addr().unwrap()).await;
    }
}

pub(crate) async fn a_write_may_be_what_learns_of_a_reset(world: World) {
    let (mut near, far) = world.pair().await;
    reset(far).await;
    assert_eq!(failure(&mut near).await, ErrorKind::ConnectionReset);
    assert_eq!(failure(&mut near).await, ErrorKind::BrokenPipe);
    assert_eq!(read(&mut near).await, Ok(0));
}

pub(crate) async fn the_option_tells_of_a_reset(world: World) {
    let (mut near, far) = world.pair().await;
    let none = near.with(async |stream| stream.take_error().unwrap()).await;
    assert!(none.is_none());
    reset(far).await;
    let told = near.with(async |stream| {
        loop {
            stream.readable().await.unwrap();
            match stream.take_error().unwrap() {
                Some(error) => return error.kind(),
                // A report may come too early; then this waits for the next.
                None => match stream.try_read(&mut []) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    early => return early.unwrap_err().kind(),
                },
            }
        }
    });
    assert_eq!(told.await, ErrorKind::ConnectionReset);
    assert_eq!(read(&mut near).await, Ok(0));
}

pub(crate) async fn data_comes_before_the_reset(world: World) {
    let (mut near, mut far) = world.pair().await;
    write(&mut far, b"first").await.unwrap();
    // Arrived, so that the reset does not overtake it.
    near.with(async |stream| stream.peek(&mut [0; 8]).await.unwrap()).await;
    reset(far).await;
    assert_eq!(near.with(async |stream| read_exactly(stream, 5).await).await, b"first");
    assert_eq!(read(&mut near).await, Err(ErrorKind::ConnectionReset));
    assert_eq!(read(&mut near).await, Ok(0));
}

pub(crate) async fn closing_with_unread_data_resets(world: World) {
    let (mut near, mut far) = world.pair().await;
    write(&mut near, b"unread").await.unwrap();
    far.with(async |stream| stream.peek(&mut [0; 8]).await.unwrap()).await;
    far.close().await;
    assert_eq!(read(&mut near).await, Err(ErrorKind::ConnectionReset));
    assert_eq!(read(&mut near).await, Ok(0));
    assert_eq!(failure(&mut near).await, ErrorKind::BrokenPipe);
}

pub(crate) async fn data_comes_before_the_reset_of_a_close(world: World) {
    let (mut near, mut far) = world.pair().await;
    write(&mut near, b"unread").await.unwrap();
    far.with(async |stream| stream.peek(&mut [0; 8]).await.unwrap()).await;
    write(&mut far, b"goodbye").await.unwrap();
    far.close().await;
    assert_eq!(near.with(async |stream| read_exactly(stream, 7).await).await, b"goodbye");
    assert_eq!(read(&mut near).await, Err(ErrorKind::ConnectionReset));
}

pub(crate) async fn a_write_to_a_peer_that_is_gone_breaks_later(world: World) {
    let (mut near, far) = world.pair().await;
    far.close().await;
    assert_eq!(read(&mut near).await, Ok(0));
    // The system takes it, because the other side may still read, and learns better.
    write(&mut near, b"anybody there?").await.unwrap();
    assert_eq!(failure(&mut near).await, ErrorKind::BrokenPipe);
    assert_eq!(read(&mut near).await, Ok(0));
    assert_eq!(failure(&mut near).await, ErrorKind::BrokenPipe);
}

pub(crate) async fn a_peer_that_goes_ends_a_write(world: World) {
    let (mut near, mut far) = world.pair().await;
    let bytes = vec![7; crate::socket_util::LARGE];
    let (wrote, ()) = join!(near.with(async move |stream| stream.write_all(&bytes).await), async {
        far.with(async |stream| read_exactly(stream, 1000).await).await;
        far.close().await;
    });
    assert_eq!(wrote.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(read(&mut near).await, Ok(0));
}

pub(crate) async fn a_peer_that_goes_ends_a_read(world: World) {
    let (mut near, far) = world.pair().await;
    let (read, ()) = join!(read(&mut near), far.close());
    assert_eq!(read, Ok(0));
}

pub(crate) async fn a_side_that_is_done_writing_learns_of_a_reset(world: World) {
    let (mut near, mut far) = world.pair().await;
    shutdown(&mut near, Shutdown::Write).await.unwrap();
    assert_eq!(all(&mut far).await, b"");
    reset(far).await;
    assert_eq!(read(&mut near).await, Err(ErrorKind::ConnectionReset));
    assert_eq!(read(&mut near).await, Ok(0));
}

pub(crate) async fn a_reset_behind_the_end_breaks_the_pipe(world: World) {
    let (mut near, mut far) = world.pair().await;
    shutdown(&mut far, Shutdown::Write).await.unwrap();
    assert_eq!(read(&mut near).await, Ok(0));
    reset(far).await;
    assert_eq!(failure(&mut near).await, ErrorKind::BrokenPipe);
    assert_eq!(read(&mut near).await, Ok(0));
}

pub(crate) async fn a_connection_that_has_ended_has_no_peer(world: World) {
    let (mut near, mut far) = world.pair().await;
    shutdown(&mut near, Shutdown::Write).await.unwrap();
    assert_eq!(read(&mut far).await, Ok(0));
    assert!(far.with(async |stream| stream.peer_addr()).await.is_ok(), "half of it lives");
    shutdown(&mut far, Shutdown::Write).await.unwrap();
    assert_eq!(read(&mut near).await, Ok(0));
    let peer = near.with(async |stream| stream.peer_addr()).await;
    assert_eq!(peer.unwrap_err().kind(), ErrorKind::NotConnected);
    let refused = shutdown(&mut near, Shutdown::Both).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotConnected);
    assert_eq!(read(&mut near).await, Ok(0));
    assert_eq!(failure(&mut near).await, ErrorKind::BrokenPipe);
}

pub(crate) async fn everything_written_before_a_close_arrives(world: World) {
    let (mut near, mut far) = world.pair().await;
    let bytes = numbered(50_000);
    let sent = bytes.clone();
    near.with(async move |stream| stream.write_all(&sent).await.unwrap()).await;
    near.close().await;
    assert!(all(&mut far).await == bytes);
}
