//! curl's progress meter: what it writes to its errors while the body goes somewhere that is no terminal.

use std::time::Duration;

/// The two lines above the numbers, and the first numbers: nothing yet.
pub fn begins() -> String {
    let head = "  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current\n\
                \u{20}                                Dload  Upload   Total   Spent    Left  Speed\n";
    format!("{head}{}", numbers(&Progress::default()))
}

/// How far a transfer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Bytes that are to come, if the server has said so.
    pub expected: u64,
    /// Bytes that have come.
    pub received: u64,
    /// Bytes that have gone.
    pub sent: u64,
    /// Since the beginning.
    pub spent: Duration,
}

/// A row of numbers. It begins with a carriage return: on a terminal it overwrites the one before.
pub fn numbers(progress: &Progress) -> String {
    let speed = |bytes: u64| {
        // curl reckons with a millisecond at least.
        let millis = u64::try_from(progress.spent.as_millis()).unwrap_or(u64::MAX);
        bytes * 1000 / millis.max(1)
    };
    let (down, up) = (speed(progress.received), speed(progress.sent));
    let percent = |part: u64, whole: u64| (part * 100).checked_div(whole).unwrap_or(0);
    let total = (progress.expected + progress.sent).max(progress.received);
    let estimate = match (progress.expected, down) {
        (0, _) | (_, 0) => 0,
        (expected, down) => expected / down,
    };
    let spent = progress.spent.as_secs();
    format!(
        "\r{:3} {}  {:3} {}  {:3} {}  {}  {} {} {} {} {}",
        percent(progress.received + progress.sent, total),
        amount(total),
        percent(progress.received, progress.expected),
        amount(progress.received),
        percent(progress.sent, progress.sent),
        amount(progress.sent),
        amount(down),
        amount(up),
        clock(estimate),
        clock(spent),
        clock(estimate.saturating_sub(spent)),
        amount(down),
    )
}

/// Five characters: `12345`, then `1234k`, `12.3M`.
fn amount(bytes: u64) -> String {
    const K: u64 = 1024;
    const M: u64 = K * K;
    match bytes {
        0..100_000 => format!("{bytes:5}"),
        _ if bytes < 10_000 * K => format!("{:4}k", bytes / K),
        _ if bytes < 100 * M => format!("{:2}.{}M", bytes / M, (bytes % M) / (M / 10)),
        _ => format!("{:4}M", bytes / M),
    }
}

fn clock(seconds: u64) -> String {
    match seconds {
        0 => "--:--:--".to_owned(),
        _ => format!(
            "{:2}:{:02}:{:02}",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_stand_where_curl_puts_them() {
        // From curl 7.88.1: 20 bytes at once, the headers of 20 bytes, nothing after a second.
        let cases = [
            (
                20,
                20,
                1,
                "\r100    20  100    20    0     0  20000      0 --:--:-- --:--:-- --:--:-- 20000",
            ),
            (
                20,
                0,
                1,
                "\r  0    20    0     0    0     0      0      0 --:--:-- --:--:-- --:--:--     0",
            ),
            (
                0,
                0,
                1001,
                "\r  0     0    0     0    0     0      0      0 --:--:--  0:00:01 --:--:--     0",
            ),
            (
                91,
                91,
                10_004,
                "\r100    91  100    91    0     0      9      0  0:00:10  0:00:10 --:--:--     9",
            ),
        ];
        for (expected, received, millis, row) in cases {
            let progress = Progress {
                expected,
                received,
                sent: 0,
                spent: Duration::from_millis(millis),
            };
            assert_eq!(numbers(&progress), row);
        }
        assert!(begins().ends_with("--:--:--     0"));
        assert_eq!(begins().lines().next().unwrap().len(), 79);
        assert_eq!(amount(20_000_000), "19.0M");
    }
}
