//! The options of a profile for Cloudflare: `[deploy.NAME.options]`.
//!
//! An unknown option is an error, because it might be a misspelt one. Values are checked here; whether the account
//! and the zone exist is known to the API only.

use std::collections::BTreeMap;

use toml::Value;

use super::COMPATIBILITY_DATE;

/// The options of a profile. [`Options::parse`] makes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The account, if the profile names it.
    pub account_id: Option<String>,
    /// The zone that routes belong to.
    pub zone_id: Option<String>,
    /// True if workers get an address below workers.dev. By default they do unless they get one in a zone.
    pub workers_dev: bool,
    /// The names of workers, by component.
    pub names: PerComponent<String>,
    /// The patterns of the routes in the zone, by component.
    pub routes: PerComponent<Vec<String>>,
    /// The date whose behaviour of the runtime is wanted.
    pub compatibility_date: String,
    /// Flags that change the behaviour of the runtime.
    pub compatibility_flags: Vec<String>,
    /// The variables, which become the component's environment.
    pub vars: BTreeMap<String, String>,
}

/// A value for the only component of a profile, or values for components by their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PerComponent<T> {
    /// Nothing is given.
    Nothing,
    /// A value that does not name a component.
    Only(T),
    /// Values by the names of components.
    Named(BTreeMap<String, T>),
}

/// An option is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("option `{key}` {problem}")]
pub struct OptionError {
    /// The key of the option.
    pub key: String,
    /// What is wrong with it.
    pub problem: String,
    /// What to do.
    pub help: String,
}

/// The options that exist.
const KEYS: [&str; 8] = [
    "account_id",
    "compatibility_date",
    "compatibility_flags",
    "name",
    "routes",
    "vars",
    "workers_dev",
    "zone_id",
];

impl Options {
    /// Reads the options of a profile that deploys these components.
    ///
    /// # Errors
    /// The first option that is unknown or has a wrong value.
    pub fn parse(
        options: &BTreeMap<String, Value>,
        components: &[&str],
    ) -> Result<Self, OptionError> {
        if let Some(key) = options.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(OptionError {
                key: key.clone(),
                problem: "is unknown to Cloudflare".to_owned(),
                help: format!("the options are {}", list(&KEYS)),
            });
        }
        let read = Read { options, components };
        let zone_id = read.id("zone_id")?;
        let routes = read.per_component("routes", texts)?;
        if zone_id.is_none() && !matches!(routes, PerComponent::Nothing) {
            let help =
                "write `zone_id` beside it: the dashboard shows it on the page of the domain";
            return Err(error("routes", "needs the zone that the routes are in", help));
        }
        Ok(Self {
            account_id: read.id("account_id")?,
            workers_dev: read.get("workers_dev", boolean)?.unwrap_or(zone_id.is_none()),
            zone_id,
            names: read.per_component("name", text)?,
            routes,
            compatibility_date: read
                .get("compatibility_date", date)?
                .unwrap_or_else(|| COMPATIBILITY_DATE.to_owned()),
            compatibility_flags: read.get("compatibility_flags", texts)?.unwrap_or_default(),
            vars: read.get("vars", variables)?.unwrap_or_default(),
        })
    }
}

/// The options while they are read.
struct Read<'a> {
    options: &'a BTreeMap<String, Value>,
    components: &'a [&'a str],
}

impl Read<'_> {
    fn get<T>(
        &self,
        key: &str,
        read: impl Fn(&Value) -> Result<T, &'static str>,
    ) -> Result<Option<T>, OptionError> {
        let value = self.options.get(key).map(read).transpose();
        value.map_err(|expected| error(key, "has a wrong value", &format!("expected {expected}")))
    }

    /// Reads an id, which becomes a part of URLs.
    fn id(&self, key: &str) -> Result<Option<String>, OptionError> {
        self.get(key, |value| {
            let id = text(value)?;
            let fits =
                !id.is_empty() && id.len() <= 64 && id.chars().all(|c| c.is_ascii_alphanumeric());
            if fits { Ok(id) } else { Err("letters and digits only, as the dashboard shows them") }
        })
    }

    fn per_component<T>(
        &self,
        key: &str,
        read: impl Fn(&Value) -> Result<T, &'static str>,
    ) -> Result<PerComponent<T>, OptionError> {
        let Some(Value::Table(table)) = self.options.get(key) else {
            let Some(only) = self.get(key, &read)? else { return Ok(PerComponent::Nothing) };
            if self.components.len() == 1 {
                return Ok(PerComponent::Only(only));
            }
            let example = self.components.first().unwrap_or(&"api");
            let help = format!("say which component it is for: `{key} = {{ {example} = … }}`");
            return Err(error(
                key,
                "does not name a component, and the profile has several",
                &help,
            ));
        };
        let mut named = BTreeMap::new();
        for (component, value) in table {
            if !self.components.contains(&component.as_str()) {
                let problem = format!("names `{component}`, which the profile does not deploy");
                return Err(error(key, &problem, &format!("it deploys {}", list(self.components))));
            }
            let value = read(value).map_err(|expected| {
                error(
                    key,
                    &format!("has a wrong value for `{component}`"),
                    &format!("expected {expected}"),
                )
            })?;
            named.insert(component.clone(), value);
        }
        Ok(PerComponent::Named(named))
    }
}

