//! Times and sizes, which are written as a number with its unit.

use std::str::FromStr;
use std::time::Duration;

use super::invalid::Invalid;

/// A span of time, such as `90s`, `10m` or `1h`. It is longer than nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub Duration);

/// A number of bytes, such as `512MiB` or `2GiB`. It is more than nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

const TIMES: [(&str, u64); 3] = [("s", 1), ("m", 60), ("h", 3600)];

const SIZES: [(&str, u64); 4] =
    [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

impl FromStr for Time {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let expected = "expected a time like `90s`, `10m` or `1h`";
        let invalid = || Invalid::new(format!("`{text}` is not a time"), expected);
        measured(text, &TIMES).map(Duration::from_secs).map(Self).ok_or_else(invalid)
    }
}

impl FromStr for Size {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let expected = "expected a size like `512MiB` or `2GiB`";
        let invalid = || Invalid::new(format!("`{text}` is not a size"), expected);
        measured(text, &SIZES).map(Self).ok_or_else(invalid)
    }
}

/// Parses a whole number above zero with its unit.
fn measured(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let unit = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = (&text[..unit], text[unit..].trim_start());
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor).filter(|value| *value > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_have_units() {
        assert_eq!("90s".parse(), Ok(Time(Duration::from_secs(90))));
        assert_eq!("2 h".parse(), Ok(Time(Duration::from_secs(7200))));
        assert_eq!("512MiB".parse(), Ok(Size(512 << 20)));
        for text in ["", "90", "s", "0s", "-1s", "1.5h", "1d", "99999999999999999999s"] {
            assert!(text.parse::<Time>().is_err(), "{text}");
        }
        for text in ["2GB", "2G", "GiB", "99999999999TiB"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }
}
