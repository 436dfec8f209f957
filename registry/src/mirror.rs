//! The order in which a registry and its mirrors are asked.
//!
//! | what went wrong | what is done |
//! |---|---|
//! | no connection, 408, 429, 5xx, a body that is cut or too slow, each after all tries | the next one is asked |
//! | a mirror lacks the package or the version | the next one is asked, because a mirror may be behind |
//! | the registry itself lacks it | an error: what the registry says is true |
//! | credentials are missing or refused (401, 403) | an error, which names the host |
//! | other bytes than expected, no WebAssembly package, an odd answer, a redirect that is not followed | an error, which names the server |
//!
//! What could not be reached once is asked last from then on, so that the tries are paid once per process.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use crate::address::Address;
use crate::failure::{Error, Tried};
use crate::package::PackageId;
use crate::settings::Source;

/// The registries and mirrors that this process could not reach.
#[derive(Default)]
pub(crate) struct Mirrors {
    down: Mutex<BTreeSet<Address>>,
}

impl Mirrors {
    /// Asks a registry and its mirrors in turn, until one of them has an answer that counts. `package` is what the
    /// error speaks of.
    pub(crate) async fn ask<T>(
        &self,
        source: &Source,
        package: &PackageId,
        ask: impl AsyncFn(&Address) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut tried = Vec::new();
        for address in self.order(source) {
            let error = match ask(address).await {
                Ok(answer) => {
                    self.down(|down| down.remove(address));
                    return Ok(answer);
                }
                Err(error) => error,
            };
            let is_down = error.is_about_reaching();
            if is_down {
                self.down(|down| down.insert(address.clone()));
            }
            let may_be_behind = *address != source.registry && error.is_absence();
            if !is_down && !may_be_behind {
                return Err(error);
            }
            tried.push(Tried { address: address.to_string(), error });
        }
        match tried.pop() {
            Some(only) if tried.is_empty() => Err(only.error),
            last => {
                tried.extend(last);
                Err(Error::Unreachable { package: package.clone(), tried })
            }
        }
    }

    fn order<'a>(&self, source: &'a Source) -> Vec<&'a Address> {
        let mut order: Vec<_> = std::iter::once(&source.registry).chain(&source.mirrors).collect();
        self.down(|down| order.sort_by_key(|address| down.contains(*address)));
        order
    }

    fn down<T>(&self, with: impl FnOnce(&mut BTreeSet<Address>) -> T) -> T {
        with(&mut self.down.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
