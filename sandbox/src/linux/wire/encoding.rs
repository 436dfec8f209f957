//! Encodes a [`Plan`] as the bytes that the caller sends to the spawner.
//!
//! Numbers have 64 bits in little-endian order. Strings and lists begin with their length. Both
//! sides are the same binary, so the encoding needs no version.

use std::ffi::CString;
use std::time::Duration;

use super::plan::{
    Account, CpuShare, InitLimits, Plan, PlannedKind, PlannedLimits, PlannedMount, TranslationPlan,
};
use crate::{Determinism, Listing, View};

/// Returns the nanoseconds of a duration. They are exact for more than 500 years.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Plan {
    pub(in crate::linux) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer(Vec::with_capacity(4096));
        writer.numbers(&[
            self.account.uid.into(),
            self.account.gid.into(),
            self.account.is_caller.into(),
            self.trial.into(),
            self.has_group.into(),
        ]);
        [&self.programs, &self.argv, &self.env].into_iter().for_each(|list| writer.list(list));
        writer.string(&self.cwd);
        writer.number(self.mounts.len() as u64);
        self.mounts.iter().for_each(|mount| writer.mount(mount));
        writer.limits(&self.limits);
        writer.view(&self.view);
        writer.determinism(self.determinism);
        writer.number(self.translated.is_some().into());
        if let Some(TranslationPlan { copies, is_guarded }) = &self.translated {
            writer.tagged((*is_guarded).into(), &[copies]);
        }
        writer.0
    }

    /// Decodes a plan. Returns `None` if `bytes` do not encode one.
    pub(in crate::linux) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let (uid, gid) = (reader.number()? as u32, reader.number()? as u32);
        let (is_caller, trial, has_group) = (reader.flag()?, reader.flag()?, reader.flag()?);
        let account = Account { uid, gid, is_caller };
        let (programs, argv, env) = (reader.list()?, reader.list()?, reader.list()?);
        let cwd = reader.string()?;
        let count = reader.number()?;
        let mounts = (0..count).map(|_| reader.mount()).collect::<Option<_>>()?;
        let limits = reader.limits()?;
        let view = reader.view()?;
        let determinism = reader.determinism()?;
        let translated = match reader.flag()? {
            true => {
                let is_guarded = reader.flag()?;
                Some(TranslationPlan { copies: reader.string()?, is_guarded })
            }
            false => None,
        };
        Some(Self {
            account,
            programs,
            argv,
            env,
            cwd,
            mounts,
            limits,
            view,
            determinism,
            translated,
            has_group,
            trial,
        })
    }
}

struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn numbers(&mut self, numbers: &[u64]) {
        numbers.iter().for_each(|&number| self.number(number));
    }

    fn optional(&mut self, number: Option<u64>) {
        self.numbers(&[number.is_some().into(), number.unwrap_or(0)]);
    }

    fn string(&mut self, text: &CString) {
        self.bytes(text.as_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn list(&mut self, list: &[CString]) {
        self.number(list.len() as u64);
        list.iter().for_each(|text| self.string(text));
    }

    fn mount(&mut self, mount: &PlannedMount) {
        self.string(&mount.target);
        match &mount.kind {
            PlannedKind::Folder => self.number(0),
            PlannedKind::ReadOnly(source) => self.tagged(1, &[source]),
            PlannedKind::Writable(source) => self.tagged(2, &[source]),
            PlannedKind::Scratch { lower, upper } => self.tagged(3, &[lower, upper]),
            PlannedKind::Symlink(to) => self.tagged(4, &[to]),
        }
    }

    fn tagged(&mut self, tag: u64, strings: &[&CString]) {
        self.number(tag);
        strings.iter().for_each(|text| self.string(text));
    }

    fn view(&mut self, view: &View) {
        let View { user, host, umask, first_process } = view;
        self.numbers(&[(*user).into(), (*umask).into(), (*first_process).into()]);
        self.bytes(host.as_bytes());
    }

    fn determinism(&mut self, determinism: Option<Determinism>) {
        self.number(determinism.is_some().into());
        if let Some(Determinism { epoch, seed, cpus, listing }) = determinism {
            self.numbers(&[epoch, seed, cpus.into(), (listing == Listing::Reversed).into()]);
        }
    }

    fn limits(&mut self, limits: &PlannedLimits) {
        self.optional(limits.bounds.memory);
        self.optional(limits.bounds.timeout.map(nanos));
        self.optional(limits.file_size);
        self.optional(limits.cpus.map(|share| share.first));
        self.optional(limits.cpus.map(|share| share.count));
        self.numbers(&[limits.processes, limits.tmp_bytes, limits.open_files]);
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*number))
    }

    fn flag(&mut self) -> Option<bool> {
        self.number().map(|number| number != 0)
    }

    fn optional(&mut self) -> Option<Option<u64>> {
        let (is_some, number) = (self.flag()?, self.number()?);
        Some(is_some.then_some(number))
    }

    fn string(&mut self) -> Option<CString> {
        let length = usize::try_from(self.number()?).ok()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        CString::new(text).ok()
    }

    fn list(&mut self) -> Option<Vec<CString>> {
        let count = self.number()?;
        (0..count).map(|_| self.string()).collect()
    }

    fn mount(&mut self) -> Option<PlannedMount> {
        let target = self.string()?;
        let kind = match self.number()? {
            0 => PlannedKind::Folder,
            1 => PlannedKind::ReadOnly(self.string()?),
            2 => PlannedKind::Writable(self.string()?),
            3 => PlannedKind::Scratch { lower: self.string()?, upper: self.string()? },
            4 => PlannedKind::Symlink(self.string()?),
            _ => return None,
        };
        Some(PlannedMount { target, kind })
    }

    fn view(&mut self) -> Option<View> {
        let [user, umask, first_process] =
            [self.number()? as u32, self.number()? as u32, self.number()? as u32];
        let host = self.string()?.into_string().ok()?.into();
        Some(View { user, host, umask, first_process })
    }

    fn determinism(&mut self) -> Option<Option<Determinism>> {
        if !self.flag()? {
            return Some(None);
        }
        let (epoch, seed, cpus) = (self.number()?, self.number()?, self.number()? as u32);
        let listing = if self.flag()? { Listing::Reversed } else { Listing::Sorted };
        Some(Some(Determinism { epoch, seed, cpus, listing }))
    }

    fn limits(&mut self) -> Option<PlannedLimits> {
        let (memory, timeout) = (self.optional()?, self.optional()?.map(Duration::from_nanos));
        let (bounds, file_size) = (InitLimits { memory, timeout }, self.optional()?);
        let cpus = self.optional()?.zip(self.optional()?);
        let cpus = cpus.map(|(first, count)| CpuShare { first, count });
        let [processes, tmp_bytes, open_files] = [self.number()?, self.number()?, self.number()?];
        Some(PlannedLimits { bounds, processes, tmp_bytes, file_size, open_files, cpus })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        let text = |text: &str| CString::new(text).unwrap();
        let mount = |target, kind| PlannedMount { target: text(target), kind };
        Plan {
            account: Account { uid: 100_007, gid: 5, is_caller: false },
            programs: vec![text("/usr/bin/cc"), text("/bin/cc")],
            argv: vec![text("cc"), text(""), text(&"x".repeat(300_000))],
            env: vec![text("A=ä")],
            cwd: text("/src"),
            mounts: vec![
                mount("/a", PlannedKind::Folder),
                mount("/b", PlannedKind::ReadOnly(text("/host/b"))),
                mount("/c", PlannedKind::Writable(text("/host/c"))),
                mount("/d", PlannedKind::Scratch { lower: text("/l"), upper: text("/u") }),
                mount("/e", PlannedKind::Symlink(text("b"))),
            ],
            limits: PlannedLimits {
                bounds: InitLimits {
                    memory: Some(1 << 40),
                    timeout: Some(Duration::from_millis(5)),
                },
                processes: 64,
                tmp_bytes: 1 << 30,
                file_size: None,
                open_files: 256,
                cpus: Some(CpuShare { first: 3, count: 2 }),
            },
            view: View { user: 7, host: "a-b".into(), umask: 0o077, first_process: 300 },
            determinism: Some(Determinism {
                seed: u64::MAX,
                listing: Listing::Reversed,
                ..Determinism::at(315_532_800)
            }),
            translated: Some(TranslationPlan { copies: text("/host/programs"), is_guarded: true }),
            has_group: true,
            trial: false,
        }
    }

    #[test]
    fn plans_survive_the_way() {
        let bytes = plan().encode();
        assert_eq!(Plan::decode(&bytes), Some(plan()));
        for length in (0..bytes.len()).step_by(997) {
            assert_eq!(Plan::decode(&bytes[..length]), None, "cut at {length}");
        }
    }
}
