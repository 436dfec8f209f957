//! Defines the reports by which the caller hears of a command. They have one fixed size, so the
//! cloned process can write them without asking for memory.

use std::time::Duration;

use super::step::{Failure, Step};
use crate::linux::sys::Usage;

/// Tells the caller what has happened to a command, or to the spawner while that starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::linux) enum Report {
    /// The spawner lives in a user namespace and waits until the caller has mapped its users.
    Unshared,
    /// The spawner waits for requests.
    Ready,
    /// Process 1 of the command exists. Its descriptor comes with this report.
    Started,
    /// The set-up failed.
    Failed(Failure),
    /// The program ended, with this wait status.
    Ended(i32),
    /// The command used too much memory and was killed.
    OutOfMemory,
    /// The command took too long and was killed.
    TimedOut,
    /// Every process of the command is dead, and this is what they used. This is always the last
    /// report.
    Reaped(Usage),
}

/// A report has this many bytes.
pub(super) const REPORT_SIZE: usize = 32;

impl Report {
    pub(in crate::linux) fn encode(self) -> [u8; REPORT_SIZE] {
        let numbers = match self {
            Self::Unshared => [0, 0, 0, 0],
            Self::Ready => [1, 0, 0, 0],
            Self::Started => [2, 0, 0, 0],
            Self::Failed(Failure { step, index, errno }) => {
                [3, step as u64, index.into(), errno as u64]
            }
            Self::Ended(status) => [4, status as u64, 0, 0],
            Self::OutOfMemory => [5, 0, 0, 0],
            Self::TimedOut => [7, 0, 0, 0],
            Self::Reaped(usage) => [6, micros(usage.user), micros(usage.system), usage.max_rss],
        };
        let mut bytes = [0; REPORT_SIZE];
        for (place, number) in bytes.chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    /// Decodes a report. Returns `None` if `bytes` do not encode one.
    pub(in crate::linux) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; REPORT_SIZE] = bytes.first_chunk()?;
        let number =
            |place: usize| bytes[8 * place..].first_chunk().map_or(0, |it| u64::from_le_bytes(*it));
        let numbers = [number(0), number(1), number(2), number(3)];
        Some(match numbers {
            [0, ..] => Self::Unshared,
            [1, ..] => Self::Ready,
            [2, ..] => Self::Started,
            [3, step, index, errno] => Self::Failed(Failure {
                step: Step::try_from(u8::try_from(step).ok()?).ok()?,
                index: index as u32,
                errno: errno as i32,
            }),
            [4, status, ..] => Self::Ended(status as i32),
            [5, ..] => Self::OutOfMemory,
            [7, ..] => Self::TimedOut,
            [6, user, system, max_rss] => Self::Reaped(Usage {
                user: Duration::from_micros(user),
                system: Duration::from_micros(system),
                max_rss,
            }),
            _ => return None,
        })
    }
}

fn micros(duration: Duration) -> u64 {
    duration.as_micros() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_survive_the_way() {
        let usage = Usage {
            user: Duration::from_micros(1),
            system: Duration::from_secs(2),
            max_rss: u64::MAX,
        };
        let failure = Failure { step: Step::Execute, index: 3, errno: 2 };
        for report in [
            Report::Unshared,
            Report::Ready,
            Report::Started,
            Report::Failed(failure),
            Report::Ended(-1),
            Report::OutOfMemory,
            Report::TimedOut,
            Report::Reaped(usage),
        ] {
            assert_eq!(Report::decode(&report.encode()), Some(report));
        }
        assert_eq!(Report::decode(&[9; REPORT_SIZE]), None);
        assert_eq!(Report::decode(&[]), None);
    }
}
