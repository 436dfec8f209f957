//! Deployments by the API: what is uploaded, what is not uploaded again, and where it is reached.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use deploy::bundle;
use deploy::cloudflare::{ApiError, Cloudflare, Deployed, Options, Plan, Settings, Worker};
use registry::{Network, Secret};

use crate::api::{ACCOUNT, Api, TOKEN, ZONE};
use crate::{components, packages};

/// A client of the server, which does not wait for long.
pub(crate) fn client(api: &Api) -> Cloudflare {
    client_with(api, TOKEN, &Arc::default())
}

pub(crate) fn client_with(api: &Api, token: &str, events: &Arc<Mutex<Vec<String>>>) -> Cloudflare {
    let events = Arc::clone(events);
    let network = Network {
        pause: Duration::from_millis(1),
        idle_timeout: Duration::from_secs(5),
        longest_wait: Duration::from_secs(2),
        ..Network::default()
    };
    Cloudflare::new(Settings {
        base_url: api.url(),
        token: Secret::new(token),
        network,
        cancelled: Arc::new(|| false),
        watch: Arc::new(move |event| events.lock().unwrap().push(format!("{event:?}"))),
    })
    .unwrap()
}

/// The worker of a component with these options.
pub(crate) fn worker(component: &[u8], options: &str) -> Worker {
    let table: toml::Table = options.parse().unwrap();
    let options = Options::parse(&table.into_iter().collect(), &["api"]).unwrap();
    let bundle = bundle(component, packages::shims()).unwrap();
    Worker::new("shop", "api", bundle, &options).unwrap()
}

pub(crate) fn plan(api: &Api, worker: Worker, force: bool) -> Result<Plan, ApiError> {
    client(api).plan(ACCOUNT, worker, force)
}

pub(crate) fn deploy(api: &Api, worker: Worker) -> Deployed {
    let client = client(api);
    client.apply(&client.plan(ACCOUNT, worker, false).unwrap()).unwrap()
}

#[test]
fn the_second_deployment_uploads_nothing() {
    let api = Api::start();
    let worker = worker(components::plain(), "vars = { GREETING = \"hi\" }");
    let first = deploy(&api, worker.clone());
    assert!(first.uploaded && first.changed);
    assert_eq!(first.addresses, ["https://shop-api.acme.workers.dev"]);
    let path = format!("/accounts/{ACCOUNT}/workers/scripts/shop-api");
    assert_eq!(
        api.writes(),
        [format!("PUT {path}?excludeScript=true"), format!("POST {path}/subdomain")]
    );
    let script = api.script("shop-api");
    let modules: BTreeMap<_, _> =
        script.modules.iter().map(|(name, (_, bytes))| (name.clone(), bytes.clone())).collect();
    assert_eq!(modules, *worker.bundle().modules());
    // A secret that was set by hand is no difference.
    api.with(|state| {
        let secret = serde_json::json!({ "type": "secret_text", "name": "KEY" });
        state.secrets.insert("shop-api".to_owned(), secret);
    });
    let second = deploy(&api, worker.clone());
    assert!(!second.uploaded && !second.changed);
    assert_eq!(second.addresses, first.addresses);
    assert!(api.writes().is_empty());
    // With force it is uploaded all the same.
    let forced = plan(&api, worker, true).unwrap();
    assert!(forced.upload && forced.workers_dev.is_none());
}

#[test]
fn what_was_changed_is_uploaded_again() {
    let api = Api::start();
    deploy(&api, worker(components::plain(), ""));
    for changed in [
        worker(components::waits(), ""),
        worker(components::plain(), "vars = { A = \"b\" }"),
        worker(components::plain(), "compatibility_date = \"2026-10-01\""),
    ] {
        assert!(plan(&api, changed, false).unwrap().upload);
    }
    // Somebody else has changed a variable there.
    api.with(|state| {
        let bindings = &mut state.scripts.get_mut("shop-api").unwrap().metadata["bindings"];
        let added = serde_json::json!({ "type": "plain_text", "name": "X", "text": "y" });
        bindings.as_array_mut().unwrap().push(added);
    });
    assert!(plan(&api, worker(components::plain(), ""), false).unwrap().upload);
}

#[test]
fn a_plan_writes_nothing() {
    let api = Api::start();
    let plan = plan(&api, worker(components::plain(), ""), false).unwrap();
    assert!(plan.upload && !plan.exists && !plan.is_done());
    assert!(api.writes().is_empty());
    assert!(api.with(|state| state.scripts.is_empty()));
}

#[test]
fn workers_in_a_zone() {
    let api = Api::start();
    let options = format!("account_id = \"{ACCOUNT}\"\nzone_id = \"{ZONE}\"");
    let first = deploy(&api, worker(components::plain(), &options));
    assert_eq!(first.addresses, ["https://shop-api.example.com"]);
    assert_eq!(api.with(|state| state.domains.clone())["shop-api.example.com"], "shop-api");
    assert!(!api.with(|state| state.workers_dev["shop-api"]));
    assert!(!deploy(&api, worker(components::plain(), &options)).changed);
    let routed = format!(
        "{options}\nroutes = [\"example.com/a/*\", \"example.com/b/*\"]\nworkers_dev = true"
    );
    api.with(|state| state.routes.push(("example.com/old/*".to_owned(), "shop-api".to_owned())));
    let plan = plan(&api, worker(components::plain(), &routed), false).unwrap();
    assert!(!plan.upload);
    assert_eq!(plan.new_routes, ["example.com/a/*", "example.com/b/*"]);
    assert_eq!(plan.other_routes, ["example.com/old/*"]);
    let deployed = client(&api).apply(&plan).unwrap();
    let addresses =
        ["https://shop-api.acme.workers.dev", "https://example.com/a/*", "https://example.com/b/*"];
    assert_eq!(deployed.addresses, addresses);
    assert!(api.with(|state| state.workers_dev["shop-api"]));
    assert!(!deploy(&api, worker(components::plain(), &routed)).changed);
}

#[test]
fn what_belongs_to_another_worker_stops_everything() {
    let api = Api::start();
    api.with(|state| {
        state.routes.push(("example.com/*".to_owned(), "blog".to_owned()));
        state.domains.insert("shop-api.example.com".to_owned(), "blog".to_owned());
    });
    for options in ["zone_id = \"xyz789\"\nroutes = [\"example.com/*\"]", "zone_id = \"xyz789\""] {
        let error = plan(&api, worker(components::plain(), options), false).unwrap_err();
        assert!(error.to_string().ends_with("belongs to the worker `blog` already"), "{error}");
    }
    assert!(api.writes().is_empty());
}

#[test]
fn the_account_is_found_if_there_is_only_one() {
    let api = Api::start();
    assert_eq!(client(&api).account(Some("given")).unwrap(), "given");
    assert_eq!(client(&api).account(None).unwrap(), ACCOUNT);
    api.with(|state| state.accounts.push("other"));
    let error = client(&api).account(None).unwrap_err();
    assert!(error.to_string().contains("The account abc123, The account other"), "{error}");
    assert!(error.advice().unwrap().contains("CLOUDFLARE_ACCOUNT_ID"));
    api.with(|state| state.no_subdomain = true);
    let error = plan(&api, worker(components::plain(), ""), false).unwrap_err();
    assert!(matches!(error, ApiError::NoSubdomain), "{error}");
}
