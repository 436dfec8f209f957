//! Chooses the user of the host that a command runs as, and finds out which rights the caller has.
//!
//! Inside the sandbox, user and group are those of the [view](crate::View). On the host, the
//! command runs as the caller if that is an ordinary user. If the caller is root, the command must
//! run as somebody else, because root owns the files of `/proc/sys` and can write to them without
//! any capability. Then each running command has its own user, whom nobody else uses.

use std::fs;
use std::ops::Range;
use std::sync::{Condvar, Mutex, PoisonError};

use rustix::process::{getegid, geteuid};
use rustix::thread::{CapabilitySet, capabilities};

use crate::Cause;
use crate::linux::wire::greeting::Rights;
use crate::linux::wire::plan::Account;

/// Root can run this many commands at one time.
const SLOTS: u32 = 4096;

/// Commands that root runs get the users from this number on, if they are free.
const FIRST_USER: u32 = 100_000;

/// Holds what the caller may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// The accounts that the commands run as.
    accounts: Accounts,
    /// The source of the spawner's right to mount.
    pub rights: Rights,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Accounts {
    Caller { uid: u32, gid: u32 },
    Own { first_uid: u32, first_gid: u32 },
}

impl Identity {
    /// Finds out the rights of this process.
    pub(super) fn of_caller() -> Result<Self, Cause> {
        let mounting =
            CapabilitySet::SYS_ADMIN | CapabilitySet::SYS_CHROOT | CapabilitySet::DAC_OVERRIDE;
        // It takes SETFCAP to map root.
        let mapping = CapabilitySet::SETUID
            | CapabilitySet::SETGID
            | CapabilitySet::SETFCAP
            | CapabilitySet::CHOWN;
        let held = capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
        let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
        let caller = Accounts::Caller { uid, gid };
        if uid != 0 {
            return Ok(Self { accounts: caller, rights: Rights::UserNamespace });
        }
        let uids = IdMap::read("/proc/self/uid_map");
        let gids = IdMap::read("/proc/self/gid_map");
        if let (true, Some(first_uid), Some(first_gid)) =
            (held.contains(mapping), uids.room(), gids.room())
        {
            let accounts = Accounts::Own { first_uid, first_gid };
            let may_mount = held.contains(mounting);
            let rights = if may_mount { Rights::Own } else { Rights::UserNamespace };
            return Ok(Self { accounts, rights });
        }
        match uids.is_root_outside() {
            true => Err(Cause::RootWithoutUsers),
            false => Ok(Self { accounts: caller, rights: Rights::UserNamespace }),
        }
    }

    /// Returns the identity of a sandbox without namespaces: commands run as the caller, and
    /// nothing is mounted.
    pub(super) fn without_namespaces() -> Self {
        let accounts = Accounts::Caller { uid: geteuid().as_raw(), gid: getegid().as_raw() };
        Self { accounts, rights: Rights::None }
    }

    /// Returns the account for the command in this slot.
    pub(super) fn account(&self, slot: u32) -> Account {
        match self.accounts {
            Accounts::Caller { uid, gid } => Account { uid, gid, is_caller: true },
            Accounts::Own { first_uid, first_gid } => {
                Account { uid: first_uid + slot, gid: first_gid + slot, is_caller: false }
            }
        }
    }

    /// Returns the `uid_map` and `gid_map` of the spawner's user namespace, in which every user
    /// keeps its number.
    pub(super) fn spawner_maps(&self) -> (String, String) {
        match self.accounts {
            Accounts::Caller { uid, gid } => (format!("{uid} {uid} 1"), format!("{gid} {gid} 1")),
            Accounts::Own { .. } => (
                IdMap::read("/proc/self/uid_map").identity(),
                IdMap::read("/proc/self/gid_map").identity(),
            ),
        }
    }
}

/// Holds the map of a user namespace: ranges of ids inside, and the id outside at which each
/// begins.
struct IdMap(Vec<(Range<u32>, u32)>);

impl IdMap {
    /// Reads a map. A process whose map can't be read maps no ids.
    fn read(file: &str) -> Self {
        Self::parse(&fs::read_to_string(file).unwrap_or_default())
    }

    fn parse(text: &str) -> Self {
        let line = |line: &str| {
            let mut numbers = line.split_whitespace().map(|number| number.parse::<u32>().ok());
            let (inside, outside, count) = (numbers.next()??, numbers.next()??, numbers.next()??);
            Some((inside..inside.checked_add(count)?, outside))
        };
        Self(text.lines().filter_map(line).collect())
    }

    /// Returns the first of [`SLOTS`] consecutive mapped ids: the usual one, or one near the end of
    /// a range that is large enough.
    fn room(&self) -> Option<u32> {
        let usual = |range: &Range<u32>| {
            range.contains(&FIRST_USER) && range.contains(&(FIRST_USER + SLOTS))
        };
        if self.0.iter().any(|(range, _)| usual(range)) {
            return Some(FIRST_USER);
        }
        let enough = |range: &&Range<u32>| range.len() as u32 >= 4 * SLOTS;
        let end =
            self.0.iter().map(|(range, _)| range).filter(enough).map(|range| range.end).max()?;
        Some(end - 2 * SLOTS)
    }

    /// Returns whether root of this namespace may be root of the machine. If that is unknown, it
    /// may be.
    fn is_root_outside(&self) -> bool {
        !self.0.iter().any(|(range, outside)| range.start == 0 && *outside != 0)
    }

    fn identity(&self) -> String {
        let line =
            |(range, _): &(Range<u32>, u32)| format!("{0} {0} {1}\n", range.start, range.len());
        self.0.iter().map(line).collect()
    }
}

/// Numbers the commands that run at the same time.
#[derive(Debug, Default)]
pub(super) struct Slots {
    taken: Mutex<Vec<bool>>,
    freed: Condvar,
}

/// Holds a number that no other running command has.
#[derive(Debug)]
pub(super) struct Slot<'a> {
    slots: &'a Slots,
    pub number: u32,
}

impl Slots {
    /// Takes the smallest free number, and waits for one if all are taken.
    pub(super) fn take(&self) -> Slot<'_> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let index = loop {
            if let Some(index) = taken.iter().position(|taken| !taken) {
                taken[index] = true;
                break index;
            }
            if taken.len() < SLOTS as usize {
                taken.push(true);
                break taken.len() - 1;
            }
            taken = self.freed.wait(taken).unwrap_or_else(PoisonError::into_inner);
        };
        Slot { slots: self, number: index as u32 }
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut taken = self.slots.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken[self.number as usize] = false;
        self.slots.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps() {
        let check = |text: &str, room, root_outside, identity: &str| {
            let map = IdMap::parse(text);
            assert_eq!(map.room(), room, "{text}");
            assert_eq!(map.is_root_outside(), root_outside, "{text}");
            assert_eq!(map.identity(), identity, "{text}");
        };
        // These are the maps of a machine, of a rootless container with subordinate ids, and of
        // `unshare --map-root-user` as a user and as root.
        check("0 0 4294967295", Some(100_000), true, "0 0 4294967295\n");
        check("0 1000 1\n1 100000 65536", Some(57345), false, "0 0 1\n1 1 65536\n");
        check("0 1000 1", None, false, "0 0 1\n");
        check("0 0 1", None, true, "0 0 1\n");
        check("", None, true, "");
    }

    #[test]
    fn slots_are_reused() {
        let slots = Slots::default();
        let (first, second) = (slots.take(), slots.take());
        assert_eq!((first.number, second.number), (0, 1));
        drop(first);
        assert_eq!(slots.take().number, 0);
    }
}
