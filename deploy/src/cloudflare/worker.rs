//! What a worker is made of, and the digest by which it is recognised.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::DIGEST_VARIABLE;
use super::multipart::{Multipart, Part};
use super::options::Options;
use crate::bundle::{Bundle, MAIN, Module, hex};

/// A worker: a component under a name, with everything that the network has to know to run it.
#[derive(Clone, Debug)]
pub struct Worker {
    /// The name of the component.
    pub component: String,
    /// The name of the worker in the account.
    name: String,
    bundle: Bundle,
    variables: BTreeMap<String, String>,
    compatibility_date: String,
    compatibility_flags: Vec<String>,
    pub(super) workers_dev: bool,
    pub(super) zone_id: Option<String>,
    pub(super) routes: Vec<String>,
}

/// A text is not the name of a worker.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` can't be the name of a worker: expected at most 63 lower-case letters, digits and hyphens, with a letter or \
     digit at both ends"
)]
pub struct NameError(pub String);

impl Worker {
    /// Makes the worker of a component. Unless the options name it, it has the names of the project and the component.
    ///
    /// # Errors
    /// If the name can't be that of a worker.
    pub fn new(
        project: &str,
        component: &str,
        bundle: Bundle,
        options: &Options,
    ) -> Result<Self, NameError> {
        let default = || {
            let name = if project == component {
                project.to_owned()
            } else {
                format!("{project}-{component}")
            };
            name.replace('_', "-").to_ascii_lowercase()
        };
        let name = options.names.of(component).cloned().unwrap_or_else(default);
        if !is_name(&name) {
            return Err(NameError(name));
        }
        Ok(Self {
            component: component.to_owned(),
            name,
            bundle,
            variables: options.vars.clone(),
            compatibility_date: options.compatibility_date.clone(),
            compatibility_flags: options.compatibility_flags.clone(),
            workers_dev: options.workers_dev,
            zone_id: options.zone_id.clone(),
            routes: options.routes.of(component).cloned().unwrap_or_default(),
        })
    }

    /// Returns the name of the worker.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the modules of the worker.
    #[must_use]
    pub const fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// Returns the SHA-256 digest of everything that is uploaded, in hexadecimal.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.bundle.digest());
        hash.update(self.metadata(None).to_string());
        hex(&hash.finalize())
    }

    /// Returns the bindings of the worker that are texts.
    pub(super) fn bindings(&self, digest: Option<&str>) -> BTreeMap<String, String> {
        let mut bindings = self.variables.clone();
        bindings.extend(digest.map(|digest| (DIGEST_VARIABLE.to_owned(), digest.to_owned())));
        bindings
    }

    /// Returns the body of the request that uploads the worker.
    pub(super) fn upload(&self) -> Multipart {
        let digest = self.digest();
        let metadata = self.metadata(Some(&digest)).to_string();
        let first = Part {
            name: "metadata",
            file: false,
            kind: "application/json",
            body: metadata.as_bytes(),
        };
        let modules = self.bundle.modules().iter().filter_map(|(path, body)| {
            let kind = match Module::of(path)? {
                Module::JavaScript => "application/javascript+module",
                Module::Wasm => "application/wasm",
            };
            Some(Part { name: path, file: true, kind, body })
        });
        Multipart::new(&digest, std::iter::once(first).chain(modules))
    }

    /// Returns the description of the upload. Secrets that were set by hand are kept.
    fn metadata(&self, digest: Option<&str>) -> Value {
        let binding = |(name, text)| json!({ "type": "plain_text", "name": name, "text": text });
        let bindings: Vec<_> = self.bindings(digest).into_iter().map(binding).collect();
        let mut metadata = json!({
            "main_module": MAIN,
            "bindings": bindings,
            "keep_bindings": ["secret_text", "secret_key"],
            "compatibility_date": self.compatibility_date,
            "compatibility_flags": self.compatibility_flags,
        });
        if let Some(digest) = digest {
            metadata["annotations"] = json!({ "workers/message": format!("run deploy {digest}") });
        }
        metadata
    }
}

fn is_name(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !name.is_empty()
        && name.len() <= 63
        && name.chars().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(
        project: &str,
        component: &str,
        change: impl Fn(&mut Options),
    ) -> Result<Worker, NameError> {
        let files = BTreeMap::from([(MAIN.to_owned(), b"export default {}".to_vec())]);
        let mut options = Options::parse(&BTreeMap::new(), &[component]).unwrap();
        change(&mut options);
        Worker::new(project, component, Bundle::from_files(files).unwrap(), &options)
    }

    #[test]
    fn names() {
        #[track_caller]
        fn check(project: &str, component: &str, expect: &str) {
            assert_eq!(worker(project, component, |_| {}).unwrap().name(), expect);
        }
        check("my-app", "api", "my-app-api");
        check("api", "api", "api");
        check("My_App", "api", "my-app-api");
        assert!(worker("ä", "api", |_| {}).is_err());
        assert!(worker("x", &"a".repeat(70), |_| {}).is_err());
    }

    #[test]
    fn everything_that_is_uploaded_is_in_the_digest() {
        let digest = |change: &dyn Fn(&mut Options)| worker("a", "b", change).unwrap().digest();
        let first = digest(&|_| {});
        assert_eq!(first, digest(&|_| {}));
        // Where it is reachable is no part of the upload.
        assert_eq!(first, digest(&|options| options.workers_dev = false));
        let others = [
            digest(&|options| drop(options.vars.insert("A".to_owned(), "b".to_owned()))),
            digest(&|options| options.compatibility_date = "2026-01-01".to_owned()),
            digest(&|options| options.compatibility_flags.push("x".to_owned())),
        ];
        assert!(others.iter().all(|other| *other != first));
    }
}