impl<T> PerComponent<T> {
    /// Returns the value for a component.
    #[must_use]
    pub fn of(&self, component: &str) -> Option<&T> {
        match self {
            Self::Nothing => None,
            Self::Only(value) => Some(value),
            Self::Named(named) => named.get(component),
        }
    }
}

fn text(value: &Value) -> Result<String, &'static str> {
    value.as_str().map(str::to_owned).ok_or("a string")
}

fn boolean(value: &Value) -> Result<bool, &'static str> {
    value.as_bool().ok_or("`true` or `false`")
}

fn texts(value: &Value) -> Result<Vec<String>, &'static str> {
    let array = value.as_array().ok_or("an array of strings")?;
    array.iter().map(|item| text(item).map_err(|_| "an array of strings")).collect()
}

/// Reads a date, which TOML has a type for; a string does as well.
fn date(value: &Value) -> Result<String, &'static str> {
    let text = match value {
        Value::Datetime(date) => date.to_string(),
        other => text(other).map_err(|_| "a date like \"2026-11-01\"")?,
    };
    let digits =
        |(at, c): (usize, char)| if matches!(at, 4 | 7) { c == '-' } else { c.is_ascii_digit() };
    if text.len() == 10 && text.char_indices().all(digits) {
        Ok(text)
    } else {
        Err("a date like \"2026-11-01\"")
    }
}

/// Reads variables. Numbers and truth values become texts, as the environment has nothing else.
fn variables(value: &Value) -> Result<BTreeMap<String, String>, &'static str> {
    const EXPECTED: &str =
        "a table of strings, whose names have letters, digits and `_` and are not `RUN_DIGEST`";
    let table = value.as_table().ok_or(EXPECTED)?;
    let entry = |(name, value): (&String, &Value)| {
        let first = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
        let rest = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let value = match value {
            Value::String(text) => text.clone(),
            Value::Integer(number) => number.to_string(),
            Value::Boolean(flag) => flag.to_string(),
            _ => return Err(EXPECTED),
        };
        if first && rest && name != super::DIGEST_VARIABLE {
            Ok((name.clone(), value))
        } else {
            Err(EXPECTED)
        }
    };
    table.iter().map(entry).collect()
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn error(key: &str, problem: &str, help: &str) -> OptionError {
    OptionError { key: key.to_owned(), problem: problem.to_owned(), help: help.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, components: &[&str]) -> Result<Options, OptionError> {
        let table: toml::Table = text.parse().unwrap();
        Options::parse(&table.into_iter().collect(), components)
    }

    #[test]
    fn the_profiles_of_the_documentation() {
        let production = parse("account_id = \"abc123\"\nzone_id = \"xyz789\"", &["api"]).unwrap();
        assert_eq!(production.account_id.as_deref(), Some("abc123"));
        assert_eq!(production.zone_id.as_deref(), Some("xyz789"));
        assert!(!production.workers_dev);
        assert!(parse("workers_dev = true", &["api", "auth"]).unwrap().workers_dev);
        assert!(parse("", &["api"]).unwrap().workers_dev);
    }

    #[test]
    fn values_of_all_kinds() {
        let options = parse(
            "zone_id = \"z\"\nname = { api = \"shop-api\" }\nroutes = { api = [\"a.example/*\"] }\n\
             compatibility_date = 2026-10-01\ncompatibility_flags = [\"x\"]\nworkers_dev = true\n\
             vars = { GREETING = \"hi\", LEVEL = 3, DEBUG = false }",
            &["api", "auth"],
        )
        .unwrap();
        assert_eq!(options.names.of("api").map(String::as_str), Some("shop-api"));
        assert_eq!(options.names.of("auth"), None);
        assert_eq!(options.routes.of("api").unwrap(), &["a.example/*"]);
        assert_eq!(options.compatibility_date, "2026-10-01");
        let vars: Vec<_> =
            options.vars.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(vars, ["DEBUG=false", "GREETING=hi", "LEVEL=3"]);
        assert!(options.workers_dev);
    }

    #[test]
    fn wrong_options() {
        #[track_caller]
        fn check(text: &str, expect: &str) {
            let error = parse(text, &["api", "auth"]).unwrap_err();
            let shown = format!("{error}; {}", error.help);
            assert!(shown.contains(expect), "{shown}");
        }
        check(
            "acount_id = \"a\"",
            "option `acount_id` is unknown to Cloudflare; the options are `account_id`",
        );
        check(
            "account_id = \"../x\"",
            "option `account_id` has a wrong value; expected letters and digits",
        );
        check("account_id = 5", "expected a string");
        check("workers_dev = \"yes\"", "expected `true` or `false`");
        check("routes = { api = [\"a/*\"] }", "needs the zone");
        check("name = \"x\"", "`name = { api = … }`");
        check(
            "name = { web = \"x\" }",
            "names `web`, which the profile does not deploy; it deploys `api`, `auth`",
        );
        check("name = { api = 4 }", "for `api`; expected a string");
        check("compatibility_date = \"today\"", "expected a date like");
        check("compatibility_flags = \"x\"", "expected an array of strings");
        check("vars = { RUN_DIGEST = \"x\" }", "are not `RUN_DIGEST`");
        check("vars = { \"a b\" = \"x\" }", "letters, digits and `_`");
    }
}
