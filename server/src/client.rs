//! Describes who asks: the address of a connection, and the name that the program gives itself.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bazel_remote_apis::build::bazel::remote::execution::v2::RequestMetadata;
use http::HeaderMap;
use http::header::USER_AGENT;
use prost::Message as _;

/// The header in which clients of the Remote Execution API describe themselves (see `RequestMetadata`).
const METADATA: &str = "build.bazel.remote.execution.v2.requestmetadata-bin";

/// The largest number of characters that are kept of a name.
const LONGEST: usize = 80;

/// A client as far as the server knows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Client {
    pub(crate) address: IpAddr,
    /// The name and the version of the program. Anyone may send anything, but it has no control characters.
    pub(crate) name: String,
}

impl Client {
    pub(crate) fn new(address: IpAddr, headers: &HeaderMap) -> Self {
        let name = tool(headers).or_else(|| user_agent(headers)).unwrap_or_default();
        Self { address: address.to_canonical(), name: shorten(&name, LONGEST) }
    }
}

/// Returns at most `longest` characters of a text, without control characters.
pub(crate) fn shorten(text: &str, longest: usize) -> String {
    let mut visible = text.chars().filter(|character| !character.is_control());
    let mut short: String = visible.by_ref().take(longest).collect();
    if visible.next().is_some() {
        short.push('…');
    }
    short
}

fn tool(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(METADATA)?.to_str().ok()?;
    let bytes = STANDARD_NO_PAD.decode(text.trim_end_matches('=')).ok()?;
    let tool = RequestMetadata::decode(&*bytes).ok()?.tool_details?;
    let name = format!("{} {}", tool.tool_name, tool.tool_version);
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

fn user_agent(headers: &HeaderMap) -> Option<String> {
    Some(String::from_utf8_lossy(headers.get(USER_AGENT)?.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use bazel_remote_apis::build::bazel::remote::execution::v2::ToolDetails;
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_tool_is_preferred_to_a_user_agent() {
        let mut headers = HeaderMap::new();
        let name = |headers: &HeaderMap| Client::new([127, 0, 0, 1].into(), headers).name;
        assert_eq!(name(&headers), "");
        headers.insert(USER_AGENT, HeaderValue::from_static("curl/8"));
        assert_eq!(name(&headers), "curl/8");
        headers.insert(METADATA, HeaderValue::from_static("%%%"));
        assert_eq!(name(&headers), "curl/8");
        let details = ToolDetails { tool_name: "bazel".into(), tool_version: "7.7.1".into() };
        let metadata = RequestMetadata { tool_details: Some(details), ..Default::default() };
        let text = STANDARD_NO_PAD.encode(metadata.encode_to_vec());
        headers.insert(METADATA, text.parse().unwrap());
        assert_eq!(name(&headers), "bazel 7.7.1");
    }

    #[test]
    fn names_are_short_and_visible() {
        assert_eq!(shorten("abc", 3), "abc");
        assert_eq!(shorten("abcd", 3), "abc…");
        assert_eq!(shorten("a\u{1b}[1m\nb", 9), "a[1mb");
    }
}
