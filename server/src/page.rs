//! The page for people: how full the store is, how useful the cache is and for whom, and how to use it.
//!
//! It needs no script. Names of clients and the host that a browser asked for come from outside, so every text goes through
//! [`Escaped`].

use std::fmt::{self, Display, Write as _};
use std::time::{Duration, Instant};

use crate::app::App;
use crate::client::Client;
use crate::stats::{Happened, Memory, Recent, Seen, Tidied};

const STYLE: &str = include_str!("page.css");

/// Returns the page. `authority` is the host and port under which the server was reached.
pub(crate) fn render(app: &App, authority: Option<&str>) -> String {
    let memory = app.stats.snapshot();
    let mut html = String::new();
    _ = write!(
        html,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Build cache</title>\
         <style>{STYLE}</style></head><body><main><h1>Build cache</h1>\
         <p class=\"lead\">Up for {}.</p>",
        Span(memory.totals().uptime)
    );
    cards(&mut html, &memory, app.max_size);
    clients(&mut html, &memory);
    recent(&mut html, &memory);
    usage(&mut html, app.is_encrypted, authority);
    html.push_str("</main></body></html>\n");
    html
}

fn cards(html: &mut String, memory: &Memory, max_size: Option<u64>) {
    let totals = memory.totals();
    html.push_str("<div class=\"cards\">");
    store_card(html, memory, max_size);
    let mut card = |value: &dyn Display, text: &dyn Display| {
        _ = write!(html, "<div class=\"card\"><b>{value}</b><span>{text}</span></div>");
    };
    let asked = totals.hits + totals.misses;
    card(&Rate(totals.hits, asked), &format_args!("hits of {asked} actions"));
    card(&totals.requests, &"requests");
    card(&Bytes(totals.sent_bytes), &"sent");
    card(&Bytes(totals.received_bytes), &"received");
    html.push_str("</div>");
}

fn store_card(html: &mut String, memory: &Memory, max_size: Option<u64>) {
    html.push_str("<div class=\"card\"><b>");
    match memory.size {
        Some(size) => _ = write!(html, "{}</b><span>stored", Bytes(size)),
        None => html.push_str("…</b><span>size not known yet"),
    }
    if let Some(limit) = max_size {
        _ = write!(html, ", of at most {}", Bytes(limit));
    }
    html.push_str("</span>");
    if let (Some(size), Some(limit)) = (memory.size, max_size) {
        _ = write!(html, "<meter min=\"0\" max=\"{limit}\" value=\"{size}\">{size}</meter>");
    }
    match &memory.tidied {
        Some(Tidied { when, outcome: Err(error) }) => {
            let age = Age(*when);
            _ = write!(html, "<div class=\"bad\">tidying failed {age}: {}</div>", Escaped(error));
        }
        Some(Tidied { when, outcome: Ok(removed) }) => {
            let age = Age(*when);
            _ = write!(html, "<div><span>tidied {age}, {} removed</span></div>", Bytes(*removed));
        }
        None => {}
    }
    html.push_str("</div>");
}

fn clients(html: &mut String, memory: &Memory) {
    html.push_str("<h2>Clients</h2><div class=\"table\">");
    let mut clients: Vec<(&Client, &Seen)> = memory.clients.iter().collect();
    clients.sort_by_key(|(_, seen)| std::cmp::Reverse(seen.last));
    if clients.is_empty() {
        html.push_str("<p class=\"none\">Nobody has used the cache yet.</p>");
    } else {
        html.push_str(
            "<table><tr><th>Address<th>Program<th>Last seen<th class=\"n\">Hits\
             <th class=\"n\">Misses<th class=\"n\">Received<th class=\"n\">Sent</tr>",
        );
        for (client, seen) in clients {
            _ = write!(
                html,
                "<tr><td>{}<td>{}<td>{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}</tr>",
                client.address,
                Escaped(&client.name),
                Age(seen.last),
                seen.hits,
                seen.misses,
                Bytes(seen.received),
                Bytes(seen.sent)
            );
        }
        html.push_str("</table>");
    }
    html.push_str("</div>");
}

