//! Writes a bundle to a folder in the form that a provider documents, and says which command uploads it.
//!
//! For these providers, this program uploads nothing: their own tools do. The modules are those of Cloudflare, except
//! that the entry point and the way in which core modules are compiled belong to the provider. Where a provider can't
//! run a component at all, that is an error and no folder.
//!
//! A component gets the variables of its profile and nothing else of the provider's environment, in which the
//! provider keeps secrets of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::{fs, io};

use serde_json::{Value, json};

use crate::bundle::{Bundle, MAIN};

/// The version of Node.js that functions run on.
const NODE: u32 = 24;

/// A provider that has its own tool for uploads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// AWS Lambda.
    Aws,
    /// Deno Deploy.
    Deno,
    /// Fastly Compute.
    Fastly,
    /// Vercel.
    Vercel,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The folder.
    pub folder: PathBuf,
    /// The commands that upload it, to be run one after the other.
    pub commands: Vec<String>,
    /// What the user should know of this provider.
    pub notes: Vec<String>,
}

/// The reason why a bundle could not be written.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// The provider can't run such components.
    #[error("{provider} can't run this component: {reason}")]
    Unsupported {
        /// The name of the provider.
        provider: &'static str,
        /// The reason, with what to do instead.
        reason: &'static str,
    },
    /// The folder has files already.
    #[error("the folder {} is not empty", .0.display())]
    NotEmpty(PathBuf),
    /// The name can't be that of a function, because it becomes a part of paths and commands.
    #[error("`{0}` can't be the name of a function: expected letters, digits, `-` and `_`")]
    Name(String),
    /// A file can't be written.
    #[error("cannot write {}", .path.display())]
    Write {
        /// The path.
        path: PathBuf,
        /// The error of the system.
        #[source]
        source: io::Error,
    },
}

/// What is written.
#[derive(Clone, Copy, Debug)]
pub struct Application<'a> {
    /// The name of the function at the provider.
    pub name: &'a str,
    /// The modules of the component.
    pub bundle: &'a Bundle,
    /// The environment of the component.
    pub variables: &'a BTreeMap<String, String>,
    /// The text of the shims' licence, which goes with the shims wherever they are written.
    pub licence: &'a [u8],
}

/// Writes an application to a folder, which has to be empty or missing.
///
/// # Errors
/// If the provider can't run components, the folder has files, or a file can't be written.
pub fn write(
    provider: Provider,
    application: Application<'_>,
    folder: &Path,
) -> Result<Layout, LayoutError> {
    let Application { name, bundle, .. } = application;
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || !name.chars().all(fits) {
        return Err(LayoutError::Name(name.to_owned()));
    }
    let mut files = modules(application);
    let (prefix, outer) = match provider {
        Provider::Fastly => return Err(fastly()),
        Provider::Aws => {
            files.insert("index.js".to_owned(), include_bytes!("js/aws.js").to_vec());
            (String::new(), BTreeMap::new())
        }
        Provider::Vercel => {
            files.insert("index.js".to_owned(), include_bytes!("js/vercel.js").to_vec());
            files.insert(".vc-config.json".to_owned(), pretty(&vercel_function()));
            let config =
                json!({ "version": 3, "routes": [{ "src": "/.*", "dest": format!("/{name}") }] });
            let outer =
                BTreeMap::from([(".vercel/output/config.json".to_owned(), pretty(&config))]);
            (format!(".vercel/output/functions/{name}.func/"), outer)
        }
        Provider::Deno => {
            files.insert("main.js".to_owned(), include_bytes!("js/deno.js").to_vec());
            (String::new(), BTreeMap::from([("deno.json".to_owned(), pretty(&json!({})))]))
        }
    };
    let cores: &[u8] = match provider {
        Provider::Deno => include_bytes!("js/deno_cores.js"),
        _ => include_bytes!("js/node_cores.js"),
    };
    files.insert("cores.js".to_owned(), cores.to_vec());
    if provider != Provider::Deno {
        files.insert("package.json".to_owned(), pretty(&json!({ "type": "module" })));
    }
    let all =
        files.into_iter().map(|(path, bytes)| (format!("{prefix}{path}"), bytes)).chain(outer);
    write_all(folder, all)?;
    Ok(Layout {
        folder: folder.to_owned(),
        commands: commands(provider, name, folder),
        notes: notes(provider, bundle),
    })
}

/// Returns the files that all providers have, without those that depend on the provider.
fn modules(application: Application<'_>) -> BTreeMap<String, Vec<u8>> {
    let mut files = application.bundle.modules().clone();
    files.remove(MAIN);
    let names: Vec<_> = files.keys().filter(|path| path.ends_with(".wasm")).cloned().collect();
    files.insert(
        "names.js".to_owned(),
        format!("export const names = {:#};\n", json!(names)).into(),
    );
    let variables = format!("export const variables = {:#};\n", json!(application.variables));
    files.insert("variables.js".to_owned(), variables.into_bytes());
    files.insert("shim/LICENSE".to_owned(), application.licence.to_vec());
    files
}

fn vercel_function() -> Value {
    json!({
        "runtime": format!("nodejs{NODE}.x"),
        "handler": "index.js",
        "launcherType": "Nodejs",
        "shouldAddHelpers": false,
    })
}

