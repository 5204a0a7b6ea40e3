//! Pooled read buffers: an idle connection holds none.
//!
//! A chunk is one pointer that is never null, so that what a read brings, a chunk or the end or an error,
//! fits two registers; the length lies behind it. With an `Option` inside, for the drop to take the buffer out
//! of, it does not fit, and a request of `hello` costs 12 more of 270 instructions.

#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::fmt;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};

/// Bytes that one [`chunk`](crate::TcpStream::chunk) brings at most.
pub const CHUNK_SIZE: usize = 4096;

/// Free buffers that a thread keeps for reuse; further ones go back to the allocator.
const POOL_SIZE: usize = 64;

/// What a read brought, in a buffer that returns to its thread's pool on drop.
///
/// It dereferences to the bytes, and never is empty. Each thread keeps up to 64 free buffers for
/// reuse.
pub struct Chunk {
    buffer: ManuallyDrop<Buffer>,
}

/// Room for one chunk.
pub(crate) type Buffer = Box<Block>;

/// The bytes, and how many of them were read.
pub(crate) struct Block {
    pub(crate) bytes: [u8; CHUNK_SIZE],
    length: usize,
}

thread_local! {
    /// The buffer that was given back last: most reads take it and give it back at once. The
    /// destructor is that of `POOL`, so that neither costs a look at whether this one still lives.
    static LAST: Cell<Option<ManuallyDrop<Buffer>>> = const { Cell::new(None) };
    /// Whether `LAST` may be filled, because `POOL` will empty it: from its first use on, until the
    /// thread ends.
    static OPEN: Cell<bool> = const { Cell::new(false) };
    static POOL: Pool = const { Pool(RefCell::new(Vec::new())) };
}

/// The free buffers of a thread but the last.
struct Pool(RefCell<Vec<Buffer>>);

impl Drop for Pool {
    fn drop(&mut self) {
        OPEN.set(false);
        drop(LAST.take().map(ManuallyDrop::into_inner));
    }
}

impl Chunk {
    /// The first `length` bytes of `buffer`, at most [`CHUNK_SIZE`].
    #[inline]
    pub(crate) fn new(mut buffer: Buffer, length: usize) -> Chunk {
        buffer.length = length;
        Chunk { buffer: ManuallyDrop::new(buffer) }
    }
}

/// Takes a buffer out of the pool; what is in it is of no meaning.
#[inline]
pub(crate) fn take() -> Buffer {
    match LAST.take() {
        Some(buffer) => ManuallyDrop::into_inner(buffer),
        None => take_another(),
    }
}

/// Puts a buffer back.
#[inline]
pub(crate) fn give(buffer: Buffer) {
    if !OPEN.get() {
        return keep(buffer);
    }
    if let Some(second) = LAST.replace(Some(ManuallyDrop::new(buffer))) {
        keep(ManuallyDrop::into_inner(second));
    }
}

/// As [`give`], for a buffer that a read has left empty, which is rare.
#[cold]
#[inline(never)]
pub(crate) fn give_unused(buffer: Buffer) {
    give(buffer);
}

#[cold]
#[inline(never)]
fn take_another() -> Buffer {
    let zeroed = || Box::new(Block { length: 0, bytes: [0; CHUNK_SIZE] });
    let free = POOL.try_with(|pool| pool.0.borrow_mut().pop());
    free.ok().flatten().unwrap_or_else(zeroed)
}

/// A thread that ends has no pool any more; then the buffer is just freed.
#[cold]
#[inline(never)]
fn keep(buffer: Buffer) {
    let _ = POOL.try_with(|pool| {
        OPEN.set(true);
        let mut free = pool.0.borrow_mut();
        if free.len() < POOL_SIZE - 1 {
            free.push(buffer);
        }
    });
}

impl Drop for Chunk {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: nobody uses the chunk after its drop, and nothing else takes the buffer out of it.
        give(unsafe { ManuallyDrop::take(&mut self.buffer) });
    }
}

impl Deref for Chunk {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.buffer.bytes[..self.buffer.length]
    }
}

impl DerefMut for Chunk {
    fn deref_mut(&mut self) -> &mut [u8] {
        let Block { bytes, length } = &mut **self.buffer;
        &mut bytes[..*length]
    }
}

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chunk({} bytes)", self.len())
    }
}
