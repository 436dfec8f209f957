//! Reads `[dev]`: the settings of the development server.
//!
//! It knows the default of each setting, but nothing of the server.

use super::choice::LogLevel;
use super::pattern::Pattern;
use super::span::{Setting, Spanned};
use super::table::Reader;

/// The settings of the development server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dev {
    /// Patterns of files to watch, in addition to the sources of the components.
    pub watch: Vec<Spanned<Pattern>>,
    /// True if a changed component is put into service at once.
    pub hot_reload: Setting<bool>,
    /// The TCP port to listen on, never 0.
    pub port: Setting<u16>,
    /// The amount that the server logs.
    pub log_level: Setting<LogLevel>,
}

impl Default for Dev {
    fn default() -> Self {
        Self {
            watch: Vec::new(),
            hot_reload: Setting::implied(true),
            port: Setting::implied(3000),
            log_level: Setting::implied(LogLevel::Info),
        }
    }
}

/// Reads `[dev]`.
pub(super) fn read(reader: &mut Reader<'_, '_>) -> Dev {
    let default = Dev::default();
    Dev {
        watch: reader.list("watch"),
        hot_reload: Setting::or(reader.flag("hot_reload"), default.hot_reload.value),
        port: Setting::or(reader.port("port"), default.port.value),
        log_level: Setting::or(reader.parse("log_level"), default.log_level.value),
    }
}
