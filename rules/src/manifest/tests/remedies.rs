//! Follows the advice of every finding in the texts of `cases/` word for word, and checks that the finding is
//! then gone.
//!
//! Each kind of advice has a function here that follows it. Advice without one is a failure, so that no new
//! advice goes untested.

use super::cases::{Case, cases};
use super::parse;
use crate::manifest::Diagnostic;

/// Sentences that say why something is wrong. What to do about it stands in the label beside them.
const REASONS: [&str; 10] = [
    "an absolute path would tie the project to one machine",
    "everything a build reads lies below the folder of run.toml, so that any checkout can be built",
    "a ready-made component is not compiled",
    "builds run in a fixed environment, so that they give the same bytes everywhere",
    "they are the features of a Cargo package",
    "Go has two compilers, `go` and `tinygo`; other languages have one",
    "only C and C++ compile every source of a folder; here the sources say what belongs to them",
    "the types of TypeScript are checked beside the build, which `check = false` switches off",
    "both parts are lower-case letters and digits, in words joined by single hyphens, starting with a letter",
    "is the name of another component",
];

/// A function that returns the files which result from following a piece of advice, one for each choice that
/// it offers. There are none if the advice is not understood.
type Follow = fn(&Place<'_>, &str) -> Vec<String>;

/// The beginnings of all advice, each with the function that follows it.
const ADVICE: [(&str, Follow); 33] = [
    ("did you mean `", |place, advice| vec![place.meant(quoted(advice)[0])]),
    ("put it in quotes", |place, _| vec![place.with(&format!("\"{}\"", place.written()))]),
    ("remove the quotes", |place, _| vec![place.with(place.bare())]),
    ("put it in brackets", |place, _| vec![place.with(&format!("[{}]", place.written()))]),
    ("name the feature that lists it, or `", |place, advice| vec![place.meant(quoted(advice)[0])]),
    ("write it as a section: ", |place, advice| vec![place.with_line(quoted(advice)[0])]),
    ("write `[[component]]`", |place, advice| vec![place.with_line(quoted(advice)[0])]),
    ("write `\"NAMESPACE:", |place, advice| {
        vec![place.with(&quoted(advice)[0].replace("NAMESPACE", "acme"))]
    }),
    ("write `\"1.0.0\"`, `{", |place, advice| {
        quoted(advice).iter().map(|form| place.with_dependency(form)).collect()
    }),
    ("write the host alone, without `https://` and without a path", |place, _| {
        let (kind, address) = place.bare().split_once(':').unwrap();
        let host = address.trim_start_matches("https://").split('/').next().unwrap();
        vec![place.with(&format!("\"{kind}:{host}\""))]
    }),
    ("the version is the value: ", |place, advice| vec![place.with_line(quoted(advice)[0])]),
    ("depend on the package as a whole: ", |place, advice| vec![place.with(quoted(advice)[0])]),
    ("for a name, use ", |place, advice| {
        quoted(advice)
            .iter()
            .map(|key| place.text.replacen("rev =", &format!("{key} ="), 1))
            .collect()
    }),
    ("name the profile in the heading, like ", |place, advice| {
        vec![place.text.replacen("[deploy]", quoted(advice)[0], 1)]
    }),
    ("patterns only add files; ", |place, advice| {
        vec![place.with(&format!("\"{}\"", quoted(advice)[0]))]
    }),
    ("list packages in `[dependencies]`", |place, advice| {
        let package = format!("\n{}\n{} = \"1.0.0\"\n", quoted(advice)[0], place.written());
        vec![format!("{}{package}", place.with(""))]
    }),
    ("`output_dir` of `[build]` is the output folder", |place, advice| {
        let [key, section] = quoted(advice)[..] else { panic!("{advice}") };
        vec![format!("{}\n{section}\n{key} = \"elsewhere\"\n", place.text)]
    }),
    ("set the environment variable RUN_AUTH_TOKEN instead", |place, _| {
        let others = place.text.split_inclusive('\n').filter(|line| !line.contains("auth_token"));
        vec![others.collect()]
    }),
    ("pass the token in the environment variable RUN_AUTH_TOKEN", |place, _| {
        let (start, rest) = place.written().split_once("//").unwrap();
        vec![place.with(&format!("{start}//{}", rest.split_once('@').unwrap().1))]
    }),
    ("every project says its `name` and its `version`", |place, advice| {
        let [name, version] = quoted(advice)[..] else { panic!("{advice}") };
        vec![format!("[project]\n{name} = \"p\"\n{version} = \"1.0.0\"\n{}", place.text)]
    }),
    ("a component has a `name` and a `source`", |place, advice| {
        let [name, source] = quoted(advice)[..] else { panic!("{advice}") };
        vec![format!("{}\n[[component]]\n{name} = \"p\"\n{source} = \"p.rs\"\n", place.text)]
    }),
    ("`source` names a file to compile, `path` a ready-made component", |place, advice| {
        quoted(advice).iter().map(|key| place.with_below(&format!("{key} = \"a.rs\""))).collect()
    }),
    ("the languages are ", |place, advice| {
        let line = |language: &&str| place.with_below(&format!("language = \"{language}\""));
        quoted(advice).iter().map(line).collect()
    }),
    ("the capabilities are ", |place, advice| {
        quoted(advice).iter().map(|name| place.with(&format!("\"{name}\""))).collect()
    }),
    ("the keys are ", |place, advice| quoted(advice).iter().map(|key| place.with(key)).collect()),
    ("the sections are ", |place, advice| {
        quoted(advice).iter().map(|section| place.meant(section)).collect()
    }),
    ("this key belongs below ", |place, advice| {
        quoted(advice).iter().map(|section| place.moved_below(section)).collect()
    }),
    ("expected only", |place, _| vec![place.without_entry()]),
    ("expected `", |place, advice| place.expected(advice)),
    ("expected MAJOR.MINOR.PATCH, like `", |place, advice| place.like(advice)),
    ("expected a version like `", |place, advice| place.like(advice)),
    ("expected an address like `", |place, advice| place.like(advice)),
    ("expected an SPDX expression like `", |place, advice| place.like(advice)),
];

/// Returns the parts of a sentence between back quotes.
fn quoted(advice: &str) -> Vec<&str> {
    advice.split('`').skip(1).step_by(2).collect()
}

/// The place of a finding in a file.
struct Place<'a> {
    text: &'a str,
    start: usize,
    end: usize,
}

