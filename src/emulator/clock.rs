//! The only place where the emulator reads the time.
//!
//! Everything that happens "later" (an operation's end, an account becoming visible) is an instant in the stored state
//! compared with [`Clock::now`], so a restarted emulator continues where time has got to meanwhile.

use jiff::Timestamp;
use jiff::tz::Offset;

/// Milliseconds since the Unix epoch.
pub type Millis = i64;

/// Where the time comes from.
#[derive(Debug, Clone, Copy, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// An instant that stands still: tables of cases need no waiting.
    At(Millis),
}

impl Clock {
    /// The present instant.
    pub fn now(self) -> Millis {
        match self {
            Clock::System => Timestamp::now().as_millisecond(),
            Clock::At(instant) => instant,
        }
    }
}

/// An instant as most of Google's APIs print it: `2024-04-01T12:34:56.123Z`.
pub fn utc(instant: Millis) -> String {
    format!("{:.3}", timestamp(instant))
}

/// An instant as HTTP's `Date` has it: `Mon, 01 Apr 2024 12:34:56 GMT`.
pub fn http(instant: Millis) -> String {
    timestamp(instant)
        .strftime("%a, %d %b %Y %H:%M:%S GMT")
        .to_string()
}

/// An instant as compute prints it: `2024-04-01T05:34:56.123-07:00`, Pacific time.
pub fn pacific(instant: Millis) -> String {
    let offset = Offset::constant(-7);
    format!("{:.3}", timestamp(instant).display_with_offset(offset))
}

fn timestamp(instant: Millis) -> Timestamp {
    Timestamp::from_millisecond(instant).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_printed_as_google_prints_them() {
        assert_eq!(utc(1_711_974_896_123), "2024-04-01T12:34:56.123Z");
        assert_eq!(pacific(1_711_974_896_123), "2024-04-01T05:34:56.123-07:00");
        assert_eq!(http(1_711_974_896_123), "Mon, 01 Apr 2024 12:34:56 GMT");
        assert_eq!(utc(1_711_974_896_000), "2024-04-01T12:34:56.000Z");
    }
}
