//! Applies a tsconfig.json to the files of a component and to nothing else.
//!
//! The text stays what the user wrote, line by line, at its own path. So tsc reports errors in the user's own
//! file and line, and resolves paths from there. Our keys are added at the end, before the last brace: if a
//! key occurs twice, the second counts. Our compiler options are given to tsc as arguments instead, which
//! override the file.

use serde_json::json;

/// Returns the configuration `text`, restricted to `files`. `None` if the text has no object, which tsc will
/// report.
pub(super) fn applied(text: &str, files: &[String]) -> Option<String> {
    let outline = Outline::of(text);
    let end = outline.end?;
    let mut result = text[..end].to_owned();
    if outline.needs_comma {
        // The comma goes right after the last token, because a comment after that may end only with its line.
        result.insert(outline.last?, ',');
    }
    let ours = json!({ "files": files, "include": [], "references": [] }).to_string();
    // Our keys get a line of their own, because tsc shows the line that it complains about.
    result.push('\n');
    result.push_str(&ours[1..ours.len() - 1]);
    result.push_str(&text[end..]);
    Some(result)
}

/// Returns the text as JSON that every parser reads: without comments and trailing commas.
pub(super) fn plain(text: &str) -> String {
    let text = text.trim_start_matches('\u{feff}');
    let bytes = text.as_bytes();
    let mut result = String::new();
    // True if a comma was left out and may turn out to be needed.
    let (mut comma, mut at) = (false, 0);
    while at < bytes.len() {
        let start = at;
        at = token_end(bytes, at);
        if is_space(&bytes[start..at]) {
            result.push(' ');
            continue;
        }
        if comma && !matches!(bytes[start], b'}' | b']') {
            result.push(',');
        }
        comma = bytes[start] == b',';
        if !comma {
            // This byte may be the first of a character of several bytes.
            while !text.is_char_boundary(at) {
                at += 1;
            }
            result.push_str(&text[start..at]);
        }
    }
    result
}

/// The places in the text that are needed to add to it.
#[derive(Default)]
struct Outline {
    /// The place of the last brace.
    end: Option<usize>,
    /// The place after the last token before that brace.
    last: Option<usize>,
    /// True if an element without a comma after it stands before that brace.
    needs_comma: bool,
}

impl Outline {
    /// Finds these places in JSON with comments and trailing commas, without parsing more of it than that
    /// needs.
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
                // Keys can be added to an object only.
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

/// Returns the end of the token that starts at `start`: a string, a comment, or a single byte.
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
    fn comments_and_commas_are_left_out() {
        let check = |text: &str, expect: &str| {
            let plain: String = plain(text).split(' ').collect();
            assert_eq!(plain, expect, "{text}");
        };
        check("\u{feff}{ // a\n\"a\": [1, /* , */ 2,], }", "{\"a\":[1,2]}");
        check("{\"//,}\": \"\\\",}\"}", "{\"//,}\":\"\\\",}\"}");
        check("{ü, 1}", "{ü,1}");
        check("[1,,]", "[1,]");
    }

    #[test]
    fn what_has_no_object_is_left_to_the_compiler() {
        for text in ["", "[", "{", "{ \"a", "// {}", "/*", "[]", "}{", "[1, {}]"] {
            assert_eq!(applied(text, &[]), None, "{text}");
        }
    }
}