impl<'a> Place<'a> {
    fn of(text: &'a str, finding: &Diagnostic) -> Self {
        let (start, end) = finding.span.map_or((0, 0), |span| (span.start, span.end));
        Self { text, start, end }
    }

    /// Returns the text at the place.
    fn written(&self) -> &'a str {
        &self.text[self.start..self.end]
    }

    /// Returns the text at the place without quotes.
    fn bare(&self) -> &'a str {
        self.written().trim_matches(['"', '\''])
    }

    /// Returns the file with another text at the place.
    fn with(&self, other: &str) -> String {
        format!("{}{other}{}", &self.text[..self.start], &self.text[self.end..])
    }

    /// Returns the beginning and the end of the line, without its line feed.
    fn line(&self) -> (usize, usize) {
        let start = self.text[..self.start].rfind('\n').map_or(0, |at| at + 1);
        (start, self.text[start..].find('\n').map_or(self.text.len(), |at| start + at))
    }

    fn with_line(&self, line: &str) -> String {
        let (start, end) = self.line();
        format!("{}{line}{}", &self.text[..start], &self.text[end..])
    }

    fn with_below(&self, line: &str) -> String {
        let (_, end) = self.line();
        format!("{}\n{line}{}", &self.text[..end], &self.text[end..])
    }

    /// Returns the file with another word at the place, written in the form of the old one: with quotes or
    /// without, as a heading or as a key.
    fn meant(&self, word: &str) -> String {
        let (start, end) = self.line();
        let is_heading = self.text[start..end].trim_start().starts_with('[');
        match word {
            _ if word.starts_with('[') && is_heading => self.with_line(word),
            _ if word.starts_with('[') => {
                format!("{}\n{word}\n", self.without_entry())
            }
            _ if word.starts_with('"') => {
                // The rest of a package's name without quotes follows its dot.
                let rest = self.text[self.end..end].find(" =").unwrap();
                format!("{}{word}{}", &self.text[..self.start], &self.text[self.end + rest..])
            }
            _ if self.written().starts_with(['"', '\'']) => self.with(&format!("\"{word}\"")),
            _ => self.with(word),
        }
    }

    /// Returns the file without the key at the place and its value.
    fn without_entry(&self) -> String {
        let (start, end) = self.line();
        let before = &self.text[start..self.start];
        if !before.contains('{') {
            return self.with_line("");
        }
        let value = self.text[self.end..end].find([',', '}']).unwrap();
        let before = self.text[..self.start].trim_end().trim_end_matches(',');
        format!("{before}{}", &self.text[self.end + value..])
    }

    fn moved_below(&self, section: &str) -> String {
        let (start, end) = self.line();
        let (line, rest) = (&self.text[start..end], self.with_line(""));
        match rest.contains(section) {
            true => rest.replacen(section, &format!("{section}\n{line}"), 1),
            false => format!("{rest}\n{section}\n{line}\n"),
        }
    }

    /// Returns the file with a dependency in this form at the place.
    fn with_dependency(&self, form: &str) -> String {
        let form = form.replace('…', "git.example.com/x");
        let (_, end) = self.line();
        match &self.text[self.end..end] {
            // A heading has its keys on the lines below it.
            "" if self.written().starts_with('[') => self.with_below("version = \"1.0.0\""),
            "" => self.with(&form),
            _ => format!("{} = {form}{}", &self.text[..self.end], &self.text[end..]),
        }
    }

    /// Follows advice of the forms "expected `x` or `y`" and "expected `x = y` below".
    fn expected(&self, advice: &str) -> Vec<String> {
        let all = quoted(advice);
        let line = all[0].replace('…', "git.example.com/x");
        let between = advice.split('`').skip(2).step_by(2);
        let is_list = between.clone().all(|joint| matches!(joint, ", " | " or " | ""));
        match () {
            () if advice.ends_with(" below") => vec![self.with_below(&line)],
            () if line.contains(" = ") => vec![self.with(&format!("{line}, {}", self.written()))],
            () if line.starts_with('"') && line.len() > 1 => vec![self.with(&line)],
            () if line == "true" => all.iter().map(|word| self.with(word)).collect(),
            () if is_list && self.written().starts_with('"') && line.len() > 1 => {
                all.iter().map(|word| self.meant(word)).collect()
            }
            () => Vec::new(),
        }
    }

    /// Follows advice by taking over its example.
    fn like(&self, advice: &str) -> Vec<String> {
        vec![self.with(&format!("\"{}\"", quoted(advice)[0]))]
    }
}

