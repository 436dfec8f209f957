//! Finds out what a deployment would change, and changes it.
//!
//! Everything is read before anything is written, so that a route of another worker or a missing permission to read is
//! found while nothing has changed. Each write makes the state what it has to be, whatever it was; so a deployment
//! that broke off is completed by deploying again.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use super::SIZE_LIMIT;
use super::api::{Call, Cloudflare, Event};
use super::failure::{ApiError, Permission};
use super::worker::Worker;
use crate::check::check_size;

/// Everything that deploying a worker would change.
#[derive(Clone, Debug)]
pub struct Plan {
    worker: Worker,
    account: String,
    /// The digest of what is to be uploaded.
    pub digest: String,
    /// True if the account has a worker with this name.
    pub exists: bool,
    /// True if the worker is uploaded.
    pub upload: bool,
    /// Whether the address below workers.dev is switched on or off, if that changes.
    pub workers_dev: Option<bool>,
    /// The routes that are added.
    pub new_routes: Vec<String>,
    /// The routes to this worker that the profile does not have. They are left alone.
    pub other_routes: Vec<String>,
    /// The host name in the zone that the worker gets, if it does not have it yet.
    pub new_domain: Option<String>,
    /// The addresses under which the worker is reached afterwards.
    pub addresses: Vec<String>,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployed {
    /// The name of the component.
    pub component: String,
    /// The name of the worker.
    pub worker: String,
    /// The digest of what is deployed.
    pub digest: String,
    /// True if the worker was uploaded.
    pub uploaded: bool,
    /// True if anything was changed.
    pub changed: bool,
    /// The addresses under which the worker is reached.
    pub addresses: Vec<String>,
}

impl Plan {
    /// Returns true if nothing would change.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        !self.upload
            && self.workers_dev.is_none()
            && self.new_routes.is_empty()
            && self.new_domain.is_none()
    }

    /// Returns the worker.
    #[must_use]
    pub const fn worker(&self) -> &Worker {
        &self.worker
    }
}

impl Cloudflare {
    /// Returns the account to deploy to: the given one, or else the only one that the token belongs to.
    ///
    /// # Errors
    /// If the token belongs to several accounts or may not list them.
    pub fn account(&self, given: Option<&str>) -> Result<String, ApiError> {
        if let Some(id) = given {
            return Ok(id.to_owned());
        }
        let call = get("list the accounts of the token", &["accounts"], Permission::Accounts);
        let accounts = items(&self.call(&call)?);
        match accounts.as_slice() {
            [only] if only["id"].is_string() => Ok(text(only, "id")),
            several => {
                Err(ApiError::Account(several.iter().map(|one| text(one, "name")).collect()))
            }
        }
    }

    /// Finds out what deploying a worker would change. Nothing is written. With `force`, the worker is uploaded even
    /// if the same is deployed already.
    ///
    /// # Errors
    /// If the bundle is too large, the API can't be asked, or a route belongs to another worker.
    pub fn plan(&self, account: &str, worker: Worker, force: bool) -> Result<Plan, ApiError> {
        check_size(&worker.component, worker.bundle().size(), SIZE_LIMIT)?;
        let digest = worker.digest();
        let deployed = self.bindings(account, &worker)?;
        let same = deployed.as_ref() == Some(&worker.bindings(Some(&digest)));
        let mut plan = Plan {
            account: account.to_owned(),
            digest,
            exists: deployed.is_some(),
            upload: force || !same,
            workers_dev: None,
            new_routes: Vec::new(),
            other_routes: Vec::new(),
            new_domain: None,
            addresses: Vec::new(),
            worker,
        };
        self.plan_workers_dev(&mut plan)?;
        match plan.worker.zone_id.clone() {
            Some(zone) if plan.worker.routes.is_empty() => self.plan_domain(&mut plan, &zone)?,
            Some(zone) => self.plan_routes(&mut plan, &zone)?,
            None => {}
        }
        Ok(plan)
    }

    /// Changes what a plan says.
    ///
    /// # Errors
    /// If the API can't be reached or refuses something. What was done before stays done.
    pub fn apply(&self, plan: &Plan) -> Result<Deployed, ApiError> {
        let worker = &plan.worker;
        let name = worker.name();
        if plan.upload {
            let body = worker.upload();
            self.tell(Event::Uploading { worker: name, size: body.bytes.len() as u64 });
            let mut call = script(plan, &format!("upload the worker `{name}`"), Method::PUT, &[]);
            // Without it, the answer has the whole script in it.
            call.query.push(("excludeScript", "true".to_owned()));
            call.body = Some((body.kind, body.bytes));
            self.call(&call)?;
        }
        if let Some(enabled) = plan.workers_dev {
            let doing = format!(
                "switch the workers.dev address of `{name}` {}",
                if enabled { "on" } else { "off" }
            );
            let mut call = script(plan, &doing, Method::POST, &["subdomain"]);
            call.body = Some(json_body(&json!({ "enabled": enabled })));
            self.call(&call)?;
        }
        if let Some(zone) = &worker.zone_id {
            for pattern in &plan.new_routes {
                let doing = format!("add the route `{pattern}`");
                let mut call =
                    get(&doing, &["zones", zone, "workers", "routes"], Permission::Routes);
                (call.method, call.repeatable) = (Method::POST, false);
                call.body = Some(json_body(&json!({ "pattern": pattern, "script": name })));
                self.call(&call)?;
            }
            if let Some(hostname) = &plan.new_domain {
                let path = ["accounts", &plan.account, "workers", "domains"];
                let mut call =
                    get(&format!("add the host name `{hostname}`"), &path, Permission::Routes);
                call.method = Method::PUT;
                let wanted = json!({
                    "hostname": hostname, "service": name, "zone_id": zone, "environment": "production",
                });
                call.body = Some(json_body(&wanted));
                self.call(&call)?;
            }
        }
        Ok(Deployed {
            component: worker.component.clone(),
            worker: name.to_owned(),
            digest: plan.digest.clone(),
            uploaded: plan.upload,
            changed: !plan.is_done(),
            addresses: plan.addresses.clone(),
        })
    }

