//! Numbers for generators, each given out once in the life of the program.

#[cfg(target_has_atomic = "64")]
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

#[cfg(all(target_has_atomic = "32", not(target_has_atomic = "64")))]
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

#[cfg(not(target_has_atomic = "32"))]
compile_error!("generators are numbered by an atomic counter, which this target lacks");

/// A number from 1 to 2⁶³ that was never given out before.
///
/// At one number a nanosecond the counter would get there after 292 years.
#[cfg(target_has_atomic = "64")]
pub(crate) fn fresh() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Relaxed)
}

/// A number from 1 that was never given out before.
///
/// # Panics
///
/// When all 32-bit numbers are used up: this target has no wider counter, and none may be used twice.
#[cfg(all(target_has_atomic = "32", not(target_has_atomic = "64")))]
pub(crate) fn fresh() -> u64 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    match NEXT.fetch_update(Relaxed, Relaxed, |last| last.checked_add(1)) {
        Ok(number) => u64::from(number),
        Err(_) => {
            panic!("this program made more generators than its 32-bit counter can tell apart")
        }
    }
}
