//! A tsconfig.json, applied to the files of a component and to nothing else.
//!
//! The text stays what the user wrote, line by line, and lies where it lay: so tsc says what is wrong with it in the
//! user's own file and line, and resolves paths from there. What is ours comes after it, in front of the last brace: of a
//! key that is there twice, the second counts. Options of ours are given to tsc as arguments instead, which go before
//! the file.

use serde_json::json;

/// The configuration `text`, for `files`; `None` if it has no object, which is for tsc to say.
pub(super) fn applied(text: &str, files: &[String]) -> Option<String> {
    let outline = Outline::of(text);
    let end = outline.end?;
    let mut result = text[..end].to_owned();
    if outline.needs_comma {
        // Not behind a comment, which may end with its line.
        result.insert(outline.last?, ',');
    }
    let ours = json!({ "files": files, "include": [], "references": [] }).to_string();
    // On a line of its own, as tsc shows the line that it complains about.
    result.push('\n');
    result.push_str(&ours[1..ours.len() - 1]);
    result.push_str(&text[end..]);
    Some(result)
}

/// What of the text has to be known to add to it.
#[derive(Default)]
struct Outline {
    /// The last brace.
    end: Option<usize>,
    /// The place behind the last token before it.
    last: Option<usize>,
    /// Whether there is an element before it that no comma follows.
    needs_comma: bool,
}

impl Outline {
    /// Reads JSON with comments and commas at the end, as far as that is needed.
    fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut outline = Self::default();
        let (mut depth, mut at) = (0_usize, 0);
        while at < bytes.len() {
            let start = at;
            at = token_end(bytes, at);
            if is_space(&bytes[start..at]) {
                continue;
            }
            match bytes[start] {
                b'{' | b'[' => depth += 1,
                // Only an object ends with what is ours.
                b'}' if depth == 1 => {
                    outline.end = Some(start);
                    return outline;
                }
                b'}' | b']' if depth < 2 => return outline,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            outline.needs_comma = !(bytes[start] == b',' || depth == 1 && bytes[start] == b'{');
            outline.last = Some(at);
        }
        outline
    }
}

/// Where the token that starts at `start` ends: a string, a comment, or a byte.
fn token_end(bytes: &[u8], start: usize) -> usize {
    let rest = &bytes[start..];
    let length = match rest {
        [b'"', ..] => string_length(rest),
        [b'/', b'/', ..] => rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => {
            let end = rest.windows(2).skip(2).position(|pair| pair == b"*/");
            end.map_or(rest.len(), |end| end + 4)
        }
        _ => 1,
    };
    start + length
}

fn string_length(rest: &[u8]) -> usize {
    let mut escaped = false;
    for (at, byte) in rest.iter().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

fn is_space(token: &[u8]) -> bool {
    token[0].is_ascii_whitespace() || token.starts_with(b"//") || token.starts_with(b"/*")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_user_wrote_stays_in_its_place() {
        let check = |text: &str, expect: &str| {
            let ours = r#""files":["/src/a.ts"],"include":[],"references":[]"#;
            let expect = expect.replace("OURS", &format!("\n{ours}"));
            assert_eq!(applied(text, &["/src/a.ts".to_owned()]).unwrap(), expect, "{text}");
        };
        check("{}", "{OURS}");
        check("{ \"a\": 1 }\n", "{ \"a\": 1, OURS}\n");
        check("{ \"a\": 1, }", "{ \"a\": 1, OURS}");
        check("{ \"a\": {} // {\n}", "{ \"a\": {}, // {\nOURS}");
        check("{ /* } */ \"a\": \"}\\\"\" /* } */ }", "{ /* } */ \"a\": \"}\\\"\", /* } */ OURS}");
        check("\u{feff}// {\n{\n}\n// }", "\u{feff}// {\n{\nOURS}\n// }");
    }

    #[test]
    fn what_has_no_object_is_left_to_the_compiler() {
        for text in ["", "[", "{", "{ \"a", "// {}", "/*", "[]", "}{", "[1, {}]"] {
            assert_eq!(applied(text, &[]), None, "{text}");
        }
    }
}
