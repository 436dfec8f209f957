//! The first line of an HTTP request, as tests write it: `GET /path`.

use std::fmt;
use std::str::FromStr;

use super::invalid::Invalid;

/// A method and a path, perhaps with a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestLine {
    /// The method, in capital letters.
    pub method: String,
    /// The path and the query.
    pub path: String,
}

impl FromStr for RequestLine {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || {
            Invalid::new(format!("`{text}` is not a request"), "expected a line like `GET /path`")
        };
        let (method, path) = text.split_once(' ').ok_or_else(invalid)?;
        let is_method = !method.is_empty() && method.chars().all(|c| c.is_ascii_uppercase());
        let is_path =
            path.starts_with('/') && path.chars().all(|c| c.is_ascii_graphic() && c != '#');
        if !is_method {
            let help = format!("did you mean `{} {path}`?", method.to_uppercase());
            let is_small = method.chars().all(|c| c.is_ascii_alphabetic()) && !method.is_empty();
            return Err(invalid().maybe_help(is_small.then_some(help)));
        }
        if !is_path {
            return Err(invalid().help("the path starts with `/`, and other characters than those of ASCII are percent-encoded"));
        }
        Ok(Self { method: method.to_owned(), path: path.to_owned() })
    }
}

impl fmt::Display for RequestLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_a_method_and_a_path() {
        for text in ["GET /", "POST /a/b?c=d&e", "OPTIONS /%20"] {
            assert_eq!(text.parse::<RequestLine>().unwrap().to_string(), text);
        }
        for text in ["", "GET", "/", "get /", "GET x", "GET  /", "GET /a b", "GET /#a", "GET /ä"] {
            assert!(text.parse::<RequestLine>().is_err(), "{text}");
        }
    }
}
