//! Hears of changes from the operating system.
//!
//! One thread owns the watches. It watches each folder on its own and not the whole tree, because tools fill folders such
//! as `target` with thousands of others. A new folder is watched as soon as it is heard of, and what it has by then counts as
//! changed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use notify::event::{AccessKind, AccessMode, EventKind, MetadataKind, ModifyKind};
use notify::{ErrorKind, Event, RecommendedWatcher, RecursiveMode, Watcher as _};

use super::{Area, Changes, Urgency};

/// The error that the operating system does not tell of changes.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// There is no watcher.
    #[error("cannot watch files")]
    Start(#[source] notify::Error),
    /// There is no thread for it.
    #[error("cannot start the thread that watches files")]
    Thread(#[source] std::io::Error),
}

/// Follows the changes of an area, until it is dropped.
pub(crate) struct Follower {
    messages: Sender<Message>,
    thread: Option<JoinHandle<()>>,
}

enum Message {
    Event(notify::Result<Event>),
    Learn { outputs: PathBuf, inputs: Arc<BTreeSet<PathBuf>> },
    Stop,
}

/// Takes a warning for the user.
pub(crate) type Warn = Box<dyn Fn(&str) + Send>;

impl Follower {
    /// Begins to follow the changes of a project. What happens after the return is heard of.
    pub(crate) fn new(area: Area, changes: Arc<Changes>, warn: Warn) -> Result<Self, WatchError> {
        let (messages, inbox) = channel();
        let tell = Mutex::new(messages.clone());
        let handler = move |event| {
            // If the thread has ended, nobody wants to hear of it.
            let _ = tell.lock().unwrap_or_else(PoisonError::into_inner).send(Message::Event(event));
        };
        let watcher = notify::recommended_watcher(handler).map_err(WatchError::Start)?;
        let mut watches =
            Watches { watcher, area, changes, warn, watched: BTreeSet::new(), is_full: false };
        let project = watches.area.project().to_owned();
        watches.watch_below(&project);
        let follow = move || watches.follow(&inbox);
        let thread = std::thread::Builder::new().name("watch".to_owned()).spawn(follow);
        Ok(Self { messages, thread: Some(thread.map_err(WatchError::Thread)?) })
    }

    /// Takes note of the folder that builds write to, and of the files that the last build depended on.
    pub(crate) fn learn(&self, outputs: PathBuf, inputs: Arc<BTreeSet<PathBuf>>) {
        let _ = self.messages.send(Message::Learn { outputs, inputs });
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.messages.send(Message::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The watches of the operating system.
struct Watches {
    watcher: RecommendedWatcher,
    area: Area,
    changes: Arc<Changes>,
    warn: Warn,
    watched: BTreeSet<PathBuf>,
    /// True if the user was told that there are no more watches.
    is_full: bool,
}

impl Watches {
    fn follow(mut self, inbox: &Receiver<Message>) {
        while let Ok(message) = inbox.recv() {
            match message {
                Message::Event(Ok(event)) => self.event(event),
                Message::Event(Err(error)) => self.failed(&error),
                Message::Learn { outputs, inputs } => self.learn(outputs, inputs),
                Message::Stop => return,
            }
        }
    }

    fn learn(&mut self, outputs: PathBuf, inputs: Arc<BTreeSet<PathBuf>>) {
        self.area.learn(outputs, inputs);
        for folder in self.area.further_folders().clone() {
            self.watch(&folder);
        }
    }

    fn event(&mut self, event: Event) {
        if event.need_rescan() {
            // The system has lost events, so anything may have changed.
            let project = self.area.project().to_owned();
            self.watched.clear();
            self.watch_below(&project);
            self.changes.note([project.join("run.toml")], Urgency::High);
            return;
        }
        if !is_change(event.kind) {
            return;
        }
        for path in event.paths {
            let is_moved = matches!(event.kind, EventKind::Modify(ModifyKind::Name(_)));
            if (is_moved || matches!(event.kind, EventKind::Remove(_)))
                && self.watched.contains(&path)
            {
                // The folders in it have gone with it, or tell of their old paths.
                self.watched.retain(|watched| !watched.starts_with(&path));
            }
            let is_folder = fs::symlink_metadata(&path).is_ok_and(|it| it.is_dir());
            if is_folder && !self.watched.contains(&path) && self.area.is_open(&path) {
                let found = self.watch_below(&path);
                self.note(found);
            }
            self.note([path]);
        }
    }

    fn note(&self, paths: impl IntoIterator<Item = PathBuf>) {
        for path in paths {
            if let Some(urgency) = self.area.urgency(&path) {
                self.changes.note([path], urgency);
            }
        }
    }

    /// Watches a folder and those in it. Returns the files that it has found.
    fn watch_below(&mut self, folder: &Path) -> Vec<PathBuf> {
        let (mut found, mut next) = (Vec::new(), vec![folder.to_owned()]);
        while let Some(folder) = next.pop() {
            // The watch comes first, so that nothing is missed between the two.
            self.watch(&folder);
            // A folder that is gone again or can't be read has no files for a build either.
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let path = entry.path();
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() && self.area.is_open(&path) => next.push(path),
                    Ok(kind) if kind.is_dir() => {}
                    _ => found.push(path),
                }
            }
        }
        found
    }

    fn watch(&mut self, folder: &Path) {
        if self.watched.contains(folder) {
            return;
        }
        match self.watcher.watch(folder, RecursiveMode::NonRecursive) {
            Ok(()) => _ = self.watched.insert(folder.to_owned()),
            Err(error) => self.failed(&error),
        }
    }

    fn failed(&mut self, error: &notify::Error) {
        match &error.kind {
            ErrorKind::PathNotFound => {}
            ErrorKind::Io(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            ErrorKind::MaxFilesWatch if self.is_full => {}
            ErrorKind::MaxFilesWatch => {
                self.is_full = true;
                (self.warn)(
                    "this machine allows no more watches, so edits in some folders are not noticed; \
                     raise the limit: sysctl fs.inotify.max_user_watches=524288",
                );
            }
            _ => (self.warn)(&format!("edits of some files may not be noticed: {error}")),
        }
    }
}

/// Tells if an event says that a file may have other content, or another mode.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        EventKind::Modify(ModifyKind::Metadata(MetadataKind::AccessTime)) => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Waits for the next changes, and returns their paths relative to the folder.
    fn next(changes: &Changes, folder: &Path) -> Vec<String> {
        let (changed, _) = changes.wait().unwrap();
        changes.built(None);
        let inside = changed.paths.iter().map(|path| path.strip_prefix(folder).unwrap());
        inside.map(|path| path.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn edits_are_heard_of_in_new_folders_too() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        let write = |path: &str| {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        };
        write("src/lib.rs");
        write("target/debug/x");
        let changes = Arc::new(Changes::default());
        let warn: Warn = Box::new(|text| panic!("{text}"));
        let follower =
            Follower::new(Area::new(folder.clone()), Arc::clone(&changes), warn).unwrap();
        write("src/lib.rs");
        assert_eq!(next(&changes, &folder), ["src/lib.rs"]);
        write("src/a/b/new.rs");
        let heard = next(&changes, &folder);
        assert!(heard.contains(&"src/a/b/new.rs".to_owned()), "{heard:?}");
        write("target/debug/x");
        write(".run/state");
        std::thread::sleep(Duration::from_millis(100));
        write("src/a/b/new.rs");
        assert_eq!(next(&changes, &folder), ["src/a/b/new.rs"]);
        let inputs = BTreeSet::from([folder.join("target/debug/x")]);
        follower.learn(folder.join("dist"), Arc::new(inputs));
        // The thread takes messages one after the other, and this edit is heard of after the lesson.
        write("src/lib.rs");
        assert_eq!(next(&changes, &folder), ["src/lib.rs"]);
        write("target/debug/x");
        assert_eq!(next(&changes, &folder), ["target/debug/x"]);
        fs::rename(folder.join("src"), folder.join("lib")).unwrap();
        next(&changes, &folder);
        write("lib/a/b/new.rs");
        let heard = next(&changes, &folder);
        assert!(heard.contains(&"lib/a/b/new.rs".to_owned()), "{heard:?}");
    }
}
