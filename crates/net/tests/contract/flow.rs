//! How bytes flow: waiting for room and for data, and what one call takes.

use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::net::Shutdown;

use futures_util::join;
use net::TcpStream;

use crate::place::{At, World, fill, numbered, read_exactly, read_to_end};

/// What both directions carry at once, in bytes each.
const MUCH: usize = 500_000;

pub(crate) async fn an_empty_connection_would_block(world: World) {
    let (mut near, mut far) = world.pair().await;
    let empty = near.with(async |stream| stream.try_read(&mut [0; 8])).await;
    assert_eq!(empty.unwrap_err().kind(), ErrorKind::WouldBlock);
    far.with(async |stream| stream.write_all(b"now").await.unwrap()).await;
    near.with(async |stream| {
        assert_eq!(read_exactly(stream, 3).await, b"now");
        assert_eq!(stream.try_read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
    })
    .await;
}

pub(crate) async fn a_full_connection_takes_more_once_it_is_read(world: World) {
    let (mut near, mut far) = world.pair().await;
    for _ in 0..3 {
        let filled = near.with(async |stream| fill(stream)).await;
        let (more, read) = join!(
            near.with(async |stream| {
                stream.writable().await.unwrap();
                stream.write(&[b'f'; 100]).await.unwrap()
            }),
            far.with(async move |stream| read_exactly(stream, filled).await),
        );
        assert!(more > 0 && read.iter().all(|byte| *byte == b'f'));
        far.with(async move |stream| read_exactly(stream, more).await).await;
    }
}

/// Writes all of `bytes` and reads to the end at the same time.
async fn exchange(side: At<TcpStream>, bytes: Vec<u8>) -> Vec<u8> {
    let mut halves = side.map(TcpStream::split).await;
    let exchanged = halves.with(async move |(reader, writer)| {
        let write = async {
            writer.write_all(&bytes).await.unwrap();
            writer.shutdown().unwrap();
        };
        let read = async {
            let mut heard = Vec::new();
            while let Some(chunk) = reader.chunk().await.unwrap() {
                heard.extend_from_slice(&chunk);
            }
            heard
        };
        join!(write, read).1
    });
    exchanged.await
}

pub(crate) async fn both_directions_carry_much_at_once(world: World) {
    let (near, far) = world.pair().await;
    let there = numbered(MUCH);
    let back: Vec<u8> = there.iter().map(|byte| !byte).collect();
    let heard = join!(exchange(near, there.clone()), exchange(far, back.clone()));
    assert!(heard == (back, there));
}

pub(crate) async fn a_slow_reader_gets_everything_in_order(world: World) {
    let (mut near, mut far) = world.pair().await;
    let bytes = numbered(300_000);
    let sent = bytes.clone();
    let write = near.with(async move |stream| {
        stream.write_all(&sent).await.unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
    });
    let read = far.with(async |stream| {
        let (mut heard, mut buffer) = (Vec::new(), [0; 777]);
        loop {
            let length = stream.read(&mut buffer).await.unwrap();
            if length == 0 {
                return heard;
            }
            heard.extend_from_slice(&buffer[..length]);
            net::yield_now().await;
        }
    });
    assert!(join!(write, read).1 == bytes);
}

pub(crate) async fn many_small_writes_stay_in_order(world: World) {
    let (mut near, mut far) = world.pair().await;
    let write = near.with(async |stream| {
        for byte in 0..=255 {
            stream.write_all(&[byte]).await.unwrap();
        }
    });
    let read = far.with(async |stream| read_exactly(stream, 256).await);
    assert_eq!(join!(write, read).1, (0..=255).collect::<Vec<u8>>());
}

pub(crate) async fn a_peek_takes_nothing(world: World) {
    let (mut near, mut far) = world.pair().await;
    near.with(async |stream| {
        stream.write_all(b"look").await.unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
    })
    .await;
    far.with(async |stream| {
        let mut buffer = [0; 2];
        for _ in 0..2 {
            assert!(stream.peek(&mut buffer).await.unwrap() >= 1);
            assert_eq!(buffer[0], b'l');
        }
        assert_eq!(read_to_end(stream).await, b"look");
        assert_eq!(stream.peek(&mut buffer).await.unwrap(), 0);
    })
    .await;
}

pub(crate) async fn buffers_are_filled_and_sent_one_after_the_other(world: World) {
    let (mut near, mut far) = world.pair().await;
    let write = near.with(async |stream| {
        let buffers = [IoSlice::new(b"one "), IoSlice::new(b""), IoSlice::new(b"two")];
        stream.write_vectored(&buffers).await.unwrap()
    });
    assert_eq!(write.await, 7);
    far.with(async |stream| {
        // All of it has arrived.
        while stream.peek(&mut [0; 8]).await.unwrap() < 7 {
            net::yield_now().await;
        }
        let (mut first, mut second) = ([0; 3], [0; 8]);
        let mut buffers = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
        assert_eq!(stream.read_vectored(&mut buffers).await.unwrap(), 7);
        assert_eq!((&first, &second[..4]), (b"one", &b" two"[..]));
    })
    .await;
}

pub(crate) async fn an_empty_read_waits_and_takes_nothing(world: World) {
    let (mut near, mut far) = world.pair().await;
    let empty = near.with(async |stream| stream.try_read(&mut [])).await;
    assert_eq!(empty.unwrap_err().kind(), ErrorKind::WouldBlock);
    let write = far.with(async |stream| stream.write_all(b"kept").await.unwrap());
    let (read, ()) = join!(near.with(async |stream| stream.read(&mut []).await.unwrap()), write);
    assert_eq!(read, 0);
    assert_eq!(near.with(async |stream| read_exactly(stream, 4).await).await, b"kept");
    far.close().await;
    assert_eq!(near.with(async |stream| stream.read(&mut []).await.unwrap()).await, 0);
}

pub(crate) async fn an_empty_write_writes_nothing(world: World) {
    let (mut near, mut far) = world.pair().await;
    near.with(async |stream| {
        assert_eq!(stream.write(b"").await.unwrap(), 0);
        stream.write_all(b"").await.unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let refused = stream.write(b"").await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::BrokenPipe);
    })
    .await;
    assert_eq!(far.with(async |stream| read_to_end(stream).await).await, b"");
}

