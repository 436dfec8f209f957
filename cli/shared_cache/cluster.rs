//! Makes the client of the cluster that executes actions. The cluster and the shared cache of a build have the same digest
//! function, because a build has one.

use cache::DigestFunction;
use project::{ExecutionCluster, Project};
use remote::{Client, Trouble};
use rules::manifest::RemoteUrl;
use sandbox::Cancel;

use super::connect::{self, Connected, Memory};
use super::execution::{ClusterChoice, Objection};
use crate::arguments::What;
use crate::command_error::{CommandError, Kind};
use crate::config::Config;

/// The file in the project's private folder that remembers the digest function of the cluster.
pub(super) const MEMORY: &str = "cluster";

/// Chooses and reaches the shared cache and the cluster of a build. What can't be reached is not used, with a warning.
///
/// # Errors
/// If the configuration is wrong, or if something is required and can't be reached.
pub(crate) fn connect(
    config: &Config,
    what: &What,
    project: &Project,
    cancel: &Cancel,
) -> Result<Connected, CommandError> {
    let flags = (&what.how.execution, &what.how.shared_cache);
    let choice = ClusterChoice::new(config, flags, &project.manifest)?;
    let mut connected = connect::connect(config, &what.how.shared_cache, project, cancel)?;
    let Some(mut choice) = choice else { return Ok(connected) };
    if connected.cache.is_some() {
        choice.insist_on(connected.function);
    }
    let address = (choice.url.to_string(), choice.settings.instance.clone());
    if let Some((function, mut cluster)) = reach(config, choice, project, cancel)? {
        cluster.shares_cache = connected.address == Some(address);
        (connected.function, connected.cluster) = (function, Some(cluster));
    }
    Ok(connected)
}

/// Makes the client of a cluster. Returns `None` after a warning if it can't be used and need not.
fn reach(
    config: &Config,
    choice: ClusterChoice,
    project: &Project,
    cancel: &Cancel,
) -> Result<Option<(DigestFunction, ExecutionCluster)>, CommandError> {
    let ClusterChoice { settings, url, is_trusted, jobs, platform, falls_back, objection } = choice;
    if let Some(objection) = objection {
        let (what, remedy) = unsigned(&url, objection);
        if !falls_back {
            return Err(CommandError::usage(what).hint(remedy));
        }
        config.printer.warning(&format!("{what}; this build executes everything here; {remedy}"));
        return Ok(None);
    }
    let (wanted, instance) = (settings.digest_function, settings.instance.clone());
    let client = Client::for_execution(settings).map_err(|error| {
        CommandError::usage("the cluster can't be used as it is configured").caused_by(&error)
    })?;
    let memory = Memory::new(project, MEMORY, (&url, &instance), wanted);
    let function = match memory.or_ask(|| client.negotiate_execution(&|| cancel.is_cancelled())) {
        Ok(function) => function,
        Err(Trouble::Cancelled) => return Err(CommandError::silent(Kind::Interrupted)),
        Err(trouble @ Trouble::DigestFunction { .. }) => return Err(no_function(&trouble)),
        Err(trouble) if !falls_back => return Err(required(&trouble)),
        Err(trouble) => {
            let warning = format!("{trouble}; this build executes everything here");
            config.printer.warning(&warning);
            return Ok(None);
        }
    };
    let name = client.host().to_owned();
    let shares_cache = false;
    let cluster =
        ExecutionCluster { client, name, platform, jobs, is_trusted, falls_back, shares_cache };
    Ok(Some((function, cluster)))
}

/// Returns why results of a cluster can't be used, and what to do about it.
fn unsigned(url: &RemoteUrl, objection: Objection) -> (String, String) {
    let place = match objection {
        Objection::OfUser => " of your configuration, beside the address of the cluster",
        Objection::OfProject => "",
    };
    let what = format!("`require_signed` is set, and nobody signs what the cluster {url} executes");
    (what, format!("to trust the cluster, set `accept_unsigned = true` in `[execution]`{place}"))
}

fn no_function(trouble: &Trouble) -> CommandError {
    CommandError::usage("the cluster and the build have no digest function in common")
        .caused_by(trouble)
        .hint("set `digest_function` in `[cache]` to one that the cache and the cluster both have")
}

fn required(trouble: &Trouble) -> CommandError {
    CommandError::new(Kind::Remote, "actions have to be executed by a cluster that can't be used")
        .caused_by(trouble)
        .hint("set `local_fallback = true` in `[execution]` to build without it")
}
