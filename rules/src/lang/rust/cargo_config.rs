//! Reads a checkout's own `.cargo/config.toml` and selects the part that a fetch may see: the addresses of
//! registries, which source replaces which, and which crates are patched by folders of the checkout.
//!
//! Cargo's configuration can name programs (`build.rustc-wrapper`, credential providers, the call of git),
//! proxies and certificates. The author of a checkout must not choose those on the machine of those who build
//! it. So they are left out, and named if the fetch fails. The user's own configuration, in Cargo's home and
//! in the environment, stays as it is. If it gives an address to a name, the checkout's address for that name
//! is ignored; otherwise the user's token for the name would be sent to the checkout's address. Format: the
//! Cargo book, "Configuration".

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;

use toml::{Table, Value};

use crate::bounded;
use crate::package::environment::Variables;
use crate::path::ProjectPath;

/// The names for which the user's own configuration has an address.
#[derive(Debug, Default)]
pub(super) struct Users {
    names: BTreeSet<String>,
    has_default: bool,
    variables: Variables,
}

impl Users {
    /// Reads the configuration in Cargo's home and in the environment. A file that can't be read is ignored,
    /// because cargo will report what is wrong with it.
    pub(super) fn of(home: &Path, variables: Variables) -> Self {
        let mut users = Self { variables, ..Self::default() };
        for name in ["config.toml", "config"] {
            let table =
                bounded::read_text(&home.join(name)).ok().and_then(|text| text.parse().ok());
            table.iter().for_each(|table| users.add(table));
        }
        users
    }

    fn add(&mut self, config: &Table) {
        let tables = |key: &str| config.get(key).and_then(Value::as_table).into_iter().flatten();
        self.names.extend(tables("source").map(|(name, _)| name.clone()));
        let registries = tables("registries").filter(|(_, table)| table.get("index").is_some());
        self.names.extend(registries.map(|(name, _)| name.clone()));
        self.has_default |= tables("registry").any(|(key, _)| key == "default");
    }

    fn defines(&self, name: &str) -> bool {
        let variable = format!("CARGO_REGISTRIES_{}_INDEX", name.to_uppercase().replace('-', "_"));
        self.names.contains(name) || self.is_set(&variable)
    }

    fn has_default(&self) -> bool {
        self.has_default || self.is_set("CARGO_REGISTRY_DEFAULT")
    }

    fn is_set(&self, variable: &str) -> bool {
        self.variables.contains_key(OsStr::new(variable))
    }
}

/// The keys whose values are secrets (the Cargo book, "Configuration": `registry.token`,
/// `registries.NAME.token`, `secret-key`).
const SECRETS: [&str; 2] = ["token", "secret-key"];

/// Returns the configuration without its secrets, as an action may see it: what an action sees is kept in the
/// store, and build scripts can read it. `None` if it holds no secret.
pub(super) fn without_secrets(project: &Path, path: &ProjectPath) -> Option<String> {
    let text = bounded::read_text(&path.on_disk(project)).ok()?;
    let mut config: Table = text.parse().ok()?;
    let mut found = false;
    let mut remove = |table: &mut Value| {
        let Some(table) = table.as_table_mut() else { return };
        SECRETS.iter().for_each(|key| found |= table.remove(*key).is_some());
    };
    config.get_mut("registry").map(&mut remove);
    let registries = config.get_mut("registries").and_then(Value::as_table_mut);
    registries.into_iter().flatten().for_each(|(_, registry)| remove(registry));
    found.then(|| config.to_string())
}

/// The names of a configuration file. If both are there, the older name wins.
const NAMES: [&str; 2] = [".cargo/config", ".cargo/config.toml"];

/// Returns the configuration files that Cargo reads in the folder `workspace`, the innermost first, each with
/// the folder that its paths are relative to.
pub(super) fn files(project: &Path, workspace: &ProjectPath) -> Vec<(ProjectPath, ProjectPath)> {
    let folders = std::iter::once(workspace.clone()).chain(workspace.ancestors());
    folders
        .filter_map(|folder| {
            let mut files = NAMES.iter().map(|name| folder.join(name));
            let file = files.find(|file| file.on_disk(project).is_file())?;
            Some((folder, file))
        })
        .collect()
}

