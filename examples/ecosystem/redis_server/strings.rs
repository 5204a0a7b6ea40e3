//! Values that are more than bytes: times to live, and numbers.

use std::time::{Duration, Instant};

use crate::store::{Entry, Store};

/// When `EX seconds` or `PX milliseconds` end.
pub(crate) fn expiry(options: &[&[u8]], now: Instant) -> Result<Option<Instant>, String> {
    let (unit, time) = match options {
        [] => return Ok(None),
        [unit, time] if unit.eq_ignore_ascii_case(b"ex") => (1000, time),
        [unit, time] if unit.eq_ignore_ascii_case(b"px") => (1, time),
        _ => return Err("ERR syntax error".into()),
    };
    let time = u64::try_from(integer(time)?).ok().filter(|time| *time > 0);
    let time = time.and_then(|time| time.checked_mul(unit)).map(Duration::from_millis);
    let expires = time.and_then(|time| now.checked_add(time));
    expires.map(Some).ok_or_else(|| "ERR invalid expire time in 'set' command".into())
}

pub(crate) fn increment(key: &[u8], store: &mut Store, now: Instant) -> Result<i64, String> {
    let (number, expires) = match store.get(key, now) {
        Some(entry) => (integer(&entry.value)?, entry.expires),
        None => (0, None),
    };
    let number = number.checked_add(1).ok_or("ERR increment or decrement would overflow")?;
    store.insert(key, Entry { value: number.to_string().into_bytes(), expires }, now)?;
    Ok(number)
}

fn integer(text: &[u8]) -> Result<i64, String> {
    let digits = str::from_utf8(text).ok().filter(|text| !text.starts_with('+'));
    let number = digits.and_then(|digits| digits.parse().ok());
    number.ok_or_else(|| "ERR value is not an integer or out of range".into())
}
