//! The names of projects, components, packages, worlds and profiles. Each is parsed once, here.
//!
//! Component and package names follow WIT's kebab case. So the same name can be a file, a label, a package of
//! a registry and an identifier in WIT without any conversion.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use super::invalid::Invalid;
use super::text::text_type;

/// The maximum length of a name, in bytes. Names become parts of file names and of registry paths.
const LONGEST: usize = 64;
/// The rule of kebab case, for messages.
const KEBAB_RULE: &str =
    "lower-case letters and digits, in words joined by single hyphens, starting with a letter";

text_type! {
    /// The name of a project: letters, digits, `-`, `_` and `.`, starting with a letter or digit.
    ProjectName, parse_project
}

text_type! {
    /// The name of a component, in kebab case; its output is `NAME.wasm`.
    ComponentName, parse_component
}

text_type! {
    /// The name of a deployment profile, with the same characters as the name of a project.
    ProfileName, parse_profile
}

text_type! {
    /// The name of a WIT world, like `worker`, or like `wasi:http/proxy@0.2.0` if it is in another package.
    WorldName, parse_world
}

text_type! {
    /// The name of a feature of a package.
    Feature, parse_feature
}

text_type! {
    /// A feature that Cargo switches on: one of the package, or `DEPENDENCY/FEATURE`. A `?` after the name of
    /// the dependency means that the feature is switched on only if the dependency is.
    CargoFeature, parse_cargo_feature
}

text_type! {
    /// The name of an environment variable: letters, digits and `_`, not starting with a digit.
    VariableName, parse_variable
}

text_type! {
    /// The name of a test: some text in one line, such as `adds two numbers`.
    TestName, parse_test
}

text_type! {
    /// The name of a function of a component: `demo:calc/ops#add`, or `answer` if the component itself exports it.
    FunctionName, parse_function
}

impl FunctionName {
    /// Returns the interface that has the function, if it is not one of the component itself.
    pub fn interface(&self) -> Option<&str> {
        self.0.split_once('#').map(|(interface, _)| interface)
    }

    /// Returns the name of the function in its interface.
    pub fn function(&self) -> &str {
        self.0.split_once('#').map_or(&self.0, |(_, function)| function)
    }
}

impl ComponentName {
    /// Returns the name that a text comes closest to, such as `my-app` for `My App`, if there is one.
    #[must_use]
    pub fn like(text: &str) -> Option<Self> {
        to_kebab(text).map(|name| Self(name.into_owned()))
    }
}

impl WorldName {
    /// Returns whether the name says which package the world belongs to.
    pub fn is_qualified(&self) -> bool {
        self.0.contains('/')
    }
}

/// The name of a package of a registry, `namespace:name`, both parts in kebab case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageName {
    namespace: String,
    name: String,
}

impl PackageName {
    /// Returns the part before the colon.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Returns the part after the colon.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.namespace, self.name)
    }
}

impl FromStr for PackageName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let expected = "expected `namespace:name`";
        let Some((namespace, name)) = text.split_once(':') else {
            let message = format!("package name `{text}` has no namespace");
            let help = format!("write `\"NAMESPACE:{text}\"`, with the namespace of the package");
            return Err(Invalid::new(message, expected).help(help));
        };
        let invalid = Invalid::new(format!("`{text}` is not a package name"), expected);
        if let Some((name, version)) = name.split_once('@') {
            return Err(invalid.help(format!(
                "the version is the value: `\"{namespace}:{name}\" = \"{version}\"`"
            )));
        }
        if let Some((name, _)) = name.split_once('/') {
            return Err(
                invalid.help(format!("depend on the package as a whole: `\"{namespace}:{name}\"`"))
            );
        }
        if !is_kebab(namespace) || !is_kebab(name) {
            return Err(invalid.help(format!("both parts are {KEBAB_RULE}")));
        }
        Ok(Self { namespace: namespace.to_owned(), name: name.to_owned() })
    }
}

/// Returns whether a text is a WIT label in lower case.
fn is_kebab(text: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.split('-').all(word)
}

/// Converts a text that is meant as a name to kebab case, if that is possible.
pub(super) fn to_kebab(text: &str) -> Option<Cow<'_, str>> {
    let is_name = |text: &str| is_kebab(text) && text.len() <= LONGEST;
    if is_name(text) {
        return Some(Cow::Borrowed(text));
    }
    let mut words = String::new();
    let mut after_lower = false;
    for char in text.chars() {
        let boundary = !char.is_ascii_alphanumeric() || (char.is_ascii_uppercase() && after_lower);
        if boundary && !words.is_empty() && !words.ends_with('-') {
            words.push('-');
        }
        if char.is_ascii_alphanumeric() {
            words.push(char.to_ascii_lowercase());
        }
        after_lower = char.is_ascii_lowercase();
    }
    let kebab = words.trim_end_matches('-');
    is_name(kebab).then(|| Cow::Owned(kebab.to_owned()))
}

