//! Prints results for programs: one JSON object per line on standard output. The key `event` says what kind
//! of object it is.

use std::time::Duration;

use engine::{ActionEnd, Event, Failure, Hit, Label, Progress, Summary};
use rules::wasm::{Change, Difference};
use sandbox::Isolation;
use serde_json::{Value, json};

use super::{mask, stdout};

/// Writes one line.
pub(crate) fn emit(value: &Value) {
    stdout::write(&format!("{}\n", mask::json(value)));
}

/// Returns the object for a build event.
pub(crate) fn event(event: &Event) -> Value {
    match event {
        Event::BuildStarted { actions } => json!({"event": "build_started", "actions": actions}),
        Event::MoreActions { actions } => json!({"event": "more_actions", "actions": actions}),
        Event::Fetching { label } => json!({"event": "outputs_fetching", "action": name(label)}),
        Event::Fetched { label, is_whole } => {
            json!({"event": "outputs_fetched", "action": name(label), "complete": is_whole})
        }
        Event::Uploading { left } => json!({"event": "uploading", "results_left": left}),
        Event::Started { label, cluster } => {
            let mut value = json!({"event": "action_started", "action": name(label)});
            if let Some(cluster) = cluster {
                value["cluster"] = cluster.as_str().into();
            }
            value
        }
        Event::Progress { label, progress } => progressed(label, progress),
        Event::Finished { label, finish, messages } => {
            let mut value = finished(finish);
            value["event"] = "action_finished".into();
            value["action"] = name(label);
            if !messages.is_empty() {
                value["stdout"] = text(&messages.stdout);
                value["stderr"] = text(&messages.stderr);
            }
            value
        }
        Event::BuildFinished(summary) => summary_value(summary),
    }
}

/// Returns the object for the end of a command that builds: its components with their paths, and how their
/// actions were isolated from the machine.
pub(crate) fn build_finished(
    outputs: &[(String, String)],
    isolation: Isolation,
    success: bool,
) -> Value {
    let components: Vec<Value> =
        outputs.iter().map(|(name, path)| json!({"name": name, "path": path})).collect();
    let sandbox = isolation.name();
    json!({"event": "result", "success": success, "sandbox": sandbox, "components": components})
}

/// Returns the object for a file that is no longer made. It was removed, or it was left because it has been
/// changed.
pub(crate) fn removed(path: &str, removed: bool) -> Value {
    json!({"event": if removed { "removed" } else { "left" }, "path": path})
}

/// Returns the object for a file of the project that an action looked for and did not see.
pub(crate) fn looked_for(advice: &str) -> Value {
    json!({"event": "looked_for", "text": advice})
}

/// Returns the object for the comparison of one component.
pub(crate) fn verified(component: &str, differences: &[Difference], kept: &[String]) -> Value {
    let differences: Vec<Value> = differences.iter().map(difference).collect();
    json!({
        "event": "verified",
        "component": component,
        "identical": differences.is_empty(),
        "differences": differences,
        "kept": kept,
    })
}

fn difference(difference: &Difference) -> Value {
    let mut value = json!({"place": difference.place, "text": difference.to_string()});
    match &difference.change {
        Change::Missing(size) => value["only_in_first_bytes"] = (*size).into(),
        Change::Added(size) => value["only_in_second_bytes"] = (*size).into(),
        Change::Bytes { sizes, at, in_file, address, bytes: _, count } => {
            value["sizes"] = json!([sizes.0, sizes.1]);
            value["first_at"] = (*at).into();
            value["first_at_file_offset"] = (*in_file).into();
            value["first_at_memory_address"] = (*address).into();
            value["differing_bytes"] = (*count).into();
        }
    }
    value
}

/// Returns the object for errors or warnings about a configuration file, with the text that is printed for
/// people.
pub(crate) fn diagnostic(rendered: &str) -> Value {
    json!({"event": "diagnostic", "rendered": rendered})
}

/// Returns the object for what went to and came from the shared cache since the command began.
pub(super) fn transfers(down: u64, up: u64, speed: u64) -> Value {
    json!({
        "event": "transfers",
        "downloaded_bytes": down,
        "uploaded_bytes": up,
        "bytes_per_second": speed,
    })
}

fn progressed(label: &Label, progress: &Progress) -> Value {
    let mut value = json!({"event": "action_progress", "action": name(label)});
    match progress {
        Progress::Bytes { done, total } => {
            value["bytes_done"] = (*done).into();
            value["bytes_total"] = (*total).into();
        }
        Progress::Text(text) => value["text"] = text.as_str().into(),
    }
    value
}

fn finished(finish: &ActionEnd) -> Value {
    match finish {
        ActionEnd::Hit(hit) => json!({"outcome": "hit", "cache": match hit {
            Hit::State => "state",
            Hit::Local => "local",
            Hit::Remote => "remote",
            Hit::Pinned => "pinned",
        }}),
        ActionEnd::Ran(usage) => json!({
            "outcome": "ran",
            "wall_ms": millis(usage.wall),
            "cpu_ms": millis(usage.cpu),
            "max_rss_bytes": usage.max_rss,
        }),
        ActionEnd::Failed(failure) => failed(failure),
        ActionEnd::Skipped { because } => json!({"outcome": "skipped", "because": name(because)}),
        ActionEnd::Cancelled => json!({"outcome": "cancelled"}),
    }
}

fn failed(failure: &Failure) -> Value {
    json!({
        "outcome": "failed",
        "reason": failure.kind.to_string(),
        "command": failure.command.as_ref().map(|command| &command.argv),
        "stdout": text(&failure.stdout),
        "stderr": text(&failure.stderr),
        "truncated": failure.truncated,
    })
}

fn summary_value(summary: &Summary) -> Value {
    json!({
        "event": "build_finished",
        "actions": summary.actions,
        "hits": summary.hits,
        "remote_hits": summary.remote_hits,
        "ran": summary.ran,
        "ran_on_cluster": summary.ran_on_cluster,
        "failed": summary.failed,
        "skipped": summary.skipped,
        "cancelled": summary.cancelled,
        "wall_ms": millis(summary.wall),
    })
}

fn name(label: &Label) -> Value {
    json!({"owner": label.owner(), "step": label.step()})
}

fn text(bytes: &[u8]) -> Value {
    engine::plain(&String::from_utf8_lossy(bytes)).into()
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
