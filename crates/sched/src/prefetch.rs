//! A hint to the processor, which stable Rust has only as an unsafe function.

#![allow(unsafe_code)]

/// Asks for the memory at `place` to be brought near. A hint, and nothing at all where there is none.
#[inline]
pub(crate) fn prefetch<T: ?Sized>(place: *const T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: every x86_64 processor has the instruction, and it neither reads nor writes as far
        // as the program can tell, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(place.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}
