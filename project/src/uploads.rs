//! Remembers which results a shared cache was seen to have, so that a build with nothing to do asks it for none of them.
//!
//! A cache forgets, too, and does not say so. So what it was seen to have counts for an hour, and not at all once it lacks
//! something; after that, the next build asks again, and uploads what is missing. The memory belongs to one cache and one signing key, and lies in the project's
//! private folder, which dies with the checkout. Without it, builds do the same and take longer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use cache::{Digest, reapi};
use engine::ActionKey;
use prost::Message as _;

use crate::Project;

/// The name of the file in the private folder.
const FILE: &str = "uploads";

/// The first line of the file.
const VERSION: &str = "run uploads 1";

/// The largest file that is read, in bytes: a hundred thousand results.
const LONGEST: u64 = 10 << 20;

/// The time for which a cache is believed to have what it was seen to have.
const TRUSTED_FOR: Duration = Duration::from_secs(3600);

/// The results that a shared cache was seen to have. Clones share them.
#[derive(Debug, Clone)]
pub struct Uploads {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    file: PathBuf,
    /// The text that the file begins with.
    head: String,
    /// The seconds since 1970 at which this build began.
    now: u64,
    seen: Mutex<Seen>,
}

/// The times at which results were seen, by the digest of key and result.
#[derive(Debug, Default)]
struct Seen {
    at: BTreeMap<String, u64>,
    is_changed: bool,
}

impl Uploads {
    /// Reads what is remembered of a cache, which has an address and an instance. `signer` is the key that signs what is
    /// uploaded there, and `now` is the present time.
    #[must_use]
    pub fn read(
        project: &Project,
        (address, instance): (&str, &str),
        signer: Option<&str>,
        now: SystemTime,
    ) -> Self {
        let head = format!("{VERSION}\n{address}\n{instance}\n{}\n", signer.unwrap_or_default());
        Self::of_file(project.private_folder().join(FILE), head, now)
    }

    fn of_file(file: PathBuf, head: String, now: SystemTime) -> Self {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let text = cache::read_regular_to_string(&file, LONGEST).unwrap_or_default();
        let lines = text.strip_prefix(&head).unwrap_or_default().lines();
        let entry = |line: &str| {
            let (name, at) = line.split_once(' ')?;
            let at = at.parse().ok()?;
            // What was seen in the future was seen by another clock.
            let is_fresh = now.checked_sub(at).is_some_and(|age| age < TRUSTED_FOR.as_secs());
            is_fresh.then(|| (name.to_owned(), at))
        };
        let seen = Seen { at: lines.filter_map(entry).collect(), is_changed: false };
        Self { shared: Arc::new(Shared { file, head, now, seen: Mutex::new(seen) }) }
    }

    /// Tells if the cache was seen to have exactly this result not long ago.
    pub(crate) fn has(&self, key: &ActionKey, result: &reapi::ActionResult) -> bool {
        self.lock().at.contains_key(&name(key, result))
    }

    /// Notes that the cache has a result with all that belongs to it.
    pub(crate) fn note(&self, key: &ActionKey, result: &reapi::ActionResult) {
        let mut seen = self.lock();
        seen.at.insert(name(key, result), self.shared.now);
        seen.is_changed = true;
    }

    /// Forgets everything, because the cache has lost something.
    pub(crate) fn forget(&self) {
        *self.lock() = Seen { at: BTreeMap::new(), is_changed: true };
    }

    /// Saves what is new. If that fails, the next build asks the cache again.
    pub(crate) fn save(&self, project: &Project) {
        if project.refuse_linked_folder().is_ok() {
            _ = self.write();
        }
    }

    fn write(&self) -> std::io::Result<()> {
        let mut seen = self.lock();
        if std::mem::take(&mut seen.is_changed) {
            let Shared { file, head, .. } = &*self.shared;
            let lines: String = seen.at.iter().map(|(name, at)| format!("{name} {at}\n")).collect();
            std::fs::create_dir_all(file.parent().unwrap_or(Path::new(".")))?;
            // In one step, so that another process never reads half of it, and no link in its place is followed.
            let fresh = file.with_extension(std::process::id().to_string());
            std::fs::write(&fresh, format!("{head}{lines}"))?;
            std::fs::rename(fresh, file)?;
        }
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns a short name for what a result says of an action. Who has made it, and when, is no part of that.
fn name(key: &ActionKey, result: &reapi::ActionResult) -> String {
    let said = reapi::ActionResult { execution_metadata: None, ..result.clone() };
    let bytes = [key.0.hash().as_slice(), &said.encode_to_vec()].concat();
    Digest::of(key.0.function(), &bytes).hex()
}

#[cfg(test)]
mod tests {
    use cache::DigestFunction;

    use super::*;

    #[test]
    fn what_a_cache_was_seen_to_have_counts_for_an_hour_there() {
        let folder = tempfile::tempdir().unwrap();
        let key = |text: &str| ActionKey(Digest::of(DigestFunction::Blake3, text.as_bytes()));
        let result = |exit_code| reapi::ActionResult { exit_code, ..Default::default() };
        let at = |head: &str, seconds: u64| {
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            Uploads::of_file(folder.path().join("private/uploads"), format!("{head}\n"), now)
        };
        let first = at("cache", 10_000);
        assert!(!first.has(&key("a"), &result(0)));
        first.note(&key("a"), &result(0));
        first.write().unwrap();
        let check = |head: &str, seconds, name: &str, code, expect| {
            let has = at(head, seconds).has(&key(name), &result(code));
            assert_eq!(has, expect, "{head} {seconds} {name} {code}");
        };
        check("cache", 10_000, "a", 0, true);
        check("cache", 13_599, "a", 0, true);
        check("cache", 13_600, "a", 0, false);
        check("cache", 9_999, "a", 0, false);
        check("cache", 10_000, "b", 0, false);
        check("cache", 10_000, "a", 1, false);
        check("other", 10_000, "a", 0, false);
        let worker = "somebody".to_owned();
        let metadata = reapi::ExecutedActionMetadata { worker, ..Default::default() };
        let made = reapi::ActionResult { execution_metadata: Some(metadata), ..result(0) };
        assert!(at("cache", 10_000).has(&key("a"), &made), "it says the same");
        // What was seen again counts anew, and the rest is kept as long as it counts.
        let later = at("cache", 13_000);
        later.note(&key("b"), &result(0));
        later.write().unwrap();
        check("cache", 13_500, "a", 0, true);
        check("cache", 13_600, "a", 0, false);
        check("cache", 16_500, "b", 0, true);
        // A cache that has lost something is asked for everything.
        later.forget();
        later.write().unwrap();
        check("cache", 13_500, "b", 0, false);
        // A file of something else is no memory.
        std::fs::write(folder.path().join("private/uploads"), "cache\nx y\nz\n\u{0} 3\n").unwrap();
        check("cache", 10_000, "a", 0, false);
    }
}
