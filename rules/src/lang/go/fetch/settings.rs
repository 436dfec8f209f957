//! Reads the user's settings for fetching modules: the go command's own settings, from the places where it
//! finds them.
//!
//! A setting is a variable of the environment, else a line of the user's file (`go env -w`), else a line of
//! the toolchain's `go.env`. Of the last one only GOPROXY counts: an image may say where modules come from,
//! and nothing more. Nothing of a project is read.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};

use super::netrc::{self, Machine};
use crate::package::HttpError;
use crate::package::environment::Variables;
use crate::package::fetch::read_file;

/// The largest size of a file of settings or of logins, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// The place of the toolchain's file of settings in its image.
const IN_IMAGE: &str = "usr/lib/go/go.env";

/// The settings that decide about fetching.
#[derive(Debug, Default)]
pub(super) struct Settings {
    environment: BTreeMap<String, String>,
    users: BTreeMap<String, String>,
    images: BTreeMap<String, String>,
    /// The user's home.
    home: Option<PathBuf>,
}

impl Settings {
    /// Reads all settings; `image` is the toolchain's image on disk.
    ///
    /// # Errors
    /// The user's file is there and can't be read.
    pub(super) fn read(variables: &Variables, image: &Path) -> Result<Self, HttpError> {
        let text = |(name, value): (&std::ffi::OsString, &std::ffi::OsString)| {
            Some((name.to_str()?.to_owned(), value.to_str()?.to_owned()))
        };
        // An empty variable is treated as absent, as the go command does.
        let set = variables.iter().filter_map(text).filter(|(_, value)| !value.is_empty());
        let home = variables.get(OsStr::new("HOME")).map(PathBuf::from);
        let mut settings = Self { environment: set.collect(), home, ..Self::default() };
        if let Some(file) = settings.users_file() {
            settings.users = parse(&optional(&file)?);
        }
        settings.images = parse(&inside(image, IN_IMAGE).unwrap_or_default());
        settings.images.retain(|name, _| name == "GOPROXY");
        Ok(settings)
    }

    /// Returns the value of a setting, if it has one.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let places = [&self.environment, &self.users, &self.images];
        places.into_iter().find_map(|place| place.get(name)).map(String::as_str)
    }

    /// Returns the patterns of modules that no proxy may hear of.
    pub(super) fn private(&self) -> &str {
        self.get("GONOPROXY").or_else(|| self.get("GOPRIVATE")).unwrap_or_default()
    }

    /// Returns the name of the setting that [`private`](Self::private) reads.
    pub(super) fn private_name(&self) -> &'static str {
        if self.get("GONOPROXY").is_some() { "GONOPROXY" } else { "GOPRIVATE" }
    }

    /// Returns the folder of the modules that the user's go has downloaded (`go help goproxy`, GOMODCACHE).
    pub(super) fn module_cache(&self) -> Option<PathBuf> {
        if let Some(folder) = self.get("GOMODCACHE") {
            return Some(folder.into());
        }
        let path = self.get("GOPATH").and_then(|path| std::env::split_paths(path).next());
        Some(path.or_else(|| Some(self.home.as_ref()?.join("go")))?.join("pkg/mod"))
    }

    /// Returns true if logins are to be found by programs that the user names (`go help goauth`).
    pub(super) fn has_login_programs(&self) -> bool {
        self.login_methods().any(|method| !matches!(method, "netrc" | "off"))
    }

    /// Returns the logins of the user's netrc file, if they are to be used.
    ///
    /// # Errors
    /// The file is there and can't be read.
    pub(super) fn logins(&self) -> Result<Vec<Machine>, HttpError> {
        if !self.login_methods().any(|method| method == "netrc") {
            return Ok(Vec::new());
        }
        let named = self.environment.get("NETRC").map(PathBuf::from);
        let file = named.or_else(|| Some(self.home.as_ref()?.join(".netrc")));
        Ok(file
            .map(|file| optional(&file))
            .transpose()?
            .map_or_else(Vec::new, |t| netrc::parse(&t)))
    }

    fn login_methods(&self) -> impl Iterator<Item = &str> {
        let methods = self.get("GOAUTH").unwrap_or("netrc").split(';');
        methods.filter_map(|method| method.split_whitespace().next())
    }

    fn users_file(&self) -> Option<PathBuf> {
        match self.environment.get("GOENV").map(String::as_str) {
            Some("off") => None,
            Some(file) => Some(file.into()),
            None => {
                let named = self.environment.get("XDG_CONFIG_HOME").map(PathBuf::from);
                let folder = named.filter(|folder| folder.is_absolute());
                let folder = folder.or_else(|| Some(self.home.as_ref()?.join(".config")))?;
                Some(folder.join("go/env"))
            }
        }
    }
}

