//! Reads what comes from outside besides the arguments: the environment, the working directory, the home
//! folder and the user's configuration file. It is read once, and nothing else in the program reads it.
//!
//! None of it gets into an action or a key. It decides where the store lies, how registries are reached, and
//! what the terminal shows.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use cache::DigestFunction;
use serde::Deserialize;

use crate::arguments::{Color, Global, MessageFormat};
use crate::checkout;
use crate::command_error::CommandError;
use crate::completion;
use crate::owner;
use crate::package_registries::RegistryConfig;
use crate::shared_cache::{CacheConfig, ExecutionConfig, ExecutionLayers, Layers};
use crate::ui::{self, Printer};

/// The largest size of the user's configuration file, in bytes.
const LONGEST: u64 = 1 << 20;

/// The settings that come from the environment, the global flags and the user's configuration file.
#[derive(Clone)]
pub(crate) struct Config {
    /// The folder in which the search for the project begins.
    pub(crate) directory: PathBuf,
    /// The folder of the content-addressed store.
    pub(crate) store: PathBuf,
    /// The folder for other files that are this user's and can be made again.
    pub(crate) cache_folder: PathBuf,
    /// The digest function of keys and trees, unless a shared cache speaks another one.
    pub(crate) digest_function: DigestFunction,
    /// The digest function that the user insists on.
    pub(crate) chosen_digest_function: Option<DigestFunction>,
    /// The settings of the shared cache in the environment and in the user's configuration.
    pub(crate) shared_cache: Layers,
    /// The settings of the cluster that executes actions, from the same places.
    pub(crate) execution: ExecutionLayers,
    /// True if a continuous-integration service runs this program (`CI` is set).
    pub(crate) ci: bool,
    /// True if run.lock.toml must not be changed.
    pub(crate) locked: bool,
    /// True if the network must not be used.
    pub(crate) offline: bool,
    /// Prints results and messages, as text or as JSON.
    pub(crate) printer: Printer,
    /// The environment of this process, of which clients of registries (pip, npm, cargo, rustup, apt) get a
    /// part.
    pub(crate) client_environment: BTreeMap<OsString, OsString>,
    /// The names of variables to which files of a checkout may refer, from `RUN_FETCH_VARIABLES` and `[fetch]
    /// variables` of the user's configuration.
    pub(crate) lent_variables: Vec<String>,
    /// The Debian mirror from `[mirrors] debian` of the user's configuration.
    pub(crate) debian_mirror: Option<String>,
    /// The folder of the user's configuration, if there is a home folder.
    pub(crate) folder: Option<PathBuf>,
    /// The registries of the packages of single namespaces, from `[registries]` of the user's configuration.
    pub(crate) package_registries: BTreeMap<String, RegistryConfig>,
    /// The value of `RUN_REGISTRY_URL`.
    pub(crate) registry_url: Option<String>,
    /// The value of `RUN_AUTH_TOKEN`.
    pub(crate) auth_token: Option<String>,
}

