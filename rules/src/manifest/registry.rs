//! Reads `[registry]`, and what the environment says about the registry.
//!
//! The environment itself is read by the caller and passed in as [`Overrides`].

use super::diagnostic::Diagnostic;
use super::invalid::Invalid;
use super::secret::Secret;
use super::span::{Setting, Spanned};
use super::table::Reader;
use super::url::RegistryUrl;

/// The registry settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registry {
    /// The address of the registry.
    pub url: Setting<RegistryUrl>,
    /// The token that identifies the user to the registry.
    pub auth_token: Option<Setting<Secret>>,
    /// The addresses of mirrors, in the order in which they are tried.
    pub mirrors: Vec<Spanned<RegistryUrl>>,
}

/// The address of the registry if none is configured. It is the default of the configuration reference.
const DEFAULT_URL: &str = "https://registry.esubalew.dev";

impl Default for Registry {
    fn default() -> Self {
        let url = DEFAULT_URL.parse().expect("the default is a valid URL");
        Self { url: Setting::implied(url), auth_token: None, mirrors: Vec::new() }
    }
}

/// The environment's values for registry settings. The caller reads the environment.
///
/// A variable that is set to the empty text counts as not set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// The value of `RUN_REGISTRY_URL`.
    pub registry_url: Option<String>,
    /// The value of `RUN_AUTH_TOKEN`.
    pub auth_token: Option<Secret>,
}

impl Registry {
    /// Lets the environment override the file.
    ///
    /// # Errors
    /// Fails if RUN_REGISTRY_URL is not the address of a registry.
    pub fn apply(&mut self, overrides: &Overrides) -> Result<(), Invalid> {
        if let Some(text) = overrides.registry_url.as_deref().filter(|text| !text.is_empty()) {
            let url = text.parse().map_err(|invalid: Invalid| Invalid {
                message: format!("RUN_REGISTRY_URL: {}", invalid.message),
                ..invalid
            })?;
            self.url = Setting::implied(url);
        }
        if let Some(token) = overrides.auth_token.as_ref().filter(|t| !t.expose().is_empty()) {
            self.auth_token = Some(Setting::implied(token.clone()));
        }
        Ok(())
    }
}

/// Reads `[registry]`.
pub(super) fn read(reader: &mut Reader<'_, '_>) -> Registry {
    Registry {
        url: Setting::or(reader.parse("url"), Registry::default().url.value),
        auth_token: read_token(reader),
        mirrors: reader.list("mirrors"),
    }
}

fn read_token(reader: &mut Reader<'_, '_>) -> Option<Setting<Secret>> {
    let token = reader.value("auth_token", |text| match text {
        "" => Err(Invalid::empty("`auth_token`")),
        _ => Ok(Secret::new(text)),
    });
    if let Some(key) = reader.key("auth_token") {
        reader.report(
            Diagnostic::warning(key, "`auth_token` is in a file that is meant to be shared")
                .label("a secret")
                .help("set the environment variable RUN_AUTH_TOKEN instead"),
        );
    }
    token.map(Setting::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overrides(url: &str, token: &str) -> Overrides {
        Overrides { registry_url: Some(url.into()), auth_token: Some(Secret::new(token)) }
    }

    #[test]
    fn the_environment_wins() {
        let mut registry = Registry::default();
        registry.apply(&overrides("http://localhost:5000/", "t0ken")).unwrap();
        assert_eq!(registry.url.as_str(), "http://localhost:5000");
        assert_eq!(registry.auth_token.unwrap().expose(), "t0ken");
    }

    #[test]
    fn empty_variables_are_not_set() {
        let mut registry = Registry::default();
        registry.apply(&overrides("", "")).unwrap();
        assert_eq!(registry, Registry::default());
        registry.apply(&Overrides::default()).unwrap();
        assert_eq!(registry, Registry::default());
    }

    #[test]
    fn a_bad_address_names_its_variable() {
        let error = Registry::default().apply(&overrides("ftp://x", "")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "RUN_REGISTRY_URL: `ftp://x` is not a URL of a registry: its scheme is `ftp`, not `https`, `http`, `oci`, `oci+http` \
             or `file`"
        );
    }

    #[test]
    fn debug_hides_the_token() {
        assert!(!format!("{:?}", overrides("", "t0ken")).contains("t0ken"));
    }
}
