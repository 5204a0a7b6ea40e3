//! The Date of an answer.

use std::cell::Cell;
use std::io::Write;
use std::time::{Duration, SystemTime};

use httpdate::HttpDate;

/// A date as RFC 9110, section 5.6.7, wants it.
pub(super) type Date = [u8; 29];

thread_local! {
    /// The last date, and its second since the Unix epoch: it is written out once a second.
    static LAST: Cell<(u64, Date)> = const { Cell::new((0, *b"Thu, 01 Jan 1970 00:00:00 GMT")) };
}

/// The last second of the year 9999, which is the last year of the form.
const LAST_SECOND: u64 = 253_402_300_799;

/// The date of `time`.
pub(super) fn date(time: SystemTime) -> Date {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let (second, date) = LAST.get();
    if second == since.as_secs() { date } else { write_out(since.as_secs().min(LAST_SECOND)) }
}

#[cold]
fn write_out(second: u64) -> Date {
    let mut date = Date::default();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
    // The form has as many bytes as there is room for.
    let _ = write!(&mut date[..], "{}", HttpDate::from(time));
    LAST.set((second, date));
    date
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> String {
        let date = date(SystemTime::UNIX_EPOCH + Duration::from_secs(second));
        String::from_utf8(date.to_vec()).unwrap()
    }

    #[test]
    fn a_date_is_written_as_the_protocol_wants_it() {
        for (second, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_826_154, "Tue, 29 Feb 2000 12:09:14 GMT"),
            (LAST_SECOND, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (LAST_SECOND + 1, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        ] {
            assert_eq!(at(second), text, "{second}");
            assert_eq!(at(second), text, "{second}, again");
        }
    }

    #[test]
    fn a_clock_before_the_epoch_stands_at_it() {
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(&date(before), b"Thu, 01 Jan 1970 00:00:00 GMT");
    }
}
