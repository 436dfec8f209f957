//! The limits of the commands that build a component.
//!
//! Only values are read here. The planner puts them into the actions, and the sandbox enforces them.

use std::time::Duration;

use super::invalid::Invalid;
use super::span::Spanned;
use super::table::Reader;

/// The limits of each command, and of each worker, that builds a component. A command without limits of its
/// own may run for one hour; its memory and CPUs are not limited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// The time after which the command is killed.
    pub timeout: Option<Spanned<Duration>>,
    /// The memory, in bytes, that all processes of the command may use together.
    pub memory: Option<Spanned<u64>>,
    /// The number of CPUs that the command sees and may run on.
    pub cpu: Option<Spanned<u16>>,
}

impl Limits {
    pub(super) const KEYS: [&'static str; 3] = ["timeout", "memory", "cpu"];

    pub(super) fn read(reader: &mut Reader<'_, '_>) -> Self {
        Self {
            timeout: reader.value("timeout", timeout),
            memory: reader.value("memory", memory),
            cpu: reader.number("cpu", "number of CPUs", 1024),
        }
    }
}

const TIMES: [(&str, u64); 3] = [("s", 1), ("m", 60), ("h", 3600)];

const SIZES: [(&str, u64); 4] =
    [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

fn timeout(text: &str) -> Result<Duration, Invalid> {
    let invalid = || {
        Invalid::new(format!("`{text}` is not a time"), "expected a time like `90s`, `10m` or `1h`")
    };
    measured(text, &TIMES).map(Duration::from_secs).ok_or_else(invalid)
}

fn memory(text: &str) -> Result<u64, Invalid> {
    let invalid = || {
        Invalid::new(format!("`{text}` is not a size"), "expected a size like `512MiB` or `2GiB`")
    };
    measured(text, &SIZES).ok_or_else(invalid)
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
        assert_eq!(timeout("90s").unwrap(), Duration::from_secs(90));
        assert_eq!(timeout("2 h").unwrap(), Duration::from_secs(7200));
        assert_eq!(memory("512MiB").unwrap(), 512 << 20);
        for text in ["", "90", "s", "0s", "-1s", "1.5h", "1d", "99999999999999999999s"] {
            assert!(timeout(text).is_err(), "{text}");
        }
        for text in ["2GB", "2G", "GiB", "99999999999TiB"] {
            assert!(memory(text).is_err(), "{text}");
        }
    }
}
