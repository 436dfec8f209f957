//! Projects in JavaScript and TypeScript: a shortener of URLs (hono and nanoid behind wasi:http), a converter
//! of Markdown (marked), a validator of forms (TypeScript, zod), and form letters (handlebars and dayjs, in a
//! workspace of npm).

use super::{Program, Service};
use crate::first_build::ask;
use crate::harness::Workspace;

/// A variable that no program reads.
const NONE: (&str, &str) = ("OTHER", "value");

fn built(project: &str) -> Workspace {
    let workspace = Workspace::fixture(&format!("projects/javascript/{project}"));
    workspace.run(["build"]).ok();
    workspace
}

#[test]
fn a_shortener_of_urls_with_hono_and_nanoid_answers() {
    Program::of(&built("shortener"), "shortener").serves(|service| {
        assert_eq!(service.get("/"), (200, "{\"links\":2}".to_owned()));
        let Service(address) = service;
        let answer = ask(address, "GET", "/wasi", "", "");
        let is_there = answer.headers.lines().any(|line| line == "location: https://wasi.dev/");
        assert!(answer.status == 301 && is_there, "{}", answer.headers);
        let missing = "{\"error\":\"there is no such link\"}".to_owned();
        assert_eq!(service.get("/none"), (404, missing));
        let (status, body) = service.post("/links", "{ \"url\": \"https://example.com/a b\" }");
        let id = body.split('"').nth(3).unwrap();
        let is_of_ids = |c: char| c.is_ascii_digit() || c.is_ascii_lowercase();
        assert!(id.len() == 7 && id.chars().all(is_of_ids), "{body}");
        let made = format!("{{\"id\":\"{id}\",\"url\":\"https://example.com/a%20b\"}}");
        assert_eq!((status, &body), (201, &made));
        assert_eq!(
            service.post("/links", "{"),
            (400, "{\"error\":\"`url` is no URL\"}".to_owned())
        );
    });
}

#[test]
fn a_converter_of_markdown_with_marked_answers() {
    let markdown = Program::of(&built("markdown"), "markdown");
    let text = "# Über uns\n\nSee *here*.\n\n## Preise & Co\n\n| a | b |\n|---|---|\n| 1 | 2 |\n";
    let page = markdown.prints(NONE, &["--title", "Ein Titel", "--toc"], text);
    let (head, body) = page.split_once("</nav>\n").unwrap();
    assert_eq!(
        head,
        "<!doctype html>\n<html lang=\"en\">\n<title>Ein Titel</title>\n<nav>\n\
         - <a href=\"#über-uns\">Über uns</a>\n  - <a href=\"#preise-co\">Preise & Co</a>\n"
    );
    assert!(body.starts_with("<h1 id=\"über-uns\">Über uns</h1>\n<p>See <em>here</em>.</p>\n"));
    assert!(body.contains("<h2 id=\"preise-co\">Preise &amp; Co</h2>\n<table>\n"), "{body}");
    let empty = markdown.prints(NONE, &[], "");
    assert!(empty.ends_with("<title>Untitled</title>\n\n</html>\n"), "{empty}");
}

#[test]
fn a_validator_of_forms_in_typescript_with_zod_answers() {
    let validator = Program::of(&built("validator"), "validator");
    let orders = "{ \"customer\": { \"name\": \"Ada\", \"email\": \"ada@example.com\", \"age\": \"36\" }, \
                  \"items\": [{ \"sku\": \"AB-123\", \"count\": 2 }] }\n\
                  { \"customer\": { \"name\": \"\", \"email\": \"x\" }, \"items\": [], \"extra\": 1 }\n{\n";
    let (status, told, said) = validator.run(NONE, &["order"], orders);
    assert_eq!(
        told,
        "1: ok\n2: customer.name: String must contain at least 1 character(s); customer.email: Invalid email; \
         items: Array must contain at least 1 element(s); Unrecognized key(s) in object: 'extra'\n3: is no JSON\n"
    );
    assert_eq!((status, said.as_str()), (1, "2 wrong\n"));
    let person = "{ \"name\": \"Ada\", \"email\": \"ada@example.com\" }\n";
    assert_eq!(validator.prints(NONE, &["person"], person), "1: ok\n");
    let schemas = "the schemas are person, order\n".to_owned();
    assert_eq!(validator.fails(NONE, &["none"], ""), (1, schemas));
}

#[test]
fn form_letters_of_a_workspace_with_handlebars_and_dayjs_answer() {
    let letters = Program::of(&built("letters"), "letters");
    let people = "Ada, 2024-02-29\nGrace & Co, 2024-03-10\n";
    assert_eq!(
        letters.prints(("SENDER", "The bookshop"), &["2024-03-20"], people),
        "Dear Ada,\nyour invoice of February 29, 2024 was due on March 14, 2024.\nThe bookshop\n\n\
         Dear Grace & Co,\nthank you!\nThe bookshop\n\n"
    );
}