pub(crate) async fn halves_read_and_write_at_once(world: World) {
    let (near, mut far) = world.pair().await;
    let mut near = near.map(TcpStream::split).await;
    let (read, ()) = join!(
        near.with(async |(reader, writer)| {
            let mut buffer = [0; 8];
            // The reader waits, and the writer is not kept by that.
            let (read, wrote) = join!(reader.read(&mut buffer), writer.write_all(b"ping"));
            wrote.unwrap();
            buffer[..read.unwrap()].to_vec()
        }),
        far.with(async |stream| {
            assert_eq!(read_exactly(stream, 4).await, b"ping");
            stream.write_all(b"p").await.unwrap();
        }),
    );
    assert_eq!(read, b"p");
    let near = near.map(|(reader, writer)| reader.reunite(writer).unwrap()).await;
    near.close().await;
    assert_eq!(far.with(async |stream| read_to_end(stream).await).await, b"");
}

pub(crate) async fn a_chunk_is_what_has_come(world: World) {
    let (mut near, mut far) = world.pair().await;
    near.with(async |stream| stream.write_all(b"a chunk").await.unwrap()).await;
    far.with(async |stream| {
        while stream.peek(&mut [0; 8]).await.unwrap() < 7 {
            net::yield_now().await;
        }
        assert_eq!(stream.chunk().await.unwrap().as_deref(), Some(&b"a chunk"[..]));
    })
    .await;
    near.close().await;
    far.with(async |stream| assert!(stream.chunk().await.unwrap().is_none())).await;
}