    /// Returns the bindings of the deployed worker that are texts, or `None` if there is no such worker. Of other
    /// bindings only secrets are no difference, because those are set by hand.
    fn bindings(
        &self,
        account: &str,
        worker: &Worker,
    ) -> Result<Option<BTreeMap<String, String>>, ApiError> {
        let name = worker.name();
        let path = ["accounts", account, "workers", "scripts", name, "settings"];
        let call =
            get(&format!("read the settings of the worker `{name}`"), &path, Permission::Scripts);
        let Some(settings) = self.find(&call)? else { return Ok(None) };
        let mut bindings = BTreeMap::new();
        for binding in items(&settings["bindings"]) {
            match text(&binding, "type").as_str() {
                "secret_text" | "secret_key" => continue,
                "plain_text" => bindings.insert(text(&binding, "name"), text(&binding, "text")),
                kind => {
                    bindings.insert(text(&binding, "name"), format!("a binding of the type {kind}"))
                }
            };
        }
        Ok(Some(bindings))
    }

    fn plan_workers_dev(&self, plan: &mut Plan) -> Result<(), ApiError> {
        let wanted = plan.worker.workers_dev;
        let name = plan.worker.name().to_owned();
        if wanted {
            let path = ["accounts", &plan.account, "workers", "subdomain"];
            let call =
                get("read the account's subdomain of workers.dev", &path, Permission::Scripts);
            let subdomain = self.find(&call)?.map(|found| text(&found, "subdomain"));
            let subdomain =
                subdomain.filter(|text| !text.is_empty()).ok_or(ApiError::NoSubdomain)?;
            plan.addresses.push(format!("https://{name}.{subdomain}.workers.dev"));
        }
        let mut enabled = None;
        if plan.exists {
            let doing = format!("read whether `{name}` has a workers.dev address");
            let found = self.find(&script(plan, &doing, Method::GET, &["subdomain"]))?;
            enabled = found.and_then(|found| found["enabled"].as_bool());
        }
        plan.workers_dev = Some(wanted).filter(|_| enabled != Some(wanted));
        Ok(())
    }

    fn plan_routes(&self, plan: &mut Plan, zone: &str) -> Result<(), ApiError> {
        let call = get(
            "read the routes of the zone",
            &["zones", zone, "workers", "routes"],
            Permission::Routes,
        );
        let name = plan.worker.name().to_owned();
        let wanted = &plan.worker.routes;
        let mut present = BTreeMap::new();
        for route in items(&self.call(&call)?) {
            present.insert(text(&route, "pattern"), text(&route, "script"));
        }
        for pattern in wanted {
            match present.get(pattern) {
                None => plan.new_routes.push(pattern.clone()),
                Some(script) if *script == name => {}
                Some(script) => {
                    return Err(ApiError::Taken {
                        pattern: pattern.clone(),
                        worker: script.clone(),
                    });
                }
            }
        }
        let others = present
            .iter()
            .filter(|(pattern, script)| **script == name && !wanted.contains(*pattern));
        plan.other_routes = others.map(|(pattern, _)| pattern.clone()).collect();
        plan.addresses.extend(wanted.iter().map(|pattern| address(pattern)));
        Ok(())
    }

    /// Plans the host name that a worker without routes gets in its zone: its own name below that of the zone.
    fn plan_domain(&self, plan: &mut Plan, zone: &str) -> Result<(), ApiError> {
        let found =
            self.call(&get("read the name of the zone", &["zones", zone], Permission::Zone))?;
        let name = plan.worker.name();
        let hostname = format!("{name}.{}", text(&found, "name"));
        let path = ["accounts", &plan.account, "workers", "domains"];
        let mut call = get("read the host names of workers", &path, Permission::Scripts);
        call.query.push(("hostname", hostname.clone()));
        let present = items(&self.call(&call)?);
        let owner = present.iter().find(|domain| text(domain, "hostname") == hostname);
        match owner.map(|domain| text(domain, "service")) {
            None => plan.new_domain = Some(hostname.clone()),
            Some(service) if service == name => {}
            Some(service) => return Err(ApiError::Taken { pattern: hostname, worker: service }),
        }
        plan.addresses.push(format!("https://{hostname}"));
        Ok(())
    }
}

/// Returns the address of a route's pattern, whose scheme is optional.
fn address(pattern: &str) -> String {
    if pattern.contains("://") { pattern.to_owned() } else { format!("https://{pattern}") }
}

fn get(doing: &str, path: &[&str], permission: Permission) -> Call {
    Call {
        doing: doing.to_owned(),
        method: Method::GET,
        path: path.iter().map(|part| (*part).to_owned()).collect(),
        query: Vec::new(),
        body: None,
        permission,
        repeatable: true,
    }
}

/// Makes a call about the script of a worker.
fn script(plan: &Plan, doing: &str, method: Method, rest: &[&str]) -> Call {
    let path = ["accounts", &plan.account, "workers", "scripts", plan.worker.name()];
    let mut call = get(doing, &path, Permission::Scripts);
    call.path.extend(rest.iter().map(|part| (*part).to_owned()));
    call.method = method;
    call
}

fn json_body(value: &Value) -> (String, bytes::Bytes) {
    ("application/json".to_owned(), value.to_string().into())
}

fn items(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}
