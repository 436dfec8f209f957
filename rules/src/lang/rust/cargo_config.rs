//! Reads of a checkout's own `.cargo/config.toml` what a fetch may see: the addresses of registries, and which
//! source stands in for which.
//!
//! Cargo's configuration can name programs (`build.rustc-wrapper`, credential providers, the way git is
//! called), proxies and certificates. Whoever wrote the checkout must not choose those on the machine of
//! whoever builds it, so they are left out and named if the fetch fails. The user's own configuration, in
//! Cargo's home and in the environment, is not touched by this. Format: the Cargo book, "Configuration".

use std::collections::BTreeSet;

use toml::{Table, Value};

/// The part of a checkout's configuration that a fetch sees.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Allowed {
    config: Table,
    /// The settings that were left out, such as `build.rustc-wrapper`.
    pub(super) left_out: BTreeSet<String>,
}

impl Allowed {
    /// Adds the configuration of a folder. What is there already comes from a folder further in, and holds.
    ///
    /// # Errors
    /// The text is not TOML.
    pub(super) fn add(&mut self, text: &str) -> Result<(), toml::de::Error> {
        for (key, value) in text.parse::<Table>()? {
            match (key.as_str(), value) {
                ("source", Value::Table(sources)) => self.add_sources(sources),
                ("registries", Value::Table(registries)) => {
                    for (name, registry) in registries {
                        self.add_keys(&["registries", &name], registry, &["index"]);
                    }
                }
                ("registry", registry) => self.add_keys(&["registry"], registry, &["default"]),
                (_, Value::Table(table)) => {
                    self.left_out.extend(table.keys().map(|inner| format!("{key}.{inner}")));
                }
                _ => _ = self.left_out.insert(key),
            }
        }
        Ok(())
    }

    /// The configuration in Cargo's format; empty if nothing is left.
    pub(super) fn text(&self) -> String {
        let mut config = self.config.clone();
        if let Some(Value::Table(sources)) = config.get_mut("source") {
            let known: BTreeSet<String> = sources.keys().cloned().collect();
            let built_in = |name: &str| name == "crates-io";
            let missing = |source: &Value| {
                let to = source.get("replace-with").and_then(Value::as_str);
                to.is_some_and(|to| !known.contains(to) && !built_in(to))
            };
            // A source that was left out replaces nothing: the crates come from where the lockfile says.
            for (_, source) in sources.iter_mut().filter(|(_, source)| missing(source)) {
                source.as_table_mut().and_then(|source| source.remove("replace-with"));
            }
            sources.retain(|_, source| source.as_table().is_some_and(|source| !source.is_empty()));
        }
        config.to_string()
    }

    /// Sources are registries, or stand for one. Folders of the checkout and repositories are left out.
    fn add_sources(&mut self, sources: Table) {
        for (name, source) in sources {
            let other = ["directory", "local-registry", "git"];
            match other.iter().find(|kind| source.get(kind).is_some()) {
                Some(kind) => _ = self.left_out.insert(format!("source.{name}.{kind}")),
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
        // What is replaced by a folder of the checkout is fetched from where it comes from.
        check(
            &[
                "[source.crates-io]\nreplace-with = \"vendored\"\n[source.vendored]\ndirectory = \"vendor\"",
            ],
            "source = {}",
            &["source.vendored.directory"],
        );
    }

    #[test]
    fn what_is_not_toml_is_an_error() {
        assert!(Allowed::default().add("[build").is_err());
    }
}
