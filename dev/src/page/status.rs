//! The status page: what is served, how the last build went, and what happened lately.

use std::fmt::{self, Display, Write as _};
use std::time::{Duration, Instant};

use super::escape::{Escaped, colours};
use super::plain::complaints;
use crate::board::{BuildCard, BuildOutcome, ComponentCard, News, Role};
use crate::front::RequestLine;

/// The number of actions that are shown. The slowest are.
const MOST_ACTIONS: usize = 12;

/// Returns the whole page.
pub(crate) fn page(news: &News) -> String {
    let title = title(news);
    let (title, main) = (Escaped(&title), main(news));
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
         <link rel=\"stylesheet\" href=\"/_run/page.css\"><link rel=\"icon\" href=\"data:,\">\
         <noscript><meta http-equiv=\"refresh\" content=\"5\"></noscript></head>\
         <body><main id=\"main\">{main}</main>\
         <p id=\"lost\" role=\"status\" hidden>The development server does not answer. This page goes on when it is back.</p>\
         <script src=\"/_run/status.js\"></script></body></html>\n"
    )
}

/// Returns the title of the page.
pub(crate) fn title(news: &News) -> String {
    format!("{} {}", State::of(news).mark(), news.project)
}

/// Returns the part of the page that changes.
pub(crate) fn main(news: &News) -> String {
    let mut html = String::new();
    head(&mut html, news);
    if !news.complaints.is_empty() {
        html.push_str("<section aria-label=\"What is wrong\" class=\"wrong\">");
        complaints(&mut html, &news.complaints);
        html.push_str("</section>");
    }
    components(&mut html, news);
    build(&mut html, news);
    requests(&mut html, news);
    errors(&mut html, news);
    html
}

/// The state of the project in one word.
#[derive(Clone, Copy)]
enum State {
    Building,
    Failed,
    Fine,
    Waiting,
}

impl State {
    fn of(news: &News) -> Self {
        match () {
            () if news.building.is_some() => Self::Building,
            () if !news.complaints.is_empty() => Self::Failed,
            () if news.build.is_some() => Self::Fine,
            () => Self::Waiting,
        }
    }

    const fn mark(self) -> &'static str {
        match self {
            Self::Building | Self::Waiting => "◌",
            Self::Failed => "✗",
            Self::Fine => "●",
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Building => "Building",
            Self::Failed => "Build failed",
            Self::Fine => "Up to date",
            Self::Waiting => "Waiting",
        }
    }

    const fn class(self) -> &'static str {
        match self {
            Self::Building | Self::Waiting => "busy",
            Self::Failed => "bad",
            Self::Fine => "good",
        }
    }
}

fn head(html: &mut String, news: &News) {
    let state = State::of(news);
    let (class, mark, word) = (state.class(), state.mark(), state.word());
    let _ = write!(
        html,
        "<header><div><h1>{}</h1><p class=\"lead\">Up for {}",
        Escaped(&news.project),
        Span(news.started.elapsed())
    );
    let _ =
        write!(html, " · {} · {}", Count(news.builds, "build"), Count(news.requested, "request"));
    if news.failed > 0 {
        let _ = write!(html, ", <span class=\"bad\">{} failed</span>", news.failed);
    }
    if !news.is_live {
        html.push_str(" · hot reload is off");
    }
    if !news.behind.is_empty() {
        let _ = write!(
            html,
            ": restart to serve the last build of {}",
            Escaped(&news.behind.join(", "))
        );
    }
    let _ = write!(
        html,
        "</p></div><p class=\"state {class}\" role=\"status\"><span aria-hidden=\"true\">{mark}</span> {word}</p></header>"
    );
}

fn components(html: &mut String, news: &News) {
    html.push_str("<h2>Components</h2>");
    if news.components.is_empty() {
        html.push_str("<p class=\"none\">No build was tried yet.</p>");
        return;
    }
    html.push_str("<ul class=\"components\">");
    news.components.iter().for_each(|it| component(html, it));
    html.push_str("</ul>");
}

