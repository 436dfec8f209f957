//! Says to people what a release claims, who claims it, and what was checked.
//!
//! A claim is shown whether anybody believes it or not, with the word who makes it. Texts of the release are shown
//! without control characters and not longer than a line.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::archive::Place;
use crate::statement::{Role, Sandbox, Sources, Statement};
use crate::text::printable;
use crate::verify::{Check, Claim, FaultKind, Report, Signer};

/// The most characters of a text that are shown.
const MOST: usize = 200;

/// Writes a report for people.
#[must_use]
pub fn explain(report: &Report) -> String {
    let mut text = String::new();
    files(&mut text, report);
    claims(&mut text, &report.claims);
    checks(&mut text, &report.checks);
    let verdict = match report.verdict() {
        None => "The release is accepted.",
        Some(FaultKind::Integrity) => "The release is refused: its bytes or signatures are wrong.",
        Some(FaultKind::Policy) => "The release is refused: it does not prove what is required.",
    };
    line(&mut text, verdict);
    text
}

fn line(text: &mut String, line: impl std::fmt::Display) {
    // Writing to a `String` can't fail.
    let _ = writeln!(text, "{line}");
}

fn files(text: &mut String, report: &Report) {
    let Some(files) = &report.files else { return };
    line(text, format_args!("Release {}", files.root()));
    for (path, bytes) in files.iter() {
        if !matches!(path.place(), Place::Attestation(_)) {
            line(text, format_args!("  {path} ({} bytes)", bytes.len()));
        }
    }
    line(text, "");
}

fn claims(text: &mut String, claims: &[Claim]) {
    let Some(first) = claims.first() else { return };
    line(text, "What is claimed");
    for claim in claims {
        signer(text, claim);
        let is_first = std::ptr::eq(claim, first);
        if !is_first && is_same_build(&claim.statement, &first.statement) {
            line(text, "    the same as above");
        } else {
            build(text, &claim.statement);
        }
    }
    line(text, "");
}

fn is_same_build(one: &Statement, other: &Statement) -> bool {
    one.subject == other.subject
        && one.predicate.build_definition == other.predicate.build_definition
}

fn signer(text: &mut String, claim: &Claim) {
    let who = match &claim.signer {
        Signer::Trusted(key) => format!("the trusted key `{}`", printable(key, MOST)),
        Signer::Expired(key, last) => {
            format!("the key `{}`, whose last day was {last}", printable(key, MOST))
        }
        Signer::Unknown(key) => {
            format!("SOMEBODY UNKNOWN, who names the key `{}`", printable(key, MOST))
        }
    };
    let builder = &claim.statement.predicate.run_details.builder;
    let versions = builder.version.iter().map(|(name, version)| format!(" {name} {version}"));
    let versions: Vec<String> = versions.collect();
    let versions =
        if versions.is_empty() { String::new() } else { format!(" with{}", versions.join(",")) };
    line(text, format_args!("  by {who}"));
    line(
        text,
        format_args!("    builder {}{}", printable(&builder.id, MOST), printable(&versions, MOST)),
    );
}

fn build(text: &mut String, statement: &Statement) {
    let definition = &statement.predicate.build_definition;
    let (external, internal) = (&definition.external_parameters, &definition.internal_parameters);
    let project = printable(&external.project, MOST);
    let level = printable(&external.opt_level, MOST);
    line(text, format_args!("    `{project}` {}, built for `{level}`", external.version));
    let state = match internal.sources {
        Sources::Clean => "the sources are those of the commit",
        Sources::Dirty => "the sources were CHANGED after the commit",
        Sources::Untracked => "the sources are in NO repository",
    };
    line(text, format_args!("    {state}"));
    let sandbox = match internal.sandbox {
        Sandbox::Namespaces => "separated by namespaces",
        Sandbox::Weak => "in a WEAK sandbox",
        Sandbox::None => "WITHOUT a sandbox",
    };
    let platform = printable(&internal.platform, MOST);
    line(text, format_args!("    the actions ran on {platform}, {sandbox}"));
    match internal.rebuilds {
        0 => line(text, "    nobody has built it again"),
        times => line(text, format_args!("    {times} rebuilds gave the same bytes")),
    }
    for subject in &statement.subject {
        let name = printable(&subject.name, MOST);
        line(text, format_args!("    made: {name} {}", subject.digest));
    }
    for (component, key) in &internal.action_keys {
        let (component, key) = (printable(component, MOST), printable(key, MOST));
        line(text, format_args!("    action key of {component}: {key}"));
    }
    used(text, statement);
}

/// Lists what went into the build, by its part in it.
fn used(text: &mut String, statement: &Statement) {
    let mut by_role: BTreeMap<Role, Vec<String>> = BTreeMap::new();
    for dependency in &statement.predicate.build_definition.resolved_dependencies {
        let shown = format!("{} {}", printable(dependency.shown(), MOST), dependency.digest);
        by_role.entry(dependency.annotations.role).or_default().push(shown);
    }
    for (role, dependencies) in by_role {
        let title = match role {
            Role::File => "files of the project",
            Role::Source => "sources",
            Role::Tool => "tools",
            Role::Runtime => "parts of toolchains",
            Role::Library => "libraries",
            Role::Wit => "WIT packages",
        };
        line(text, format_args!("    used: {title}"));
        for dependency in dependencies {
            line(text, format_args!("      {dependency}"));
        }
    }
}

fn checks(text: &mut String, checks: &[Check]) {
    line(text, "What was checked");
    for check in checks {
        match check {
            Check::Passed(sentence) => line(text, format_args!("  ok       {sentence}")),
            Check::NotCounted(sentence) => line(text, format_args!("  ignored  {sentence}")),
            Check::Failed(fault) => line(text, format_args!("  FAILED   {fault}")),
        }
    }
    line(text, "");
}
