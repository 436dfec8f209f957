//! The settings of run.toml that change while the server runs.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rules::manifest::{Dev, LogLevel};

/// The settings of `[dev]` that everything follows at once.
#[derive(Debug)]
pub(crate) struct Knobs {
    level: AtomicUsize,
    is_live: AtomicBool,
}

impl Default for Knobs {
    fn default() -> Self {
        let knobs = Self { level: AtomicUsize::new(0), is_live: AtomicBool::new(true) };
        knobs.follow(&Dev::default());
        knobs
    }
}

impl Knobs {
    /// Takes the settings of a run.toml.
    pub(crate) fn follow(&self, dev: &Dev) {
        let level = LogLevel::ALL.iter().position(|level| *level == dev.log_level.value);
        self.level.store(level.unwrap_or_default(), Ordering::Relaxed);
        self.is_live.store(dev.hot_reload.value, Ordering::Relaxed);
    }

    /// Returns the amount that is logged.
    pub(crate) fn level(&self) -> LogLevel {
        LogLevel::ALL.get(self.level.load(Ordering::Relaxed)).copied().unwrap_or(LogLevel::Info)
    }

    /// Tells if changed components are put into service at once.
    pub(crate) fn is_live(&self) -> bool {
        self.is_live.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use rules::manifest::Setting;

    use super::*;

    #[test]
    fn every_level_is_kept() {
        let knobs = Knobs::default();
        assert_eq!((knobs.level(), knobs.is_live()), (LogLevel::Info, true));
        for level in LogLevel::ALL {
            let (log_level, hot_reload) = (Setting::implied(*level), Setting::implied(false));
            knobs.follow(&Dev { log_level, hot_reload, ..Dev::default() });
            assert_eq!((knobs.level(), knobs.is_live()), (*level, false));
        }
    }
}
