//! Checks that damaged files never make the reader panic, and that its findings about them can be drawn.

use super::parse;

const PAGE: &str = include_str!("../../../../tests/fixtures/run-configuration.txt");
const TOKEN: &str = "s3cret-t0ken-in-the-file";
const ROUNDS: usize = 3000;

/// A small generator of pseudo-random numbers (xorshift64), which gives the same numbers in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).expect("fits")
    }
}

/// Returns the full example of the documentation, with keys that the example does not have.
fn seed() -> String {
    let full = PAGE.split("Example: Full Configuration\n").nth(1).expect("has the example");
    let full = full.replace("[registry]\n", &format!("[registry]\nauth_token = \"{TOKEN}\"\n"));
    format!("{full}\n{MORE}")
}

const MORE: &str = r#"
[dependencies."a:b"]
git = 'https://h/x'
rev = """0123abc"""

[[component]]
name = "more"
path = 'x.wasm'
dependencies = [
    "api", # a comment
]

[[component]]
name = "most"
source = "größe.py"
inputs = ["data/**/*.{json,txt}"]

[component.env]
A = "1"
"#;

/// Damages a text in one to four places.
fn damage(bytes: &mut Vec<u8>, numbers: &mut Numbers) {
    const SPICE: &[u8] = b"\"'[]{}=.,#\\\n\r\t\0 -_:a0\xc3\xa4\xf0\xff";
    for _ in 0..=numbers.below(4) {
        if bytes.is_empty() {
            return;
        }
        let at = numbers.below(bytes.len());
        match numbers.below(6) {
            0 => bytes[at] ^= 1 << numbers.below(8),
            1 => bytes[at] = SPICE[numbers.below(SPICE.len())],
            2 => bytes.insert(at, SPICE[numbers.below(SPICE.len())]),
            3 => bytes.truncate(at),
            4 => drop(bytes.drain(at..(at + numbers.below(40)).min(bytes.len()))),
            _ => {
                let piece = bytes[at..(at + numbers.below(60)).min(bytes.len())].to_vec();
                let to = numbers.below(bytes.len());
                bytes.splice(to..to, piece);
            }
        }
    }
}

/// Returns whether the token is still recognisable as the value of its key.
fn is_assigned(text: &str) -> bool {
    text.lines().any(|line| line.starts_with("auth_token = \"") && line.contains(TOKEN))
        && text.matches(TOKEN).count() == 1
}

#[test]
fn damaged_files_are_reported_not_feared() {
    let seed = seed();
    assert!(parse(&seed).0.is_some() && seed.contains(TOKEN));
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut accepted = 0;
    for round in 0..ROUNDS {
        let mut bytes = seed.clone().into_bytes();
        damage(&mut bytes, &mut numbers);
        let text = String::from_utf8_lossy(&bytes);
        let (manifest, findings) = parse(&text);
        assert_eq!(manifest.is_some(), findings.errors() == 0, "round {round}:\n{text}");
        accepted += usize::from(manifest.is_some());
        let drawn = findings.render(round % 2 == 0);
        if is_assigned(&text) {
            assert!(!drawn.contains(TOKEN), "round {round} shows the token:\n{drawn}");
            assert!(!format!("{findings:?}{manifest:?}").contains(TOKEN), "round {round}");
        }
    }
    assert!((ROUNDS / 50..ROUNDS / 2).contains(&accepted), "{accepted} of {ROUNDS} were accepted");
}

#[test]
fn every_beginning_of_a_file_is_reported() {
    let seed = seed();
    for end in (0..seed.len()).filter(|end| seed.is_char_boundary(*end)) {
        let (manifest, findings) = parse(&seed[..end]);
        assert_eq!(manifest.is_some(), findings.errors() == 0, "the first {end} bytes");
    }
}