/// The content of `$XDG_CONFIG_HOME/run/config.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct UserConfig {
    #[serde(default)]
    store: StoreConfig,
    #[serde(default)]
    mirrors: MirrorConfig,
    #[serde(default)]
    fetch: FetchConfig,
    #[serde(default)]
    cache: CacheConfig,
    #[serde(default)]
    execution: ExecutionConfig,
    #[serde(default)]
    registries: BTreeMap<String, RegistryConfig>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FetchConfig {
    #[serde(default)]
    variables: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoreConfig {
    path: Option<PathBuf>,
    digest_function: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct MirrorConfig {
    debian: Option<String>,
}

impl Config {
    /// Returns the value of an environment variable if it is not empty and valid UTF-8.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        let value = self.client_environment.get(OsStr::new(name))?.to_str()?;
        (!value.is_empty()).then(|| value.to_owned())
    }

    /// Reads the environment and the user's configuration.
    pub(crate) fn load(global: &Global) -> Result<Self, CommandError> {
        let environment = environment();
        ui::mask::learn_environment(&environment);
        ui::mask::learn_files(files_with_logins(&environment));
        let home = Home::of(&environment);
        let directory = working_directory(global)?;
        let printer = printer(global, &environment);
        let file = home.config.filter(|file| is_users(file, &directory, &environment, printer));
        let user = file.as_deref().map(user_config).transpose()?.unwrap_or_default();
        let text = |name: &str| environment.get(OsStr::new(name));
        let function = text("RUN_DIGEST_FUNCTION").and_then(|value| value.to_str());
        let function = function.or(user.store.digest_function.as_deref());
        let parse = |function: &str| {
            function.parse().map_err(|_| {
                CommandError::usage(format!("`{function}` is not a digest function"))
                    .hint("use blake3 or sha256")
            })
        };
        let chosen_digest_function = function.map(parse).transpose()?;
        let folder = file.as_deref().and_then(Path::parent);
        let unicode = |name: &str| text(name).and_then(|value| value.to_str()).map(str::to_owned);
        let default_store = home.cache.as_ref().map(|cache| cache.join("store"));
        let store = user.store.path.or(default_store).ok_or_else(|| {
            CommandError::environment("there is no home folder for the store")
                .hint("set HOME or XDG_CACHE_HOME, or RUN_HOME to an absolute path")
        })?;
        Ok(Self {
            directory,
            cache_folder: home.cache.unwrap_or_else(|| store.clone()),
            store,
            digest_function: chosen_digest_function.unwrap_or_default(),
            chosen_digest_function,
            shared_cache: Layers::new(user.cache, folder, |name| {
                unicode(name).filter(|value| !value.is_empty())
            })?,
            execution: ExecutionLayers::new(user.execution, folder, |name| {
                unicode(name).filter(|value| !value.is_empty())
            })?,
            ci: text("CI")
                .is_some_and(|value| !value.is_empty() && value != "false" && value != "0"),
            locked: global.locked,
            offline: global.offline,
            printer,
            folder: folder.map(Path::to_owned),
            package_registries: user.registries,
            registry_url: unicode("RUN_REGISTRY_URL").filter(|url| !url.is_empty()),
            auth_token: unicode("RUN_AUTH_TOKEN").filter(|token| !token.is_empty()),
            lent_variables: user.fetch.variables.into_iter().chain(lent(&environment)).collect(),
            debian_mirror: user.mirrors.debian,
            client_environment: environment,
        })
    }
}

/// The places of this user's files (XDG Base Directory Specification), as far as the environment names them.
struct Home {
    cache: Option<PathBuf>,
    config: Option<PathBuf>,
}

impl Home {
    fn of(environment: &BTreeMap<OsString, OsString>) -> Self {
        let folder = |name: &str| {
            let value = environment.get(OsStr::new(name))?;
            Some(PathBuf::from(value)).filter(|path| path.is_absolute())
        };
        if let Some(run_home) = folder("RUN_HOME") {
            return Self { config: Some(run_home.join("config.toml")), cache: Some(run_home) };
        }
        let below_home = |variable: &str, fallback: &str| {
            folder(variable).or_else(|| Some(folder("HOME")?.join(fallback)))
        };
        let config = below_home("XDG_CONFIG_HOME", ".config");
        Self {
            cache: below_home("XDG_CACHE_HOME", ".cache").map(|cache| cache.join("run")),
            config: config.map(|config| config.join("run/config.toml")),
        }
    }
}

/// Returns the names in `RUN_FETCH_VARIABLES`, which are separated by commas or blanks.
fn lent(environment: &BTreeMap<OsString, OsString>) -> Vec<String> {
    let names = environment.get(OsStr::new("RUN_FETCH_VARIABLES")).and_then(|names| names.to_str());
    let names = names.unwrap_or_default().split([',', ' ']).map(str::trim);
    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Returns the files in which cargo, npm, pip, git, go, curl, docker and wkg look for the user's logins, as their
/// documentation says.
fn files_with_logins(environment: &BTreeMap<OsString, OsString>) -> Vec<PathBuf> {
    let variable = |name: &str| environment.get(OsStr::new(name)).map(PathBuf::from);
    let home = variable("HOME");
    let below_home = |name: &str| home.as_ref().map(|home| home.join(name));
    let cargo = variable("CARGO_HOME").or_else(|| below_home(".cargo"));
    let config = variable("XDG_CONFIG_HOME").or_else(|| below_home(".config"));
    let named = ["NPM_CONFIG_USERCONFIG", "npm_config_userconfig", "PIP_CONFIG_FILE", "NETRC"];
    let in_home = [
        ".npmrc",
        ".netrc",
        ".git-credentials",
        ".gitconfig",
        ".pip/pip.conf",
        ".docker/config.json",
    ];
    let in_config = [
        "pip/pip.conf",
        "git/credentials",
        "git/config",
        "go/env",
        "run/config.toml",
        "run/logins.toml",
        "wasm-pkg/config.toml",
    ];
    let in_cargo = ["credentials.toml", "credentials", "config.toml", "config"];
    let inside = |folder: Option<PathBuf>, names: &[&str]| -> Vec<PathBuf> {
        folder.map_or(Vec::new(), |folder| names.iter().map(|name| folder.join(name)).collect())
    };
    let mut files: Vec<PathBuf> = named.into_iter().filter_map(variable).collect();
    files.extend(inside(home.clone(), &in_home));
    files.extend(inside(config, &in_config));
    files.extend(inside(cargo, &in_cargo));
    files.extend(inside(variable("RUN_HOME"), &["config.toml", "logins.toml"]));
    files.extend(inside(variable("DOCKER_CONFIG"), &["config.json"]));
    files
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
fn environment() -> BTreeMap<OsString, OsString> {
    std::env::vars_os().collect()
}

/// Returns the shell that asks for completions, if this process was started for that.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub(crate) fn completion_shell() -> Option<String> {
    std::env::var(completion::VARIABLE).ok().filter(|shell| !shell.is_empty())
}

/// Returns the folder in which this process was started.
#[expect(clippy::disallowed_methods, reason = "this is the one place that asks where it runs")]
pub(crate) fn current_directory() -> Result<PathBuf, CommandError> {
    std::env::current_dir().map_err(|source| {
        CommandError::environment("the working directory is gone").caused_by(&source)
    })
}

/// Returns the path of this program, for a line that starts it again.
pub(crate) fn this_program() -> OsString {
    std::env::current_exe().map_or_else(|_| "run".into(), PathBuf::into_os_string)
}

/// Returns the folder for files that nobody needs for long (`TMPDIR`).
pub(crate) fn temporary_folder() -> PathBuf {
    std::env::temp_dir()
}

/// Returns the folder to work in: the one given by `-C`, or the one in which this process was started.
pub(crate) fn working_directory(global: &Global) -> Result<PathBuf, CommandError> {
    let current = current_directory()?;
    let Some(wanted) = &global.directory else { return Ok(current) };
    let wanted = current.join(wanted);
    std::fs::canonicalize(&wanted).map_err(|source| {
        CommandError::usage(format!("cannot enter `{}`", wanted.display())).caused_by(&source)
    })
}

/// Returns false, with a warning, if the configuration file lies in the checkout. With such a file, the
/// author of the checkout could choose where toolchains come from and which variables of the environment are
/// sent there.
fn is_users(
    file: &Path,
    directory: &Path,
    environment: &BTreeMap<OsString, OsString>,
    printer: Printer,
) -> bool {
    // Most users have no such file. Then the checkout need not be searched for at every start.
    let missing = |error: std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
    if file.symlink_metadata().is_err_and(missing) {
        return true;
    }
    let home = environment.get(OsStr::new("HOME")).map(Path::new);
    let held = checkout::holds(home, directory, file);
    if held && file.exists() {
        printer.warning(&format!(
            "{} is part of the checkout, so it is not read: a checkout must not configure the builds of its users; \
             keep only the store there, with XDG_CACHE_HOME, and put the configuration into $XDG_CONFIG_HOME/run/config.toml",
            file.display()
        ));
    }
    !held
}

fn user_config(path: &Path) -> Result<UserConfig, CommandError> {
    let text = match cache::read_regular_to_string(path, LONGEST) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(UserConfig::default());
        }
        Err(source) => {
            let message = format!("cannot read {}", path.display());
            return Err(match path.parent().and_then(owner::of_closed) {
                Some(closed) => CommandError::environment(message).hint(closed.hint()),
                None => CommandError::usage(message),
            }
            .caused_by(&source));
        }
    };
    toml::from_str(&text).map_err(|source| {
        let mut error = CommandError::usage(format!(
            "{} is not a valid configuration file of run",
            path.display()
        ));
        // The cause quotes the line that is wrong.
        error.causes.push(rules::BrokenToml::from(source).to_string());
        error
    })
}

/// Decides how to print: flags count first, then NO_COLOR, CLICOLOR_FORCE and TERM=dumb.
fn printer(global: &Global, environment: &BTreeMap<OsString, OsString>) -> Printer {
    let set = |name: &str| environment.get(OsStr::new(name)).is_some_and(|v| !v.is_empty());
    let dumb = environment.get(OsStr::new("TERM")).is_none_or(|term| term == "dumb");
    let terminal = std::io::stderr().is_terminal();
    let color = match global.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => !set("NO_COLOR") && (set("CLICOLOR_FORCE") || terminal && !dumb),
    };
    Printer {
        color,
        live: terminal && !dumb && !set("CI") && !global.quiet,
        json: global.message_format == MessageFormat::Json,
        verbosity: if global.quiet { -1 } else { i8::try_from(global.verbose).unwrap_or(i8::MAX) },
    }
}
