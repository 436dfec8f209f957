//! Describes the two other machines on which a project is built again when its builds are compared.
//!
//! They differ from each other, and from most real machines, in everything that a command can find out about
//! a machine. If a component contains any of that, the comparison shows a difference.

use engine::RerunConditions;
use sandbox::{Determinism, Listing, View};

/// The number of seconds in a day.
const DAY: u64 = 86_400;

/// A simulated machine, on which nothing has been built yet.
#[derive(Debug, Clone)]
pub struct Machine {
    /// The number of the machine, from 1. Its clock is ahead by this number of days.
    pub number: u8,
    /// True if only one action runs at a time.
    pub is_slow: bool,
    /// The conditions that commands see on the machine.
    pub sees: RerunConditions,
}

impl Machine {
    /// Returns both machines. `now` is the time in seconds since 1970.
    pub(crate) fn both(now: u64) -> [Self; 2] {
        [1, 2].map(|number| Self::new(number, now))
    }

    fn new(number: u8, now: u64) -> Self {
        let is_first = number == 1;
        let determinism = Determinism {
            epoch: now + u64::from(number) * DAY,
            seed: number.into(),
            cpus: if is_first { 1 } else { 3 },
            listing: if is_first { Listing::Reversed } else { Listing::Sorted },
        };
        let view = View {
            user: 1000 + u32::from(number),
            host: format!("machine-{number}").into(),
            umask: if is_first { 0o077 } else { 0o002 },
            first_process: 1000 * u32::from(number),
        };
        let language = if is_first { "C" } else { "tr_TR.UTF-8" };
        let zone = if is_first { "<-08>8" } else { "<+1345>-13:45" };
        let user = format!("user-{number}");
        let env = [("LANG", language), ("LC_ALL", language), ("TZ", zone), ("USER", &user)];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Self { number, is_slow: is_first, sees: RerunConditions { determinism, view, env } }
    }
}