fn component(html: &mut String, card: &ComponentCard) {
    let class = if card.is_stale { " class=\"stale\"" } else { "" };
    let _ = write!(
        html,
        "<li{class}><div class=\"title\"><h3>{}</h3><span class=\"soft\">{}</span></div>",
        Escaped(&card.name),
        Escaped(&card.language)
    );
    let _ = match &card.role {
        Role::Handler { route } => {
            let address = if route == "/" { "/".to_owned() } else { format!("{route}/") };
            let address = Escaped(&address);
            write!(html, "<a class=\"route\" href=\"{address}\">{address}</a>")
        }
        Role::NoRoute => write!(html, "<p class=\"bad\">another component has its route</p>"),
        Role::Command { state } => write!(html, "<p>command, {}</p>", Escaped(state)),
        Role::Library => write!(html, "<p class=\"soft\">library</p>"),
        Role::Unknown => write!(html, "<p class=\"soft\">not built yet</p>"),
    };
    if let (Some(version), Some(digest)) = (&card.version, &card.digest) {
        let stale = if card.is_stale { " <span class=\"tag bad\">stale</span>" } else { "" };
        let _ = write!(
            html,
            "<p><code title=\"{}\">{}</code>{stale}</p>",
            Escaped(digest),
            Escaped(version)
        );
    }
    if !card.dependencies.is_empty() {
        let _ =
            write!(html, "<p class=\"soft\">with {}</p>", Escaped(&card.dependencies.join(", ")));
    }
    if !card.capabilities.is_empty() {
        html.push_str("<ul class=\"tags\" aria-label=\"Capabilities\">");
        for capability in &card.capabilities {
            let _ = write!(html, "<li class=\"tag\">{}</li>", Escaped(capability));
        }
        html.push_str("</ul>");
    }
    html.push_str("</li>");
}

fn build(html: &mut String, news: &News) {
    html.push_str("<h2>Last build</h2>");
    let Some(build) = &news.build else {
        html.push_str("<p class=\"none\">No build has ended yet.</p>");
        return;
    };
    let (class, word) = match build.outcome {
        BuildOutcome::Succeeded => ("good", "Succeeded"),
        BuildOutcome::Failed => ("bad", "Failed"),
    };
    let _ = write!(
        html,
        "<div class=\"box\"><p><b class=\"{class}\">{word}</b> in {}, {} · {} ran, {} known</p>",
        Span(build.took),
        Age(build.ended),
        Count(build.actions.len(), "action"),
        Count(build.hits, "result"),
    );
    actions(html, build);
    html.push_str("</div>");
}

fn actions(html: &mut String, build: &BuildCard) {
    let mut slowest: Vec<_> = build.actions.iter().collect();
    slowest.sort_by_key(|action| std::cmp::Reverse((action.has_failed, action.took)));
    let longest = slowest.iter().map(|action| action.took).max().unwrap_or_default();
    if slowest.is_empty() {
        return;
    }
    html.push_str("<table class=\"bars\"><caption class=\"hidden\">Actions that ran</caption>");
    for action in slowest.iter().take(MOST_ACTIONS) {
        let part = action.took.as_secs_f64() / longest.as_secs_f64().max(1e-9) * 100.0;
        let class = if action.has_failed { " class=\"bad\"" } else { "" };
        let _ = write!(
            html,
            "<tr{class}><th scope=\"row\">{}{}</th><td class=\"bar\"><i style=\"width:{part:.1}%\"></i></td>\
             <td class=\"n\">{}</td></tr>",
            Escaped(&action.label),
            if action.has_failed { " failed" } else { "" },
            Span(action.took),
        );
    }
    html.push_str("</table>");
    if let Some(more @ 1..) = slowest.len().checked_sub(MOST_ACTIONS) {
        let _ = write!(html, "<p class=\"soft\">and {more} quicker ones</p>");
    }
}

fn requests(html: &mut String, news: &News) {
    html.push_str("<h2>Requests</h2>");
    if news.requests.is_empty() {
        html.push_str("<p class=\"none\">Nobody has asked for anything yet.</p>");
        return;
    }
    html.push_str(
        "<div class=\"box table\" tabindex=\"0\" role=\"region\" aria-label=\"Requests\"><table><thead><tr><th>When</th><th>Request</th>\
         <th>Status</th><th class=\"n\">Time</th><th>Component</th><th>Version</th></tr></thead><tbody>",
    );
    for request in &news.requests {
        let RequestLine { method, path, status, took, component, version, .. } = &request.line;
        let class = if *status >= 500 {
            "bad"
        } else if *status >= 400 {
            "warn"
        } else {
            ""
        };
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "–".to_owned());
        let _ = write!(
            html,
            "<tr><td class=\"soft\">{}</td><td class=\"path\"><b>{}</b> {}</td><td class=\"{class}\">{status}</td>\
             <td class=\"n\">{}</td><td>{}</td><td><code>{}</code></td></tr>",
            Age(request.when),
            Escaped(method),
            Escaped(path),
            Span(*took),
            Escaped(&text(component)),
            Escaped(&text(version)),
        );
    }
    html.push_str("</tbody></table></div>");
}