const FILES: [&str; 6] = [
    include_str!("cases/project.txt"),
    include_str!("cases/component.txt"),
    include_str!("cases/dependencies.txt"),
    include_str!("cases/settings.txt"),
    include_str!("cases/sections.txt"),
    include_str!("cases/syntax.txt"),
];

/// Returns the number of findings about a text that have this message.
fn times(text: &str, message: &str) -> usize {
    parse(text).1.iter().filter(|finding| finding.message == message).count()
}

#[test]
fn whoever_follows_the_advice_has_no_such_finding() {
    let mut followed = [0; ADVICE.len()];
    let mut wrong = String::new();
    for Case { title, text, .. } in FILES.into_iter().flat_map(cases) {
        let (_, findings) = parse(&text);
        for finding in &findings {
            let place = Place::of(&text, finding);
            let before = times(&text, &finding.message);
            let label = std::iter::once((&finding.label, false));
            for (advice, is_help) in label.chain(finding.help.iter().map(|help| (help, true))) {
                let way = ADVICE.iter().position(|(start, _)| advice.starts_with(start));
                let Some(way) = way else {
                    let is_reason = REASONS.iter().any(|reason| advice.ends_with(reason));
                    if is_help && !is_reason {
                        wrong += &format!("`{title}`: nobody follows {advice:?}\n");
                    }
                    continue;
                };
                for mended in ADVICE[way].1(&place, advice) {
                    followed[way] += 1;
                    if times(&mended, &finding.message) >= before {
                        wrong += &format!(
                            "`{title}`: {advice:?} does not help: {}\n{mended}\n",
                            finding.message
                        );
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    for ((start, _), times) in ADVICE.iter().zip(followed) {
        assert!(times > 0, "no case advises {start:?}");
    }
}
