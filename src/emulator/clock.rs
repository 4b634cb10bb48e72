//! The only place where the emulator reads the time.
//!
//! Everything that happens "later" (an operation's end, an account becoming visible) is an instant in the stored state
//! compared with [`Clock::now`], so a restarted emulator continues where time has got to meanwhile.

use jiff::Timestamp;
use jiff::tz::TimeZone;

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

/// The time zone America/Los_Angeles by its rule of today (POSIX, in force since 2007), so that no zone database is needed.
const PACIFIC: &str = "PST8PDT,M3.2.0,M11.1.0";

/// An instant as compute prints it, in Pacific time: `2024-04-01T05:34:56.123-07:00` in summer, `-08:00` in winter.
pub fn pacific(instant: Millis) -> String {
    let timestamp = timestamp(instant);
    let zone = TimeZone::posix(PACIFIC).unwrap_or(TimeZone::UTC);
    let offset = zone.to_offset(timestamp);
    format!("{:.3}", timestamp.display_with_offset(offset))
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

    #[test]
    fn pacific_time_is_an_hour_behind_in_winter() {
        // Summer time began on 10 March 2024 and ended on 3 November 2024, both at 02:00 of the time before.
        for (utc, expected) in [
            ("2024-01-15T12:00:00Z", "2024-01-15T04:00:00.000-08:00"),
            ("2024-03-10T09:59:59Z", "2024-03-10T01:59:59.000-08:00"),
            ("2024-03-10T10:00:00Z", "2024-03-10T03:00:00.000-07:00"),
            ("2024-11-03T08:59:59Z", "2024-11-03T01:59:59.000-07:00"),
            ("2024-11-03T09:00:00Z", "2024-11-03T01:00:00.000-08:00"),
        ] {
            let instant: Timestamp = utc.parse().unwrap();
            assert_eq!(pacific(instant.as_millisecond()), expected, "{utc}");
        }
    }
}
