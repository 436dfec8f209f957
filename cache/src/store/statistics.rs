//! Counts of how often the store was of use, day by day.
//!
//! They are in one small text file: a line for each day, with the number of the day since 1970 and the counts in the order
//! of [`Counts`]. A line that can't be read is dropped. If the file can't be written, a build goes on without.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;

use rustix::fs::FlockOperation;

use super::disk::DiskStore;
use crate::regular;

/// The number of days that are remembered.
const DAYS: usize = 90;

/// The largest size in bytes of the file.
const LONGEST: u64 = 64 << 10;

/// The numbers of what builds have found in the store and in caches beyond this machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// The number of builds.
    pub builds: u64,
    /// The number of results that were known, wherever they came from.
    pub hits: u64,
    /// The number of these that came from a cache beyond this machine.
    pub remote_hits: u64,
    /// The number of actions that ran.
    pub ran: u64,
    /// The number of bytes that were downloaded from such a cache.
    pub bytes_down: u64,
    /// The number of bytes that were uploaded to such a cache.
    pub bytes_up: u64,
}

impl Counts {
    const fn numbers(&self) -> [u64; 6] {
        let Self { builds, hits, remote_hits, ran, bytes_down, bytes_up } = *self;
        [builds, hits, remote_hits, ran, bytes_down, bytes_up]
    }

    const fn of(numbers: [u64; 6]) -> Self {
        let [builds, hits, remote_hits, ran, bytes_down, bytes_up] = numbers;
        Self { builds, hits, remote_hits, ran, bytes_down, bytes_up }
    }

    /// Adds other counts to these.
    pub fn add(&mut self, other: &Self) {
        let mut numbers = self.numbers();
        for (number, more) in numbers.iter_mut().zip(other.numbers()) {
            *number = number.saturating_add(more);
        }
        *self = Self::of(numbers);
    }
}

impl DiskStore {
    /// Adds to the counts of a day, which is given as the number of days since 1970.
    ///
    /// # Errors
    /// If the file can't be written. The counts are lost then.
    pub fn count(&self, day: u64, counts: &Counts) -> io::Result<()> {
        let lock = File::open(self.root().join("format"))?;
        rustix::fs::flock(&lock, FlockOperation::LockExclusive)?;
        let mut days = self.counts();
        days.entry(day).or_default().add(counts);
        while days.len() > DAYS {
            days.pop_first();
        }
        let line = |(day, counts): (&u64, &Counts)| {
            let numbers = counts.numbers().map(|number| number.to_string());
            format!("{day} {}\n", numbers.join(" "))
        };
        let text: String = days.iter().map(line).collect();
        let mut temp = self.content().inner.session.create_file()?;
        io::Write::write_all(&mut temp.file, text.as_bytes())?;
        temp.replace(&self.layout().statistics())
    }

    /// Returns the counts of the last days, by the number of the day since 1970.
    pub fn counts(&self) -> BTreeMap<u64, Counts> {
        let text = regular::read_own(&self.layout().statistics(), LONGEST).unwrap_or_default();
        String::from_utf8_lossy(&text).lines().filter_map(read_line).collect()
    }
}

fn read_line(line: &str) -> Option<(u64, Counts)> {
    let mut numbers = line.split(' ').map(str::parse::<u64>);
    let day = numbers.next()?.ok()?;
    let numbers: Vec<u64> = numbers.collect::<Result<_, _>>().ok()?;
    Some((day, Counts::of(numbers.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DigestFunction;

    #[test]
    fn counts_add_up_and_old_days_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let open = || DiskStore::open(folder.path(), DigestFunction::Blake3).unwrap();
        let one = Counts { builds: 1, hits: 3, remote_hits: 2, ran: 4, bytes_down: 5, bytes_up: 6 };
        assert_eq!(open().counts().len(), 0);
        std::thread::scope(|scope| {
            (0..4).for_each(|_| _ = scope.spawn(|| open().count(7, &one).unwrap()));
        });
        let four = [one; 3].iter().fold(one, |mut sum, one| {
            sum.add(one);
            sum
        });
        assert_eq!(open().counts(), [(7, four)].into());
        (100..200).for_each(|day| open().count(day, &one).unwrap());
        let counts = open().counts();
        assert_eq!((counts.len(), counts.first_key_value()), (DAYS, Some((&110, &one))));
        std::fs::write(folder.path().join("statistics"), "8 1 2\n9 x\n10 1 2 3 4 5 6\n").unwrap();
        assert_eq!(open().counts().into_keys().collect::<Vec<_>>(), [10]);
    }
}