fn errors(html: &mut String, news: &News) {
    html.push_str("<h2>Errors</h2>");
    if news.errors.is_empty() {
        html.push_str("<p class=\"none\">None so far.</p>");
        return;
    }
    html.push_str("<div class=\"box errors\">");
    for (index, error) in news.errors.iter().enumerate() {
        let complaint = &error.complaint;
        let component = complaint.component.as_ref().map(|name| format!("{name} · "));
        // The number counts from the oldest, so that an open one stays open when others come.
        let number = news.errors.len() - index;
        let _ = write!(
            html,
            "<details id=\"error-{number}\"><summary>{} <span class=\"soft\">{}{}</span></summary><pre tabindex=\"0\">{}</pre></details>",
            Escaped(&complaint.title),
            Escaped(&component.unwrap_or_default()),
            Age(error.when),
            colours(complaint.text.trim_end()),
        );
    }
    html.push_str("</div>");
}

/// A number with its noun.
struct Count(usize, &'static str);

impl Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(count, noun) = self;
        write!(f, "{count} {noun}{}", if *count == 1 { "" } else { "s" })
    }
}

/// The time since something happened.
struct Age(Instant);

impl Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let age = self.0.elapsed();
        if age < Duration::from_secs(2) {
            f.write_str("just now")
        } else {
            write!(f, "{} ago", Span(age))
        }
    }
}

/// A length of time with a suitable unit.
struct Span(Duration);

impl Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match seconds {
            0 if self.0 < Duration::from_millis(10) => {
                write!(f, "{:.1} ms", self.0.as_secs_f64() * 1e3)
            }
            0 => write!(f, "{} ms", self.0.as_millis()),
            1..=9 => write!(f, "{:.1} s", self.0.as_secs_f64()),
            10..=119 => write!(f, "{seconds} s"),
            120..=7199 => write!(f, "{} min", seconds / 60),
            _ => write!(f, "{} h", seconds / 3600),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::Board;
    use crate::front::Complaint;

    #[test]
    fn spans() {
        let check =
            |ms, expect: &str| assert_eq!(Span(Duration::from_millis(ms)).to_string(), expect);
        check(3, "3.0 ms");
        check(412, "412 ms");
        check(1_340, "1.3 s");
        check(61_000, "61 s");
        check(3_600_000, "60 min");
        check(7_200_000, "2 h");
    }

    #[test]
    fn nothing_from_outside_is_markup() {
        const EVIL: &str = "<img src=x onerror=alert(1)>\"'&";
        let board = Board::new(EVIL.to_owned());
        board.change(|news| {
            news.components = vec![ComponentCard {
                name: EVIL.to_owned(),
                language: EVIL.to_owned(),
                role: Role::Handler { route: EVIL.to_owned() },
                version: Some(EVIL.to_owned()),
                digest: Some(EVIL.to_owned()),
                capabilities: vec![EVIL.to_owned()],
                dependencies: vec![EVIL.to_owned()],
                is_stale: true,
            }];
            let complaint = Complaint {
                component: Some(EVIL.to_owned()),
                title: EVIL.to_owned(),
                text: format!("\u{1b}[31m{EVIL}"),
            };
            let card = BuildCard {
                ended: Instant::now(),
                took: Duration::ZERO,
                outcome: BuildOutcome::Failed,
                actions: vec![crate::board::ActionCard {
                    label: EVIL.to_owned(),
                    took: Duration::ZERO,
                    has_failed: true,
                }],
                hits: 0,
            };
            news.add_build(card, vec![complaint]);
            news.add_request(RequestLine {
                method: EVIL.to_owned(),
                path: EVIL.to_owned(),
                status: 500,
                took: Duration::ZERO,
                component: Some(EVIL.to_owned()),
                version: Some(EVIL.to_owned()),
                failure: Some(EVIL.to_owned()),
            });
        });
        let news = board.read();
        let pages = [
            page(&news),
            super::super::index(&news, ""),
            super::super::no_route(&news, EVIL, ""),
            super::super::unavailable(&news, ""),
        ];
        for page in pages {
            assert!(page.contains("&lt;img src=x") && !page.contains("<img"), "{page}");
            assert!(!page.contains("\"'&"), "{page}");
        }
    }
}