fn fastly() -> LayoutError {
    LayoutError::Unsupported {
        provider: "Fastly Compute",
        reason: "its programs have a world of their own (`fastly:compute/service`) and are core modules, so a component \
                 of wasi:http needs an adapter that does not exist; deploy it to another provider",
    }
}

fn commands(provider: Provider, name: &str, folder: &Path) -> Vec<String> {
    let folder = quoted(&folder.display().to_string());
    match provider {
        Provider::Fastly => Vec::new(),
        Provider::Vercel => vec![format!("vercel deploy --prebuilt --prod --cwd {folder}")],
        Provider::Aws => vec![
            format!("(cd {folder} && zip -qr - .) > {name}.zip"),
            format!(
                "aws lambda update-function-code --function-name {name} --zip-file fileb://{name}.zip"
            ),
        ],
        Provider::Deno => vec![format!("(cd {folder} && deno deploy --app {name} --prod)")],
    }
}

fn notes(provider: Provider, bundle: &Bundle) -> Vec<String> {
    let mut notes = Vec::new();
    if bundle.suspends() && matches!(provider, Provider::Aws | Provider::Vercel) {
        notes.push(format!(
            "the component waits for other servers or clocks, which takes a feature that Node.js {NODE} calls \
             experimental (JSPI)"
        ));
    }
    match provider {
        Provider::Aws => notes.push(format!(
            "the function has to exist, with the runtime `nodejs{NODE}.x`, the handler `index.handler` and a function \
             URL or an HTTP API with payload format 2.0"
        )),
        Provider::Deno => notes.push("the entry point of the application is `main.js`, without a build step".to_owned()),
        Provider::Fastly | Provider::Vercel => {}
    }
    notes
}

fn write_all(
    folder: &Path,
    files: impl Iterator<Item = (String, Vec<u8>)>,
) -> Result<(), LayoutError> {
    if fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(LayoutError::NotEmpty(folder.to_owned()));
    }
    for (path, bytes) in files {
        let path = folder.join(path);
        let parent = path.parent().unwrap_or(folder);
        let written = fs::create_dir_all(parent).and_then(|()| fs::write(&path, bytes));
        written.map_err(|source| LayoutError::Write { path, source })?;
    }
    Ok(())
}

fn pretty(value: &Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}

/// Returns a text as a shell takes it for one word.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

impl FromStr for Provider {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        match name {
            "aws" => Ok(Self::Aws),
            "deno" => Ok(Self::Deno),
            "fastly" => Ok(Self::Fastly),
            "vercel" => Ok(Self::Vercel),
            _ => Err(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle() -> Bundle {
        let files = [(MAIN, "main"), ("component.js", "script"), ("component.core.wasm", "wasm")];
        Bundle::from_files(files.map(|(path, text)| (path.to_owned(), text.into())).into()).unwrap()
    }

    fn layout(provider: Provider, folder: &Path) -> Result<Layout, LayoutError> {
        let variables = BTreeMap::from([("A".to_owned(), "\"</script>".to_owned())]);
        let application = Application {
            name: "api",
            bundle: &bundle(),
            variables: &variables,
            licence: b"licence",
        };
        write(provider, application, folder)
    }

    #[test]
    fn folders_have_what_their_providers_document() {
        #[track_caller]
        fn check(provider: Provider, inside: &str, expect: &[&str], command: &str) {
            let root = tempfile::tempdir().unwrap();
            let folder = root.path().join("out");
            let layout = layout(provider, &folder).unwrap();
            let common = [
                "component.core.wasm",
                "component.js",
                "cores.js",
                "names.js",
                "variables.js",
                "shim/LICENSE",
            ];
            for path in common.iter().chain(expect) {
                assert!(folder.join(inside).join(path).is_file(), "{path}");
            }
            assert!(!folder.join(inside).join(MAIN).exists());
            assert!(layout.commands.iter().any(|text| text.contains(command)), "{layout:?}");
        }
        check(Provider::Aws, "", &["index.js", "package.json"], "aws lambda update-function-code");
        check(Provider::Deno, "", &["main.js", "deno.json"], "deno deploy --app api");
        let function = ".vercel/output/functions/api.func";
        let files = ["index.js", ".vc-config.json", "package.json", "../../config.json"];
        check(Provider::Vercel, function, &files, "vercel deploy --prebuilt");
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let refused = layout(Provider::Fastly, root.path()).unwrap_err().to_string();
        assert!(refused.contains("fastly:compute/service"), "{refused}");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
        fs::write(root.path().join("mine"), "mine").unwrap();
        assert!(matches!(layout(Provider::Deno, root.path()), Err(LayoutError::NotEmpty(_))));
        let application = Application {
            name: "a;b",
            bundle: &bundle(),
            variables: &BTreeMap::new(),
            licence: b"",
        };
        let name = write(Provider::Aws, application, &root.path().join("x"));
        assert!(matches!(name, Err(LayoutError::Name(_))));
    }

    #[test]
    fn folders_are_quoted_in_commands() {
        assert_eq!(quoted("/tmp/a-b_c.d"), "/tmp/a-b_c.d");
        assert_eq!(quoted("a b'c"), "'a b'\\''c'");
    }
}