fn check_length(what: &str, text: &str) -> Result<(), Invalid> {
    match text.len() {
        0 => Err(Invalid::empty(what)),
        1..=LONGEST => Ok(()),
        length => Err(Invalid::new(
            format!("{what} is {length} characters long"),
            format!("expected at most {LONGEST}"),
        )),
    }
}

fn parse_component(text: &str) -> Result<String, Invalid> {
    check_length("component name", text)?;
    if is_kebab(text) {
        return Ok(text.to_owned());
    }
    let message = format!("`{text}` cannot be the name of a component");
    let suggestion = to_kebab(text).map(|kebab| format!("did you mean `{kebab}`?"));
    Err(Invalid::new(message, format!("expected {KEBAB_RULE}")).maybe_help(suggestion))
}

/// The maximum length of a test's name, in bytes.
const LONGEST_TEST: usize = 200;

fn parse_test(text: &str) -> Result<String, Invalid> {
    match text.len() {
        0 => return Err(Invalid::empty("test name")),
        1..=LONGEST_TEST => {}
        length => {
            return Err(Invalid::new(
                format!("test name is {length} bytes long"),
                format!("expected at most {LONGEST_TEST}"),
            ));
        }
    }
    if text.trim() == text && !text.starts_with('-') && !text.chars().any(char::is_control) {
        return Ok(text.to_owned());
    }
    Err(Invalid::new(
        format!("`{}` cannot be the name of a test", text.escape_debug()),
        "expected one line, without blanks at its ends and not starting with `-`",
    ))
}

fn parse_function(text: &str) -> Result<String, Invalid> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let is_function = |text: &str| !text.is_empty() && text.chars().all(is_word);
    let is_interface = |text: &str| {
        !text.is_empty()
            && text.chars().all(|c| is_word(c) || matches!(c, ':' | '/' | '@' | '.' | '+'))
    };
    let is_valid = match text.split_once('#') {
        Some((interface, function)) => is_interface(interface) && is_function(function),
        None => is_function(text),
    };
    if is_valid {
        return Ok(text.to_owned());
    }
    Err(Invalid::new(
        format!("`{text}` is not the name of a function"),
        "expected a name like `demo:calc/ops#add`, or like `answer` if it is in no interface",
    ))
}

fn parse_project(text: &str) -> Result<String, Invalid> {
    parse_plain("project name", text)
}

fn parse_profile(text: &str) -> Result<String, Invalid> {
    parse_plain("profile name", text)
}

fn parse_plain(what: &str, text: &str) -> Result<String, Invalid> {
    check_length(what, text)?;
    let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(valid) {
        return Ok(text.to_owned());
    }
    Err(Invalid::new(
        format!("`{text}` cannot be a {what}"),
        "expected letters, digits, `-`, `_` and `.`, starting with a letter or digit",
    ))
}

fn parse_world(text: &str) -> Result<String, Invalid> {
    if text.is_empty() {
        return Err(Invalid::empty("world"));
    }
    let (path, version) = match text.split_once('@') {
        Some((path, version)) => (path, Some(version)),
        None => (text, None),
    };
    let (package, world) = match path.rsplit_once('/') {
        Some((package, world)) => (Some(package), world),
        None => (None, path),
    };
    let package_is_valid = package.is_none_or(|name| name.parse::<PackageName>().is_ok());
    let version_is_valid =
        version.is_none_or(|v| package.is_some() && semver::Version::parse(v).is_ok());
    if is_kebab(world) && package_is_valid && version_is_valid {
        return Ok(text.to_owned());
    }
    Err(Invalid::new(
        format!("`{text}` is not the name of a world"),
        "expected a name like `worker` or `wasi:http/proxy@0.2.0`",
    ))
}

fn parse_feature(text: &str) -> Result<String, Invalid> {
    check_length("feature", text)?;
    if text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+')) {
        return Ok(text.to_owned());
    }
    let message = format!("`{text}` cannot be the name of a feature");
    Err(Invalid::new(message, "expected letters, digits, `-`, `_`, `.` and `+`"))
}

