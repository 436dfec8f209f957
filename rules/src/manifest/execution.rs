//! Reads `[execution]`: the cluster that executes actions.
//!
//! It is the sister of `[cache]`, and what a checkout may say about both is alike: an address, and which variables of the
//! user go into headers, but nothing that is secret or about the machine.

use std::collections::BTreeMap;

use super::cache::{Header, headers, instance};
use super::invalid::Invalid;
use super::span::Spanned;
use super::table::{self, Reader};
use super::url::RemoteUrl;

/// The settings of the cluster. What is not set is up to the user's configuration, or has a default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Execution {
    /// The address, of gRPC.
    pub remote: Option<Spanned<RemoteUrl>>,
    /// The instance of a server that has several (`instance_name` of the Remote Execution API).
    pub instance: Option<Spanned<String>>,
    /// Headers of each request, by name in lower case.
    pub headers: BTreeMap<String, Spanned<Header>>,
    /// The number of actions that are sent to the cluster at once.
    pub jobs: Option<Spanned<u16>>,
    /// The properties that a worker has to have.
    pub platform: BTreeMap<String, Spanned<String>>,
    /// False if an action fails that the cluster does not execute, instead of running on this machine.
    pub local_fallback: Option<Spanned<bool>>,
    /// True if results of the cluster are used although `[cache]` requires signed ones.
    pub accept_unsigned: Option<Spanned<bool>>,
}

/// The keys of `[execution]`.
pub(super) const KEYS: &[&str] =
    &["remote", "instance", "headers", "jobs", "platform", "local_fallback", "accept_unsigned"];

/// Reads `[execution]`.
pub(super) fn read(reader: &mut Reader<'_, '_>) -> Execution {
    Execution {
        remote: reader.value("remote", address),
        instance: reader.value("instance", instance),
        headers: headers(reader),
        jobs: reader.number("jobs", "number of jobs", 4096),
        platform: platform(reader),
        local_fallback: reader.flag("local_fallback"),
        accept_unsigned: reader.flag("accept_unsigned"),
    }
}

/// Parses the address of a cluster.
fn address(text: &str) -> Result<RemoteUrl, Invalid> {
    RemoteUrl::of_cluster(text)
}

fn platform(reader: &mut Reader<'_, '_>) -> BTreeMap<String, Spanned<String>> {
    let mut platform = BTreeMap::new();
    for (key, value) in reader.entries("platform") {
        match value.get_ref().as_str() {
            Some(text) => {
                platform.insert(key.value.to_owned(), Spanned::new(text.to_owned(), value.span()));
            }
            None => {
                let what = format!("property `{}`", key.value);
                reader.report(table::wrong_type(&what, value, "a string"));
            }
        }
    }
    platform
}
