//! The status as JSON, for programs.

use std::time::Instant;

use serde_json::{Value, json};

use crate::board::{BuildOutcome, News, Role};
use crate::front::Complaint;

/// Returns everything that the status page shows. Ages and times are in milliseconds.
pub(crate) fn status(news: &News, version: &str) -> Value {
    let components = news.components.iter().map(|component| {
        let (role, route) = match &component.role {
            Role::Handler { route } => ("handler", Some(route.as_str())),
            Role::NoRoute => ("handler", None),
            Role::Command { .. } => ("command", None),
            Role::Library => ("library", None),
            Role::Unknown => ("unknown", None),
        };
        let mut value = json!({
            "name": component.name,
            "language": component.language,
            "role": role,
            "route": route,
            "digest": component.digest,
            "capabilities": component.capabilities,
            "dependencies": component.dependencies,
            "stale": component.is_stale,
        });
        if let Role::Command { state } = &component.role {
            value["state"] = state.as_str().into();
        }
        value
    });
    let build = news.build.as_ref().map(|build| {
        let actions = build.actions.iter().map(|action| {
            json!({
                "action": action.label,
                "ms": millis(action.took),
                "failed": action.has_failed,
            })
        });
        json!({
            "success": build.outcome == BuildOutcome::Succeeded,
            "age_ms": age(build.ended),
            "ms": millis(build.took),
            "hits": build.hits,
            "ran": actions.collect::<Vec<_>>(),
        })
    });
    let errors = news.errors.iter().map(|error| {
        let mut value = complaint(&error.complaint);
        value["age_ms"] = age(error.when);
        value
    });
    let requests = news.requests.iter().map(|request| {
        let line = &request.line;
        json!({
            "age_ms": age(request.when),
            "method": line.method,
            "path": line.path,
            "status": line.status,
            "ms": millis(line.took),
            "component": line.component,
            "version": line.version,
            "failure": line.failure,
        })
    });
    json!({
        "project": news.project,
        "version": version,
        "hot_reload": news.is_live,
        "uptime_ms": age(news.started),
        "building": news.building.is_some(),
        "builds": news.builds,
        "behind": news.behind,
        "complaints": news.complaints.iter().map(complaint).collect::<Vec<_>>(),
        "components": components.collect::<Vec<_>>(),
        "last_build": build,
        "requests": {"total": news.requested, "failed": news.failed},
        "recent_requests": requests.collect::<Vec<_>>(),
        "recent_errors": errors.collect::<Vec<_>>(),
    })
}

fn complaint(complaint: &Complaint) -> Value {
    json!({
        "component": complaint.component,
        "title": complaint.title,
        "text": engine::plain(&complaint.text),
    })
}

fn age(when: Instant) -> Value {
    millis(when.elapsed())
}

/// Returns a time in milliseconds, rounded to microseconds.
fn millis(time: std::time::Duration) -> Value {
    let micros = u32::try_from(time.as_micros()).map_or(f64::MAX, f64::from);
    if time.as_secs() > 600 { (time.as_secs() * 1000).into() } else { (micros / 1000.0).into() }
}