/// Parses a feature in the forms that Cargo's option `--features` takes (the Cargo reference, "Features").
fn parse_cargo_feature(text: &str) -> Result<String, Invalid> {
    if let Some(dependency) = text.strip_prefix("dep:").filter(|name| parse_feature(name).is_ok()) {
        let message = format!("`{text}` stands in Cargo.toml alone");
        return Err(Invalid::new(message, "expected a feature of the package")
            .help(format!("name the feature that lists it, or `{dependency}` if none does")));
    }
    let Some((dependency, feature)) = text.split_once('/') else { return parse_feature(text) };
    let dependency = dependency.strip_suffix('?').unwrap_or(dependency);
    if [dependency, feature].iter().all(|part| parse_feature(part).is_ok()) {
        return Ok(text.to_owned());
    }
    let message = format!("`{text}` cannot be the name of a feature");
    Err(Invalid::new(message, "expected `FEATURE` or `DEPENDENCY/FEATURE`"))
}

fn parse_variable(text: &str) -> Result<String, Invalid> {
    if text.is_empty() {
        return Err(Invalid::empty("name of a variable"));
    }
    let valid = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if text.chars().all(valid) && !text.starts_with(|c: char| c.is_ascii_digit()) {
        return Ok(text.to_owned());
    }
    Err(Invalid::new(
        format!("`{text}` cannot be the name of an environment variable"),
        "expected letters, digits and `_`, not starting with a digit",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<T: FromStr<Err = Invalid> + fmt::Display>(valid: &[&str], invalid: &[&str]) {
        for text in valid {
            let parsed = text.parse::<T>().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(parsed.to_string(), *text);
        }
        for text in invalid {
            assert!(text.parse::<T>().is_err(), "{text} was accepted");
        }
    }

    #[test]
    fn component_names_are_kebab_case() {
        let long = "a".repeat(LONGEST + 1);
        check::<ComponentName>(
            &["api", "a", "my-worker", "http2", "a-1", &"a".repeat(LONGEST)],
            &["", "Api", "API", "my_worker", "a--b", "-a", "a-", "1a", "a b", "a.b", "a/b", ".."],
        );
        check::<ComponentName>(&[], &["ä", "a\n", "api:x", &long]);
    }

    #[test]
    fn a_usable_component_name_is_suggested() {
        let check = |text: &str, kebab: Option<&str>| {
            assert_eq!(to_kebab(text).as_deref(), kebab, "{text}");
        };
        check("Api", Some("api"));
        check("my_worker", Some("my-worker"));
        check("MyWorker", Some("my-worker"));
        check("HTTPServer", Some("httpserver"));
        check("a..b--c-", Some("a-b-c"));
        check("../x", Some("x"));
        check("1st", None);
        check("äöü", None);
        check("", None);
    }

    #[test]
    fn package_names_have_a_namespace() {
        check::<PackageName>(
            &["wasi:http", "test:mock-http", "myorg:utils"],
            &["http", "", ":", "wasi:", ":http", "a:b:c", "Wasi:http", "wasi:http@0.2.0"],
        );
        check::<PackageName>(&[], &["wasi:http/types", "a b:c", "a:b_c"]);
    }

    #[test]
    fn world_names_may_be_qualified() {
        check::<WorldName>(
            &["worker", "wasi:cli/command", "wasi:http/proxy@0.2.0"],
            &["", "My_World", "wasi:cli", "worker@1.0.0", "wasi:http/proxy@1", "a/b/c", "/x"],
        );
        assert!("wasi:cli/command".parse::<WorldName>().unwrap().is_qualified());
        assert!(!"worker".parse::<WorldName>().unwrap().is_qualified());
    }

    #[test]
    fn other_names() {
        check::<ProjectName>(&["my-app", "My_App.2", "1"], &["", "-a", ".a", "a b", "a/b", "ä"]);
        check::<ProfileName>(&["production", "eu-west_1"], &["", "a b"]);
        check::<Feature>(&["json", "a_b.c+d"], &["", "a b", "a/b"]);
        check::<CargoFeature>(
            &["json", "a_b.c+d", "a/b", "a?/b"],
            &["", "a b", "/", "a/", "/b", "a/b/c", "a?", "?/b", "dep:a", "dep:a/b", "a/dep:b"],
        );
        check::<TestName>(
            &["adds", "Adds 2 & 3: ä", "a", &"a".repeat(200)],
            &["", " a", "a ", "a\nb", "--list", "\u{1b}[1m", &"a".repeat(201)],
        );
        check::<FunctionName>(
            &["answer", "demo:calc/ops#add", "demo:calc/ops@0.1.0#add-all", "ops#add"],
            &["", "#", "#a", "a#", "a#b#c", "demo:calc/ops", "a b", "ops.add", "[method]x.y"],
        );
        check::<VariableName>(&["A", "_x", "A1_B"], &["", "1A", "A-B", "A=B", "A B"]);
    }
}
