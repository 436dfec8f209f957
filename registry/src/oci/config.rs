//! The configuration of a package: the small JSON document beside the layer ("Wasm OCI Artifact", section
//! "config.json").

use serde::Serialize;

use crate::artifact::{Artifact, Binary, Interfaces, binary};
use crate::digest::Sha256;

/// The media type of the configuration.
pub(crate) const CONFIG: &str = "application/vnd.wasm.config.v0+json";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Config<'a> {
    created: String,
    author: Option<&'a str>,
    architecture: &'static str,
    os: &'static str,
    layer_digests: [String; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    component: Option<Interfaces>,
}

/// Returns the configuration of a package. The same package always has the same one.
pub(crate) fn config(artifact: &Artifact, layer: Sha256) -> Vec<u8> {
    let is_module = binary(&artifact.bytes) == Some(Binary::Module);
    let facts = &artifact.facts;
    let config = Config {
        created: date(facts.created),
        author: facts.author.as_deref(),
        architecture: "wasm",
        os: if is_module { "wasip1" } else { "wasip2" },
        layer_digests: [layer.to_string()],
        component: (!is_module).then(|| facts.component.clone().unwrap_or_default()),
    };
    serde_json::to_vec(&config).expect("texts and lists can be written as JSON")
}

/// Writes a number of seconds since 1970 as a date and time (RFC 3339).
fn date(seconds: u64) -> String {
    // The last second of the year 9999, because the format has four digits.
    let seconds = seconds.min(253_402_300_799);
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    // Years begin in March here, so that a leap day is the last of its year, and eras have 400 years. Day 0 is
    // 0000-03-01, which is 719468 days before 1970.
    let day = days + 719_468;
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let (year, month) = (era * 400 + year + month / 10, (month + 2) % 12 + 1);
    let (hour, minute, second) = (time / 3_600, time / 60 % 60, time % 60);
    format!("{year:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_dates() {
        let check = |seconds, expect: &str| assert_eq!(date(seconds), expect, "{seconds}");
        check(0, "1970-01-01T00:00:00Z");
        check(951_782_399, "2000-02-28T23:59:59Z");
        check(951_782_400, "2000-02-29T00:00:00Z");
        check(1_709_251_199, "2024-02-29T23:59:59Z");
        check(1_735_689_599, "2024-12-31T23:59:59Z");
        check(1_735_689_600, "2025-01-01T00:00:00Z");
        check(4_107_542_400, "2100-03-01T00:00:00Z");
        check(u64::MAX, "9999-12-31T23:59:59Z");
    }
}
