//! The content of a test, without places in run.toml: everything besides the component that the verdict depends on.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use project::Project;
use rules::manifest::test::Exercise;
use rules::manifest::{Component, Test};
use runtime::{Clock, Grants, Random};

use crate::{Offer, grant, grants};

/// The time at which the clock of a test starts: 2026-01-01T00:00:00Z, in seconds since 1970.
pub const START: u64 = 1_767_225_600;

/// The seed from which the random numbers of a test follow.
pub const SEED: u64 = 1;

/// A test as its action knows it.
#[derive(Clone, Debug)]
pub(super) struct Spec {
    /// The name of the component, which a command gets as its first argument.
    pub(super) component: String,
    pub(super) work: Work,
    pub(super) grants: Grants,
    pub(super) timeout: Duration,
}

/// The work of a test with its component, and the result that the component has to give.
#[derive(Clone, Debug)]
pub(super) enum Work {
    Function(Function),
    Request(Request),
    Command(Command),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Function {
    pub(super) interface: Option<String>,
    pub(super) function: String,
    pub(super) args: Vec<String>,
    pub(super) expect: Option<String>,
    pub(super) expect_error: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
    pub(super) expect_status: u16,
    pub(super) expect_headers: Vec<(String, String)>,
    pub(super) expect: Option<String>,
    pub(super) expect_contains: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Command {
    pub(super) args: Vec<String>,
    pub(super) stdin: String,
    pub(super) expect_status: Option<u16>,
    pub(super) expect: Option<String>,
    pub(super) expect_contains: Option<String>,
    pub(super) expect_error: Option<String>,
}

impl Spec {
    /// Makes the specification of a test of this component. The folders that the component may use are
    /// those of the project.
    pub(super) fn new(test: &Test, component: &Component, project: &Project) -> Self {
        Self {
            component: component.name.to_string(),
            work: work(&test.exercise),
            grants: granted(test, component, project),
            timeout: *test.timeout,
        }
    }

    /// Returns everything that the verdict depends on, for the key of the action.
    pub(super) fn arguments(&self) -> Vec<String> {
        let Self { component, work, grants, timeout } = self;
        vec![
            format!("component {component}"),
            format!("work {work:?}"),
            format!("grants {grants:?}"),
            format!("timeout {timeout:?}"),
        ]
    }
}

/// Returns what a component may do in a test. Clock and random numbers are such that each run sees the same.
fn granted(test: &Test, component: &Component, project: &Project) -> Grants {
    let env: BTreeMap<String, String> =
        test.env.iter().map(|(name, value)| (name.to_string(), value.value.clone())).collect();
    let with = test
        .capabilities
        .as_ref()
        .map(|capabilities| Component { capabilities: capabilities.clone(), ..component.clone() });
    let Project { folder, manifest } = project;
    let offer = Offer { env, config: BTreeMap::new() };
    let mut grants = grants(with.as_ref().unwrap_or(component), manifest, folder, &offer);
    for package in test.with.iter().filter_map(|name| manifest.dev_dependencies.get(&name.value)) {
        for capability in &package.capabilities {
            grant(&mut grants, &capability.value, folder, &offer);
        }
    }
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(START);
    grants.clock = grants.clock.map(|_| Clock::Virtual { start });
    grants.random = grants.random.map(|_| Random::Seeded(SEED));
    // What a component of tests prints is for whoever reads the report.
    grants.stdio |= *component.test;
    grants.logging |= *component.test;
    grants
}

fn work(exercise: &Exercise) -> Work {
    let text = |text: &Option<rules::manifest::Spanned<String>>| {
        text.as_ref().map(|text| text.value.clone())
    };
    match exercise {
        Exercise::Function(call) => Work::Function(Function {
            interface: call.function.interface().map(ToOwned::to_owned),
            function: call.function.function().to_owned(),
            args: call.args.iter().map(|arg| arg.value.clone()).collect(),
            expect: text(&call.expect),
            expect_error: text(&call.expect_error),
        }),
        Exercise::Request(request) => {
            let headers = |headers: &[(String, rules::manifest::Spanned<String>)]| {
                headers.iter().map(|(name, value)| (name.clone(), value.value.clone())).collect()
            };
            Work::Request(Request {
                method: request.line.method.clone(),
                path: request.line.path.clone(),
                headers: headers(&request.headers),
                body: text(&request.body).unwrap_or_default(),
                expect_status: *request.expect_status,
                expect_headers: headers(&request.expect_headers),
                expect: text(&request.expect),
                expect_contains: text(&request.expect_contains),
            })
        }
        Exercise::Command(command) => Work::Command(Command {
            args: command.args.iter().map(|arg| arg.value.clone()).collect(),
            stdin: text(&command.stdin).unwrap_or_default(),
            expect_status: command.expect_status.map(|status| status.value),
            expect: text(&command.expect),
            expect_contains: text(&command.expect_contains),
            expect_error: text(&command.expect_error),
        }),
    }
}