/// Reads a configuration file. One that can't be read is empty, because Cargo will report what is wrong with
/// it.
pub(super) fn read(project: &Path, file: &ProjectPath) -> Table {
    let text = bounded::read_text(&file.on_disk(project)).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// The part of a checkout's configuration that a fetch sees.
#[derive(Debug, Default)]
pub(super) struct Allowed {
    users: Users,
    config: Table,
    /// The settings that were left out, such as `build.rustc-wrapper`.
    pub(super) left_out: BTreeSet<String>,
}

impl Allowed {
    /// Makes an empty configuration, which lets nothing pass.
    pub(super) fn new(users: Users) -> Self {
        Self { users, ..Self::default() }
    }

    /// Adds the configuration of a folder. Settings that are there already come from a folder further in, and
    /// are kept.
    ///
    /// # Errors
    /// The text is not TOML.
    pub(super) fn add(&mut self, text: &str) -> Result<(), toml::de::Error> {
        for (key, value) in text.parse::<Table>()? {
            match (key.as_str(), value) {
                ("source", Value::Table(sources)) => self.add_sources(sources),
                // These are paths, so the folder has to be known: see `add_patches`.
                ("patch", _) => {}
                ("registries", Value::Table(registries)) => {
                    for (name, registry) in registries {
                        let keys: &[&str] =
                            if self.users.defines(&name) { &[] } else { &["index"] };
                        self.add_keys(&["registries", &name], registry, keys);
                    }
                }
                ("registry", registry) => {
                    let keys: &[&str] = if self.users.has_default() { &[] } else { &["default"] };
                    self.add_keys(&["registry"], registry, keys);
                }
                (_, Value::Table(table)) => {
                    self.left_out.extend(table.keys().map(|inner| format!("{key}.{inner}")));
                }
                _ => _ = self.left_out.insert(key),
            }
        }
        Ok(())
    }

    /// Adds the crates that the configuration of a folder patches by path. cargo resolves the paths from
    /// `folder`. Only the paths in it are taken.
    ///
    /// # Errors
    /// The text is not TOML.
    pub(super) fn add_patches(&mut self, text: &str, folder: &Path) -> Result<(), toml::de::Error> {
        let config: Table = text.parse()?;
        let registries = config.get("patch").and_then(Value::as_table).into_iter().flatten();
        for (registry, crates) in registries {
            for (name, patch) in crates.as_table().into_iter().flatten() {
                let text = |key| patch.get(key).and_then(Value::as_str);
                let Some(path) = text("path") else {
                    self.left_out.insert(format!("patch.{registry}.{name}"));
                    continue;
                };
                let path = folder.join(path).to_string_lossy().into_owned();
                let mut patch = Table::from_iter([("path".to_owned(), Value::from(path))]);
                patch.extend(text("package").map(|name| ("package".to_owned(), name.into())));
                let keys: Vec<String> = patch.keys().cloned().collect();
                let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
                self.add_keys(&["patch", registry, name], Value::Table(patch), &keys);
            }
        }
        Ok(())
    }

    /// Returns the configuration in Cargo's format; empty if nothing is left.
    pub(super) fn text(&self) -> String {
        let mut config = self.config.clone();
        let names = |key: &str| config.get(key).and_then(Value::as_table).into_iter().flatten();
        // A source can be replaced by a registry, too.
        let known = names("source").chain(names("registries")).map(|(name, _)| name.clone());
        let known: BTreeSet<String> = known.chain(["crates-io".to_owned()]).collect();
        if let Some(Value::Table(sources)) = config.get_mut("source") {
            let missing = |source: &Value| {
                let to = source.get("replace-with").and_then(Value::as_str);
                to.is_some_and(|to| !known.contains(to) && !self.users.defines(to))
            };
            // A source that was left out replaces nothing: its crates come from where the lockfile says.
            for (_, source) in sources.iter_mut().filter(|(_, source)| missing(source)) {
                source.as_table_mut().and_then(|source| source.remove("replace-with"));
            }
            sources.retain(|_, source| source.as_table().is_some_and(|source| !source.is_empty()));
        }
        config.to_string()
    }

    /// Adds those sources that are registries or replace another source. Folders of the checkout and
    /// repositories are left out.
    fn add_sources(&mut self, sources: Table) {
        for (name, source) in sources {
            let other = ["directory", "local-registry", "git"];
            match other.iter().find(|kind| source.get(kind).is_some()) {
                Some(kind) => _ = self.left_out.insert(format!("source.{name}.{kind}")),
                None if self.users.defines(&name) => self.add_keys(&["source", &name], source, &[]),
                None => self.add_keys(&["source", &name], source, &["registry", "replace-with"]),
            }
        }
    }

    /// Adds those keys of a table that are allowed, unless they are set already.
    fn add_keys(&mut self, path: &[&str], from: Value, allowed: &[&str]) {
        let Value::Table(from) = from else { return };
        for (key, value) in from {
            if !allowed.contains(&key.as_str()) {
                self.left_out.insert(format!("{}.{key}", path.join(".")));
                continue;
            }
            let table = path.iter().try_fold(&mut self.config, |table, name| {
                let inner = table.entry(*name).or_insert_with(|| Value::Table(Table::new()));
                inner.as_table_mut()
            });
            if let Some(table) = table {
                table.entry(key).or_insert(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_registries_are_taken_and_programs_are_not() {
        let check = |texts: &[&str], expect: &str, left_out: &[&str]| {
            let mut allowed = Allowed::default();
            texts.iter().for_each(|text| allowed.add(text).unwrap());
            let seen: Table = allowed.text().parse().unwrap();
            assert_eq!(seen, expect.parse::<Table>().unwrap(), "{texts:?}");
            assert_eq!(Vec::from_iter(&allowed.left_out), left_out, "{texts:?}");
        };
        check(&[""], "", &[]);
        let mirror = "[source.crates-io]\nreplace-with = \"mirror\"\n\
                      [source.mirror]\nregistry = \"sparse+https://mirror/\"\n";
        check(&[mirror], mirror, &[]);
        // The inner folder comes first.
        check(&[mirror, "[source.mirror]\nregistry = \"sparse+https://other/\""], mirror, &[]);
        check(
            &[
                "[registries.own]\nindex = \"sparse+https://own/\"\ncredential-provider = [\"/evil\"]\n\
               [registry]\ndefault = \"own\"\nglobal-credential-providers = [\"/evil\"]\ntoken = \"t\"",
            ],
            "[registries.own]\nindex = \"sparse+https://own/\"\n[registry]\ndefault = \"own\"",
            &[
                "registries.own.credential-provider",
                "registry.global-credential-providers",
                "registry.token",
            ],
        );
        check(
            &[
                "paths = [\"..\"]\n[build]\nrustc-wrapper = \"./evil\"\nrustc = \"./evil\"\n[http]\nproxy = \"p\"\n\
               [net]\ngit-fetch-with-cli = true\n[env]\nA = \"b\"\n[alias]\nfetch = \"run\"\n[credential-alias]\nx = [\"/evil\"]",
            ],
            "",
            &[
                "alias.fetch",
                "build.rustc",
                "build.rustc-wrapper",
                "credential-alias.x",
                "env.A",
                "http.proxy",
                "net.git-fetch-with-cli",
                "paths",
            ],
        );
        // Crates that a folder of the checkout replaces are fetched from their original place.
        check(
            &[
                "[source.crates-io]\nreplace-with = \"vendored\"\n[source.vendored]\ndirectory = \"vendor\"",
            ],
            "source = {}",
            &["source.vendored.directory"],
        );
    }

    #[test]
    fn the_user_says_where_the_users_own_names_lead() {
        let home = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
        write("config.toml", "[registries.own]\nindex = \"sparse+https://own/\"");
        write("config", "[source.mirror]\nregistry = \"sparse+https://mirror/\"");
        write("credentials.toml", "[registries.team]\ntoken = \"t\"");
        let variables = ["CARGO_REGISTRIES_MY_OTHER_INDEX", "CARGO_REGISTRY_DEFAULT"];
        let variables: Variables = variables.map(|name| (name.into(), "x".into())).into();
        let mut allowed = Allowed::new(Users::of(home.path(), variables));
        let index = |name: &str| format!("[registries.{name}]\nindex = \"sparse+https://evil/\"\n");
        let source = |name: &str| format!("[source.{name}]\nregistry = \"sparse+https://evil/\"\n");
        let replaced = "[source.crates-io]\nreplace-with = \"mirror\"\n";
        let named = ["own", "my-other", "team", "my"].map(index).concat() + &source("mirror");
        allowed.add(&format!("{named}{replaced}[registry]\ndefault = \"team\"")).unwrap();
        let seen: Table = allowed.text().parse().unwrap();
        let expect = index("team") + &index("my") + replaced;
        assert_eq!(seen, expect.parse::<Table>().unwrap());
        let left_out = [
            "registries.my-other.index",
            "registries.own.index",
            "registry.default",
            "source.mirror.registry",
        ];
        assert_eq!(Vec::from_iter(&allowed.left_out), left_out);
    }

    #[test]
    fn each_folder_has_one_configuration() {
        let project = tempfile::tempdir().unwrap();
        for file in ["app/.cargo/config.toml", ".cargo/config", ".cargo/config.toml"] {
            let path = project.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let found = files(project.path(), &ProjectPath::parse("app/inner").unwrap());
        let found: Vec<_> =
            found.iter().map(|(folder, file)| (folder.as_str(), file.as_str())).collect();
        assert_eq!(found, [("app", "app/.cargo/config.toml"), ("", ".cargo/config")]);
    }

    #[test]
    fn an_action_sees_no_token() {
        let project = tempfile::tempdir().unwrap();
        let path = ProjectPath::parse("config.toml").unwrap();
        let check = |text: &str, expect: Option<&str>| {
            std::fs::write(path.on_disk(project.path()), text).unwrap();
            let seen = without_secrets(project.path(), &path);
            let table = |text: &str| text.parse::<Table>().unwrap();
            assert_eq!(seen.as_deref().map(table), expect.map(table), "{text}");
        };
        check("[build]\nrustflags = []", None);
        check("broken", None);
        check(
            "[registry]\ntoken = \"a\"\ndefault = \"own\"\n[registries.own]\nindex = \"i\"\ntoken = \"b\"\n\
             [registries.b]\nsecret-key = \"c\"",
            Some("[registry]\ndefault = \"own\"\n[registries.own]\nindex = \"i\"\n[registries.b]"),
        );
    }

    #[test]
    fn crates_are_patched_by_folders_alone() {
        let text = "[patch.crates-io]\nitoa = { path = \"third_party/itoa\" }\n\
                    ryu = { git = \"https://host/ryu\" }\n\
                    ours = { path = \"ours\", package = \"itoa\", registry = \"other\" }\n";
        let mut allowed = Allowed::default();
        allowed.add(text).unwrap();
        allowed.add_patches(text, Path::new("/tree/app")).unwrap();
        let expect = "[patch.crates-io]\nitoa = { path = \"/tree/app/third_party/itoa\" }\n\
                      ours = { path = \"/tree/app/ours\", package = \"itoa\" }\n";
        let seen: Table = allowed.text().parse().unwrap();
        assert_eq!(seen, expect.parse::<Table>().unwrap());
        assert_eq!(Vec::from_iter(&allowed.left_out), ["patch.crates-io.ryu"]);
    }

    #[test]
    fn a_source_may_be_replaced_by_a_registry() {
        let text = "[registries.own]\nindex = \"sparse+https://own/\"\n\
                    [source.crates-io]\nreplace-with = \"own\"";
        let mut allowed = Allowed::default();
        allowed.add(text).unwrap();
        assert_eq!(allowed.text().parse::<Table>().unwrap(), text.parse::<Table>().unwrap());
    }

    #[test]
    fn what_is_not_toml_is_an_error() {
        assert!(Allowed::default().add("[build").is_err());
    }
}
