//! Describes the keys that the one who checks a release trusts, each with the last day on which it counts.
//!
//! A signature does not say when it was made, and a clock of the signer would prove nothing. So a key that has
//! expired vouches for nothing any more, for old releases neither: sign these again with the new key, whose
//! attestation takes its place beside the old one.

use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::keys::PublicKey;
use crate::text::printable;

/// A key that is trusted to vouch for releases.
#[derive(Clone, Debug)]
pub struct TrustedKey {
    /// The name of the key for people, such as `ci`. Faults name keys by it, so no two should have the same.
    pub name: String,
    /// The key.
    pub key: PublicKey,
    /// The last day on which the key counts. Without one it counts always.
    pub expires: Option<Day>,
    /// The one builder as which the key may speak. Without one it may claim to be any, and a
    /// [policy](crate::policy) may say which are accepted.
    pub builder: Option<String>,
}

/// A day in the Gregorian calendar, by UTC. It is written as `2027-01-31`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day {
    year: u16,
    month: u8,
    day: u8,
}

/// The reason why a text is not a day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a day, such as `2027-01-31`")]
pub struct DayError(String);

impl Day {
    /// Returns the day of a time. It is the last that can be written for times after the year 9999, on which no
    /// key counts that expires, and the first for times before 1970.
    #[must_use]
    pub fn of(time: SystemTime) -> Self {
        let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let (mut left, mut year) = (seconds / 86_400, 1970);
        while left >= days(year) {
            if year == 9999 {
                return Self { year, month: 12, day: 31 };
            }
            left -= days(year);
            year += 1;
        }
        let mut month = 1;
        while left >= u64::from(length(year, month)) {
            left -= u64::from(length(year, month));
            month += 1;
        }
        let day = u8::try_from(left + 1).expect("a month has at most 31 days");
        Self { year, month, day }
    }
}

impl FromStr for Day {
    type Err = DayError;

    fn from_str(text: &str) -> Result<Self, DayError> {
        let parse = || {
            let is_date = text.bytes().enumerate().all(|(at, c)| match at {
                4 | 7 => c == b'-',
                _ => c.is_ascii_digit(),
            });
            if text.len() != 10 || !is_date {
                return None;
            }
            let year = text[..4].parse().ok()?;
            let (month, day) = (text[5..7].parse().ok()?, text[8..].parse().ok()?);
            let exists = (1..=12).contains(&month) && (1..=length(year, month)).contains(&day);
            exists.then_some(Self { year, month, day })
        };
        parse().ok_or_else(|| DayError(printable(text, 40)))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn is_leap(year: u16) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days(year: u16) -> u64 {
    if is_leap(year) { 366 } else { 365 }
}

/// Returns the number of days of a month from 1 to 12.
fn length(year: u16, month: u8) -> u8 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_day_of_a_time_is_that_of_the_calendar() {
        // As `date -u -d @SECONDS +%F` has them.
        for (seconds, expect) in [
            (0, "1970-01-01"),
            (86_399, "1970-01-01"),
            (86_400, "1970-01-02"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_798_761_599, "2026-12-31"),
            (1_798_761_600, "2027-01-01"),
            (4_107_542_400, "2100-03-01"),
            (4_107_456_000, "2100-02-28"),
            (253_402_300_799, "9999-12-31"),
            (999_999_999_999, "9999-12-31"),
        ] {
            let day = Day::of(UNIX_EPOCH + Duration::from_secs(seconds));
            assert_eq!(day.to_string(), expect, "{seconds}");
        }
        assert_eq!(Day::of(UNIX_EPOCH - Duration::from_secs(1)).to_string(), "1970-01-01");
    }

    #[test]
    fn a_day_is_written_in_one_way_and_exists() {
        for good in ["2027-01-31", "2028-02-29", "0001-01-01"] {
            assert_eq!(good.parse::<Day>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "2027-1-31",
            "2027-02-29",
            "2027-13-01",
            "2027-00-10",
            "2027-01-00",
            "27-01-31",
            "+027-01-31",
            "2027-01-31Z",
            "2027/01/31",
            "２０２７-01",
        ] {
            assert!(bad.parse::<Day>().is_err(), "{bad}");
        }
        assert!("2026-12-31".parse::<Day>().unwrap() < "2027-01-01".parse().unwrap());
    }
}
