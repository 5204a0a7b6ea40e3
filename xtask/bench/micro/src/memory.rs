//! Memory of this process, as the kernel counts it.

use std::error::Error;
use std::fs::read_to_string;

/// Bytes of anonymous memory that this process has touched: its heap and its stacks. To a page.
pub fn anonymous() -> Result<u64, Box<dyn Error>> {
    let text = read_to_string("/proc/self/smaps_rollup")?;
    parse(&text).ok_or_else(|| format!("no anonymous memory in:\n{text}").into())
}

/// The line `Anonymous:  1234 kB`.
fn parse(text: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix("Anonymous:"))?;
    let kilobytes: u64 = rest.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_found() {
        assert_eq!(parse("Rss:   9 kB\nAnonymous:       12 kB\nSwap: 0 kB\n"), Some(12 * 1024));
        assert_eq!(parse("Rss:   9 kB\n"), None);
    }
}
