//! Servers that refuse, fail, lie or never end.

use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use deploy::cloudflare::ApiError;

use crate::api::{ACCOUNT, Api, TOKEN, Trick};
use crate::components;
use crate::deploys::{client_with, deploy, plan, worker};

/// Plans a deployment at a server that plays tricks, and returns the error with its causes and advice.
#[track_caller]
fn refused(tricks: &[Trick]) -> (ApiError, String) {
    let api = Api::start();
    api.play(tricks);
    let error = plan(&api, worker(components::plain(), ""), false).unwrap_err();
    let mut text = format!("{error}; {:?}", error.advice());
    let mut cause = error.source();
    while let Some(source) = cause {
        text += &format!("; {source}");
        cause = source.source();
    }
    assert!(!text.contains(TOKEN) && !format!("{error:?}").contains(TOKEN), "{text}");
    assert!(api.writes().is_empty());
    (error, text)
}

#[test]
fn refusals_say_which_variable_and_which_permission() {
    let (error, text) = refused(&[Trick::Fail(401, 10000)]);
    assert!(matches!(error, ApiError::Unauthorized { .. }), "{text}");
    assert!(
        text.contains("CLOUDFLARE_API_TOKEN") && text.contains("this is what the API says"),
        "{text}"
    );
    let (error, text) = refused(&[Trick::Fail(403, 10000)]);
    assert!(matches!(error, ApiError::Forbidden { .. }), "{text}");
    assert!(text.contains("Account > Workers Scripts > Edit"), "{text}");
    let (_, text) = refused(&[Trick::Fail(400, 6003)]);
    assert!(text.contains("does not accept the token"), "{text}");
    // An envelope may report an error with a status of success.
    let (error, text) = refused(&[Trick::Fail(200, 10021)]);
    assert!(matches!(error, ApiError::Refused { status: 200, .. }), "{text}");
    assert!(text.contains("(code 10021)"), "{text}");
}

#[test]
fn the_token_is_nowhere_in_what_is_said() {
    let (_, text) = refused(&[Trick::Echo]);
    assert!(text.contains("bad header Bearer ***"), "{text}");
    let api = Api::start();
    let wrong = "a-wrong-token-of-the-test";
    let events = Arc::<Mutex<Vec<String>>>::default();
    let client = client_with(&api, wrong, &events);
    let error = client.plan(ACCOUNT, worker(components::plain(), ""), false).unwrap_err();
    let all = format!("{error} {error:?} {client:?} {events:?}");
    assert!(all.contains("does not accept the token") && !all.contains(wrong), "{all}");
}

#[test]
fn what_passes_is_tried_again() {
    let api = Api::start();
    api.play(&[Trick::Later(500, "0"), Trick::Later(502, "0"), Trick::Half]);
    assert!(deploy(&api, worker(components::plain(), "")).uploaded);
    api.with(|state| state.scripts.clear());
    let events = Arc::<Mutex<Vec<String>>>::default();
    let client = client_with(&api, TOKEN, &events);
    api.play(&[Trick::Later(429, "1")]);
    let begin = Instant::now();
    let plan = client.plan(ACCOUNT, worker(components::plain(), ""), false).unwrap();
    assert!(begin.elapsed() >= Duration::from_secs(1));
    // An upload that breaks off is made again.
    api.play(&[Trick::Half, Trick::Later(503, "0")]);
    assert!(client.apply(&plan).unwrap().uploaded);
    let events = events.lock().unwrap().join("\n");
    assert!(
        events.contains("Retrying") && events.contains("429") && !events.contains(TOKEN),
        "{events}"
    );
}

#[test]
fn what_does_not_pass_ends() {
    let (error, text) = refused(&[const { Trick::Later(503, "0") }; 9]);
    assert!(matches!(error, ApiError::Unreachable { attempts: 4, .. }), "{text}");
    let begin = Instant::now();
    let (_, text) = refused(&[Trick::Later(429, "3600")]);
    assert!(text.contains("asks to wait for 3600 s"), "{text}");
    assert!(begin.elapsed() < Duration::from_secs(60));
    let (error, text) = refused(&[Trick::Endless]);
    assert!(matches!(error, ApiError::TooLong { .. }), "{text}");
    let (error, text) = refused(&[Trick::Page]);
    assert!(matches!(error, ApiError::Malformed { .. }), "{text}");
    assert!(text.contains("CLOUDFLARE_API_BASE_URL"), "{text}");
}

#[test]
fn a_route_is_not_added_twice() {
    let api = Api::start();
    let routed = worker(components::plain(), "zone_id = \"xyz789\"\nroutes = [\"example.com/*\"]");
    let client = client_with(&api, TOKEN, &Arc::default());
    let plan = client.plan(ACCOUNT, routed.clone(), false).unwrap();
    // The answers to the upload, to the switch, and to the route, which may have been added.
    api.play(&[Trick::Later(429, "0"), Trick::Later(429, "0")]);
    api.writes();
    assert!(client.apply(&plan).is_ok());
    assert_eq!(api.writes().iter().filter(|request| request.ends_with("/routes")).count(), 1);
    api.with(|state| state.routes.clear());
    let plan = client.plan(ACCOUNT, routed, false).unwrap();
    assert!(!plan.upload);
    api.writes();
    api.play(&[Trick::Later(500, "0")]);
    let error = client.apply(&plan).unwrap_err();
    assert!(matches!(error, ApiError::Unknown { .. }), "{error}");
    assert_eq!(api.writes().len(), 1);
}
