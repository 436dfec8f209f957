//! Bytes that were cut off or changed make an error or a component, and never a panic.

use super::fixture::{part, wasi_part};
use crate::{ComposeError, Part, compose};

const SHOP: &str = "
    package demo:shop@1.0.0 {
        interface types { record money { cents: u64 } resource cart { constructor(); total: func() -> money; } }
        interface orders { use types.{cart, money}; order: func(cart: cart) -> result<money, string>; }
    }";

fn parts() -> Vec<Part> {
    vec![
        part(
            "api",
            &["cart", "orders"],
            SHOP,
            "use demo:shop/types@1.0.0.{cart}; import demo:shop/orders@1.0.0; import log: func(); export run: func();",
        ),
        part(
            "orders",
            &["cart"],
            SHOP,
            "import demo:shop/types@1.0.0; import log: func(); export demo:shop/orders@1.0.0;",
        ),
        part("cart", &[], SHOP, "export demo:shop/types@1.0.0;"),
    ]
}

/// Numbers that look random and are the same each time (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end as u64) as usize
    }
}

/// Counts how attempts ended.
#[derive(Debug, Default)]
struct Ends {
    composed: usize,
    unreadable: usize,
    other: usize,
    unsupported: Vec<String>,
}

impl Ends {
    fn try_it(&mut self, parts: &[Part]) {
        match compose("api", parts) {
            Ok(_) => self.composed += 1,
            Err(error) => {
                let text = error.to_string();
                if text.contains("not supported") {
                    self.unsupported.push(text);
                }
                match error {
                    ComposeError::Unreadable { .. } => self.unreadable += 1,
                    _ => self.other += 1,
                }
            }
        }
    }
}

#[test]
fn parts_that_are_cut_off_are_refused() {
    let parts = parts();
    let mut ends = Ends::default();
    for index in 0..parts.len() {
        // Every third length.
        for length in (0..parts[index].bytes.len()).step_by(3) {
            let mut parts = parts.clone();
            parts[index].bytes.truncate(length);
            ends.try_it(&parts);
        }
    }
    // A component may end before its exports, so some that were cut off are components of which something is missing.
    assert!(ends.unreadable > ends.other && ends.unsupported.is_empty(), "{ends:?}");
}

#[test]
fn bytes_that_were_changed_are_no_panic() {
    let parts = parts();
    let mut numbers = Numbers(18);
    let mut ends = Ends::default();
    for _ in 0..1000 {
        let mut parts = parts.clone();
        let index = numbers.below(parts.len());
        for _ in 0..=numbers.below(3) {
            let at = numbers.below(parts[index].bytes.len());
            parts[index].bytes[at] = match numbers.below(3) {
                0 => numbers.below(256) as u8,
                1 => parts[index].bytes[at] ^ (1 << numbers.below(8)),
                _ => parts[index].bytes[at].wrapping_add(1),
            };
        }
        ends.try_it(&parts);
    }
    assert!(ends.composed > 0 && ends.unreadable > 0 && ends.other > 0, "{ends:?}");
}

#[test]
fn sections_in_any_order_are_no_panic() {
    let parts = parts();
    let mut numbers = Numbers(5);
    let mut ends = Ends::default();
    for _ in 0..300 {
        let mut parts = parts.clone();
        let index = numbers.below(parts.len());
        let bytes = &mut parts[index].bytes;
        let start = 8 + numbers.below(bytes.len() - 8);
        let length = numbers.below((bytes.len() - start).min(60));
        let piece: Vec<u8> = bytes.drain(start..start + length).collect();
        if numbers.below(2) == 0 {
            let at = 8 + numbers.below(bytes.len() - 8);
            bytes.splice(at..at, piece);
        }
        ends.try_it(&parts);
    }
    assert!(ends.unreadable > 0, "{ends:?}");
}

#[test]
fn names_that_were_changed_in_types_of_wasi_are_no_panic() {
    let parts = [
        wasi_part("api", &["auth"], 4, "import wasi:http/outgoing-handler@0.2; import x: func();"),
        wasi_part("auth", &[], 4, "import wasi:http/outgoing-handler@0.2; export x: func();"),
    ];
    let mut numbers = Numbers(4);
    let mut ends = Ends::default();
    for _ in 0..100 {
        let mut parts = parts.clone();
        let index = numbers.below(2);
        let bytes = &mut parts[index].bytes;
        // Letters in names are where a change leaves a component valid, and different from the other.
        let letters: Vec<usize> =
            (0..bytes.len()).filter(|at| bytes[*at].is_ascii_lowercase()).collect();
        let at = letters[numbers.below(letters.len())];
        bytes[at] = b'a' + numbers.below(26) as u8;
        ends.try_it(&parts);
    }
    assert!(ends.composed > 0 && ends.other > 0, "{ends:?}");
}

#[test]
fn types_that_are_nested_deep_are_no_panic() {
    let part = |name: &str, dependencies: &[&str], last: &str, depth: usize| {
        let lists: String =
            (0..depth).map(|n| format!("(type $t{} (list $t{n}))", n + 1)).collect();
        let text = format!(
            "(component (type $t0 (list u8)) {lists} (import \"f\" (func $f (param \"x\" $t{depth}))) {last})"
        );
        super::fixture::wat_part(name, dependencies, &text)
    };
    let mut ends = Ends::default();
    for depth in [10, 90, 1000, 10_000] {
        ends.try_it(&[
            part("api", &["x"], "(import \"x\" (func $x)) (export \"y\" (func $x))", depth),
            part(
                "x",
                &[],
                "(export \"z\" (func $f)) (import \"g\" (func $g)) (export \"x\" (func $g))",
                depth,
            ),
        ]);
    }
    assert!(ends.composed > 0 && ends.unsupported.is_empty(), "{ends:?}");
    assert!(ends.composed + ends.unreadable == 4, "{ends:?}");
}