fn recent(html: &mut String, memory: &Memory) {
    html.push_str("<h2>Recent results of actions</h2><div class=\"table\">");
    if memory.recent.is_empty() {
        html.push_str("<p class=\"none\">No result was stored or found yet.</p>");
    } else {
        html.push_str("<table><tr><th>Action<th><th>When<th>By<th class=\"n\">Size</tr>");
        for Recent { key, happened, when, client, size } in &memory.recent {
            let happened = match happened {
                Happened::Got => "found",
                Happened::Put => "stored",
            };
            _ = write!(
                html,
                "<tr><td><code>{}</code><td>{happened}<td>{}<td>{} {}<td class=\"n\">{}</tr>",
                Escaped(key.get(..12).unwrap_or(key)),
                Age(*when),
                client.address,
                Escaped(&client.name),
                Bytes(*size)
            );
        }
        html.push_str("</table>");
    }
    html.push_str("</div>");
}

fn usage(html: &mut String, is_encrypted: bool, authority: Option<&str>) {
    let Some(authority) = authority else { return };
    let authority = Escaped(authority);
    let (http, grpc) = if is_encrypted { ("https", "grpcs") } else { ("http", "grpc") };
    _ = write!(
        html,
        "<h2>Use it</h2><p class=\"lead\">Both addresses reach the same cache.</p>\
         <pre># run.toml\n[cache]\nremote = \"{grpc}://{authority}\"</pre>\
         <pre># .bazelrc\nbuild --remote_cache={grpc}://{authority}\n\
         build --remote_cache={http}://{authority}</pre>"
    );
}

/// A text in which nothing is markup.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

/// A number of bytes, shown with a unit.
struct Bytes(u64);

impl Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
        match units.into_iter().find(|(_, shift)| self.0 >> shift > 0) {
            // One digit behind the point, rounded down.
            Some((unit, shift)) => {
                let tenths = (u128::from(self.0) * 10) >> shift;
                write!(f, "{}.{} {unit}", tenths / 10, tenths % 10)
            }
            None => write!(f, "{} B", self.0),
        }
    }
}

/// A part of a whole in percent.
struct Rate(u64, u64);

impl Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 * 100).checked_div(self.1) {
            Some(percent) => write!(f, "{percent} %"),
            None => f.write_str("–"),
        }
    }
}

/// A span of time in its largest unit.
struct Span(Duration);

impl Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match seconds {
            0..60 => write!(f, "{seconds} s"),
            60..3600 => write!(f, "{} min", seconds / 60),
            3600..86400 => write!(f, "{} h", seconds / 3600),
            _ => write!(f, "{} d", seconds / 86400),
        }
    }
}

/// The time since something happened.
struct Age(Instant);

impl Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ago", Span(self.0.elapsed()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        let check = |shown: &dyn Display, expect: &str| assert_eq!(shown.to_string(), expect);
        check(&Bytes(0), "0 B");
        check(&Bytes(1023), "1023 B");
        check(&Bytes(1536), "1.5 KiB");
        check(&Bytes(5 << 20), "5.0 MiB");
        check(&Bytes(u64::MAX), "16777215.9 TiB");
        check(&Rate(1, 3), "33 %");
        check(&Rate(0, 0), "–");
        check(&Span(Duration::from_secs(59)), "59 s");
        check(&Span(Duration::from_secs(3599)), "59 min");
        check(&Span(Duration::from_secs(200_000)), "2 d");
    }

    #[test]
    fn nothing_from_outside_is_markup() {
        let hostile = "<script>alert('x')</script>&\"";
        let escaped = Escaped(hostile).to_string();
        assert_eq!(escaped, "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;");
        let mut html = String::new();
        usage(&mut html, true, Some(hostile));
        assert!(!html.contains("<script") && html.contains("grpcs://&lt;script"), "{html}");
    }
}