/// Returns the text of a file of the user's; empty if there is none.
fn optional(file: &Path) -> Result<String, HttpError> {
    match read_file(file, MAX_FILE) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.is_absence() => Ok(String::new()),
        Err(error) => Err(error),
    }
}

/// Returns the text of a file of an image, if the image has it. A link in the image can't lead to a file
/// outside.
fn inside(image: &Path, path: &str) -> Option<String> {
    let folder = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::openat(CWD, image, folder, Mode::empty()).ok()?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let file = rustix::fs::openat2(root, path, flags, Mode::empty(), resolve).ok()?;
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(
        &mut std::io::Read::take(std::fs::File::from(file), MAX_FILE),
        &mut bytes,
    )
    .ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Reads the lines `NAME=value` of a file of settings. All other lines are comments.
fn parse(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()));
    let pairs = lines.filter_map(|line| line.trim_end().split_once('='));
    let set = pairs.filter(|(_, value)| !value.is_empty());
    set.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Returns settings that come from an environment alone.
    pub(in crate::lang::go) fn settings(environment: &[(&str, &str)]) -> Settings {
        let environment = environment.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Settings { environment: environment.collect(), ..Settings::default() }
    }

    #[test]
    fn the_environment_goes_before_the_users_file_and_that_before_the_images() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("home/.config/go/env", "# ours\nGOPROXY=of-user\nGOPRIVATE=a.org\n=x\nGOAUTH=\n");
        write("image/usr/lib/go/go.env", "GOPROXY=of-image\nGOAUTH=/bin/evil\nGONOPROXY=b.org\n");
        let check = |own: &[(&str, &str)], name: &str, expect: Option<&str>| {
            let home = dir.path().join("home").into_os_string();
            let mut variables = Variables::from([("HOME".into(), home)]);
            variables.extend(own.iter().map(|(name, value)| ((*name).into(), (*value).into())));
            let settings = Settings::read(&variables, &dir.path().join("image")).unwrap();
            assert_eq!(settings.get(name), expect, "{name} {own:?}");
        };
        check(&[("GOPROXY", "of-environment")], "GOPROXY", Some("of-environment"));
        check(&[("GOPROXY", "")], "GOPROXY", Some("of-user"));
        check(&[("GOENV", "off")], "GOPROXY", Some("of-image"));
        check(&[("GOENV", "/nowhere/env")], "GOPROXY", Some("of-image"));
        let config = dir.path().join("home/.config");
        let config = config.to_str().unwrap();
        check(&[("HOME", "/nowhere"), ("XDG_CONFIG_HOME", config)], "GOPRIVATE", Some("a.org"));
        // An image chooses where modules come from, and nothing else.
        check(&[("GOENV", "off")], "GOAUTH", None);
        check(&[("GOENV", "off")], "GONOPROXY", None);
    }

    #[test]
    fn a_link_of_an_image_shows_no_file_of_the_machine() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("secret"), "GOPROXY=secret").unwrap();
        let folder = dir.path().join("image/usr/lib/go");
        std::fs::create_dir_all(&folder).unwrap();
        std::os::unix::fs::symlink(dir.path().join("secret"), folder.join("go.env")).unwrap();
        let settings = Settings::read(&Variables::new(), &dir.path().join("image")).unwrap();
        assert_eq!(settings.get("GOPROXY"), None);
    }

    #[test]
    fn the_users_modules_are_found() {
        let check = |own: &[(&str, &str)], expect: Option<&str>| {
            let mut settings = settings(own);
            settings.home = settings.environment.get("HOME").map(PathBuf::from);
            assert_eq!(settings.module_cache().as_deref(), expect.map(Path::new), "{own:?}");
        };
        check(&[("HOME", "/me")], Some("/me/go/pkg/mod"));
        check(&[("HOME", "/me"), ("GOPATH", "/a:/b")], Some("/a/pkg/mod"));
        check(&[("GOPATH", "/a"), ("GOMODCACHE", "/m")], Some("/m"));
        check(&[], None);
    }

    #[test]
    fn logins_are_those_that_the_user_allows() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("netrc");
        std::fs::write(&file, "machine a.org login me password secret").unwrap();
        let check = |methods: &str, count: usize, programs: bool| {
            let settings = settings(&[("GOAUTH", methods), ("NETRC", file.to_str().unwrap())]);
            assert_eq!(settings.logins().unwrap().len(), count, "{methods}");
            assert_eq!(settings.has_login_programs(), programs, "{methods}");
        };
        check("netrc", 1, false);
        check("off", 0, false);
        check("/bin/token --now; netrc", 1, true);
        check("git /work", 0, true);
    }
}
