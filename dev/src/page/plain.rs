//! The small pages: the list of components at `/`, the page in place of one that can't be served, and the one for a path that
//! belongs to no component.

use std::fmt::Write as _;

use super::escape::{Escaped, colours};
use crate::board::{News, Role};
use crate::front::Complaint;

/// Returns the page that lists what is served, for projects that serve nothing at `/`.
pub(crate) fn index(news: &News, script: &str) -> String {
    let mut body = format!(
        "<h1>{}</h1><p class=\"lead\">A project with several web components. Each answers below its own path.</p>",
        Escaped(&news.project)
    );
    list(&mut body, news);
    page(&news.project, &body, script)
}

/// Returns the page for a path that belongs to no component.
pub(crate) fn no_route(news: &News, path: &str, script: &str) -> String {
    let mut body = format!(
        "<h1>Nothing is served here</h1><p class=\"lead\">No component has a route for <code>{}</code>.</p>",
        Escaped(path)
    );
    list(&mut body, news);
    page("Nothing is served here", &body, script)
}

/// Returns the page in place of a component that was never built. It loads itself again.
pub(crate) fn unavailable(news: &News, script: &str) -> String {
    let title = if news.complaints.is_empty() { "Building…" } else { "The build failed" };
    let mut body = format!("<h1>{title}</h1>");
    body.push_str(match news.complaints.is_empty() {
        true => "<p class=\"lead\">Nothing is served yet. This page shows the component as soon as it is built.</p>",
        false => "<p class=\"lead\">Nothing is served yet. This page goes on as soon as the error is mended.</p>",
    });
    complaints(&mut body, &news.complaints);
    // Without a script, the browser asks again all the time.
    let script =
        format!("<noscript><meta http-equiv=\"refresh\" content=\"2\"></noscript>{script}");
    page(title, &body, &script)
}

/// Returns the page in place of the response of a component that has failed. `said` is the end of its standard error.
pub(crate) fn failed(component: &str, happened: &str, said: &str, script: &str) -> String {
    let title = format!("{component} failed");
    let mut body = format!(
        "<h1>{}</h1><p class=\"lead\">It gave no response to this request. Other requests are not affected.</p>",
        Escaped(&title)
    );
    for (title, text) in [("What it wrote", said), ("What happened", happened)] {
        if !text.trim().is_empty() {
            let (title, text) = (title.to_owned(), text.to_owned());
            complaints(&mut body, &[Complaint { component: None, title, text }]);
        }
    }
    page(&title, &body, script)
}

/// Adds what is wrong now.
pub(super) fn complaints(html: &mut String, complaints: &[Complaint]) {
    for complaint in complaints {
        let title = Escaped(&complaint.title);
        let text = colours(complaint.text.trim_end());
        let _ = write!(
            html,
            "<section class=\"complaint\"><h3>{title}</h3><pre tabindex=\"0\">{text}</pre></section>"
        );
    }
}

fn list(html: &mut String, news: &News) {
    html.push_str("<ul class=\"routes\">");
    for component in &news.components {
        if let Role::Handler { route } = &component.role {
            let (name, language) = (Escaped(&component.name), Escaped(&component.language));
            let address = if route == "/" { "/".to_owned() } else { format!("{route}/") };
            let address = Escaped(&address);
            let _ = write!(
                html,
                "<li><a href=\"{address}\"><b>{name}</b><code>{address}</code><span>{language}</span></a></li>"
            );
        }
    }
    html.push_str("</ul>");
}

fn page(title: &str, body: &str, script: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{}</title>\
         <link rel=\"stylesheet\" href=\"/_run/page.css\"><link rel=\"icon\" href=\"data:,\"></head>\
         <body><main class=\"small\">{body}\
         <p class=\"foot\"><a href=\"/_run\">Status of the development server</a></p></main>{script}</body></html>\n",
        Escaped(title)
    )
}
