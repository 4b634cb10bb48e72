//! How long something usually takes: a range, never a promise. It does not know where the range comes from.

/// A range of time, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usual {
    /// A fast run.
    pub low: u64,
    /// A slow run.
    pub high: u64,
}

/// A shorter time is not worth a word, in milliseconds.
const WORTH_A_WORD: u64 = 10_000;
/// Up to this, a range is said in seconds, in milliseconds.
const IN_SECONDS: u64 = 90_000;

impl Usual {
    /// A range in whole seconds.
    pub const fn seconds(low: u64, high: u64) -> Usual {
        Usual {
            low: low * 1000,
            high: high * 1000,
        }
    }

    /// The range around the one time that was measured, in milliseconds: the same request took up to a third longer, and down to a
    /// fifth less, in the published logs of Google's clients that the table of `usual.rs` is from.
    pub fn around(took: u64) -> Usual {
        Usual {
            low: took / 5 * 4,
            high: took / 3 * 4,
        }
    }

    /// The range of a service that works so many times faster.
    pub fn faster(self, times: u32) -> Usual {
        let times = u64::from(times.max(1));
        Usual {
            low: self.low / times,
            high: self.high / times,
        }
    }

    /// Both, one after the other.
    pub fn then(self, next: Usual) -> Usual {
        Usual {
            low: self.low.saturating_add(next.low),
            high: self.high.saturating_add(next.high),
        }
    }

    /// Both at the same time: until the longer one ends.
    pub fn beside(self, other: Usual) -> Usual {
        Usual {
            low: self.low.max(other.low),
            high: self.high.max(other.high),
        }
    }

    /// What is left after some time, in milliseconds.
    pub fn after(self, time: u64) -> Usual {
        Usual {
            low: self.low.saturating_sub(time),
            high: self.high.saturating_sub(time),
        }
    }

    /// The range as text, `4-10 min` or `30-60 s`; none if it is too short to be worth a word.
    pub fn text(self) -> Option<String> {
        if self.high < WORTH_A_WORD {
            return None;
        }
        let (low, high, unit) = match self.high <= IN_SECONDS {
            true => (self.low / 5_000 * 5, self.high.div_ceil(5_000) * 5, "s"),
            false => (
                self.low.saturating_add(30_000) / 60_000,
                self.high.div_ceil(60_000),
                "min",
            ),
        };
        Some(match low {
            0 => format!("up to {high} {unit}"),
            low if low >= high => format!("about {high} {unit}"),
            low => format!("{low}-{high} {unit}"),
        })
    }

    /// The range as the time that is left.
    pub fn left(self) -> String {
        match self.text() {
            Some(text) => format!("{text} left"),
            None => "a few seconds left".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_reads_as_people_say_it() {
        for (low, high, said, left) in [
            (0, 9, None, "a few seconds left"),
            (0, 10, Some("up to 10 s"), "up to 10 s left"),
            (12, 58, Some("10-60 s"), "10-60 s left"),
            (60, 60, Some("about 60 s"), "about 60 s left"),
            (240, 600, Some("4-10 min"), "4-10 min left"),
            (20, 100, Some("up to 2 min"), "up to 2 min left"),
            (90, 100, Some("about 2 min"), "about 2 min left"),
            (600, 4000, Some("10-67 min"), "10-67 min left"),
        ] {
            let usual = Usual::seconds(low, high);
            assert_eq!(usual.text().as_deref(), said, "{low}-{high}");
            assert_eq!(usual.left(), left, "{low}-{high}");
        }
    }

    #[test]
    fn ranges_add_up_and_run_out() {
        let (one, other) = (Usual::seconds(10, 40), Usual::seconds(20, 30));
        assert_eq!(one.then(other), Usual::seconds(30, 70));
        assert_eq!(one.beside(other), Usual::seconds(20, 40));
        assert_eq!(one.after(15_000), Usual::seconds(0, 25));
        assert_eq!(one.faster(10), Usual::seconds(1, 4));
        assert_eq!(one.faster(0), one);
        assert_eq!(Usual::around(300_000), Usual::seconds(240, 400));
    }
}
