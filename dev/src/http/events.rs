//! Tells pages in the browser what happens, by server-sent events
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).
//!
//! The pages of components hear of the event `state` whenever another version is served or something else is wrong. The status
//! page hears of the event `status` whenever it should look again.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::json;
use tokio::sync::mpsc;

use super::app::App;
use super::body::{Filled, ResponseBody};
use super::respond::{self, Kind};
use crate::front::Complaint;
use crate::page;

/// The time between two signs of life, by which a connection that is gone is noticed.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The pause after an event for the status page.
const PAUSE: Duration = Duration::from_millis(250);

/// The events that a page wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Those for pages of components.
    State,
    /// Those for the status page.
    Status,
}

/// Answers with a stream of events.
pub(crate) fn stream(app: &Arc<App>, wanted: Wanted) -> Response<ResponseBody> {
    let Ok(place) = Arc::clone(&app.listeners).try_acquire_owned() else {
        let full = "too many pages are listening; close some\n";
        return respond::text(StatusCode::SERVICE_UNAVAILABLE, Kind::Text, full);
    };
    let (sender, body) = Filled::new();
    let told = Arc::clone(app);
    app.tasks.spawn(async move {
        tell(&told, wanted, &sender).await;
        drop(place);
    });
    let mut response = Response::new(body.boxed_unsync());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Sends events until the client has gone.
async fn tell(app: &App, wanted: Wanted, sender: &mpsc::Sender<Bytes>) {
    let mut news = app.board.subscribe();
    let mut told = String::new();
    // A browser that has lost the connection tries again after this time.
    if sender.send(Bytes::from_static(b"retry: 500\n\n")).await.is_err() {
        return;
    }
    loop {
        news.mark_unchanged();
        let event = match wanted {
            Wanted::State => event("state", &state(app)),
            Wanted::Status => event("status", "{}"),
        };
        if wanted == Wanted::Status || event != told {
            told.clone_from(&event);
            if sender.send(event.into()).await.is_err() {
                return;
            }
        }
        if wanted == Wanted::Status {
            tokio::time::sleep(PAUSE).await;
        }
        loop {
            tokio::select! {
                changed = news.changed() => match changed {
                    Ok(()) => break,
                    Err(_) => return,
                },
                () = sender.closed() => return,
                () = tokio::time::sleep(HEARTBEAT) => {
                    if sender.send(Bytes::from_static(b": still here\n\n")).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

/// Returns what a page of a component has to know.
fn state(app: &App) -> String {
    let complaints = app.board.look(|news| news.complaints.clone());
    let problems = complaints.iter().map(|complaint| {
        json!({
            "title": page::colours(&complaint.title),
            "html": page::colours(complaint.text.trim_end()),
        })
    });
    let state = json!({
        "live": app.knobs.is_live(),
        "version": app.site.load().version,
        "id": id(&complaints),
        "problems": problems.collect::<Vec<_>>(),
    });
    state.to_string()
}

/// Returns a short text that changes when something else is wrong.
pub(crate) fn id(complaints: &[Complaint]) -> String {
    let mut hasher = blake3::Hasher::new();
    for complaint in complaints {
        for text in [&complaint.title, &complaint.text] {
            hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        }
    }
    hasher.finalize().to_hex().as_str()[..12].to_owned()
}

/// Writes an event. A line of data ends the line, so text of several lines has several.
fn event(name: &str, data: &str) -> String {
    let mut text = format!("event: {name}\n");
    for line in data.split(['\n', '\r']) {
        text.push_str("data: ");
        text.push_str(line);
        text.push('\n');
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_stays_data() {
        assert_eq!(event("state", "a"), "event: state\ndata: a\n\n");
        assert_eq!(
            event("state", "a\n\nevent: b\rc"),
            "event: state\ndata: a\ndata: \ndata: event: b\ndata: c\n\n"
        );
    }

    #[test]
    fn what_is_wrong_has_a_name() {
        let complaint = |title: &str, text: &str| {
            let (title, text) = (title.to_owned(), text.to_owned());
            Complaint { component: None, title, text }
        };
        assert_eq!(id(&[complaint("a", "b")]), id(&[complaint("a", "b")]));
        assert_ne!(id(&[complaint("a", "b")]), id(&[complaint("ab", "")]));
        assert_ne!(id(&[]), id(&[complaint("", "")]));
    }
}
