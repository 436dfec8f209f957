//! Gives components what they run with: variables, configuration values, and the network.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use dev::Offer;
use runtime::Network;

use crate::command_error::{CommandError, Kind};
use crate::config::Config;
use crate::package_registries;

/// Returns everything that components can be granted: the variables of this process and those of `--env`, and the values of
/// `--config`.
pub(super) fn offer(
    config: &Config,
    env: &[String],
    values: &[String],
) -> Result<Offer, CommandError> {
    Ok(Offer {
        env: pairs(environment(config), env, "--env")?,
        config: pairs(BTreeMap::new(), values, "--config")?,
    })
}

/// Returns the network for the requests of components; `None` if there is to be none.
pub(super) fn network(config: &Config) -> Result<Option<Network>, CommandError> {
    let network = package_registries::network(config);
    if network.offline {
        return Ok(None);
    }
    let client = registry::http_client(&network);
    let client = client.map_err(|error| CommandError::from_error(Kind::Environment, &error))?;
    Ok(Some(Network::new(client)))
}

/// Returns the variables of this process that are text.
fn environment(config: &Config) -> BTreeMap<String, String> {
    let text = |(name, value): (&OsString, &OsString)| {
        Some((name.to_str()?.to_owned(), value.to_str()?.to_owned()))
    };
    config.client_environment.iter().filter_map(text).collect()
}

/// Adds pairs such as `NAME=value` to what is there.
fn pairs(
    mut known: BTreeMap<String, String>,
    given: &[String],
    flag: &str,
) -> Result<BTreeMap<String, String>, CommandError> {
    for pair in given {
        let (name, value) =
            pair.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(|| {
                CommandError::usage(format!("{flag} {pair}: expected a name, `=` and a value"))
            })?;
        known.insert(name.to_owned(), value.to_owned());
    }
    Ok(known)
}

/// Returns the file of the secret by which this user knows their own machine code.
pub(super) fn seal(config: &Config) -> PathBuf {
    config.cache_folder.join(format!("machine-code-{}.key", rustix::process::getuid().as_raw()))
}
