//! Projects in Rust: a tool like grep (regex, clap), a renderer of Markdown (pulldown-cmark, serde, toml), a
//! web service on wasi:http (serde_json and a derive macro of the project's own), and a tokenizer whose
//! tables a build script generates. All four are members of one Cargo workspace. A project with SQLite is in
//! `third_party.rs` of the tests of Rust.

use super::Program;
use crate::harness::Workspace;

const PAGE: &str = "\
+++
title = \"Hi\"
tags = [\"a\"]
date = 2026-01-02
+++
# x
[l](/y) ~~no~~

|a|b|
|-|-|
|1|2|
";

const HTML: &str = "\
<h1>Hi</h1>
<time>2026-01-02</time>
<a href=\"https://s.example/tags/a\">a</a>
<h1>x</h1>
<p><a href=\"https://s.example/y\">l</a> <del>no</del></p>
<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody>
<tr><td>1</td><td>2</td></tr>
</tbody></table>
";

#[test]
fn four_projects_in_rust_answer() {
    let workspace = Workspace::fixture("projects/rust");
    workspace.run(["build", "--opt-level", "debug"]).ok();

    let seek = Program::of(&workspace, "seek");
    let mark = ("SEEK_MARK", "*");
    let lines = "Grüße\nHello\nworld\nHALLO\n";
    assert_eq!(seek.prints(mark, &["-n", "-i", "h.l"], lines), "2:*Hel*lo\n4:*HAL*LO\n");
    assert_eq!(seek.prints(mark, &["-v", "l"], lines), "Grüße\nHALLO\n");
    assert_eq!(seek.prints(mark, &["--count", "-i", "GRÜSSE|grüße|w\\b|d$"], lines), "2\n");
    assert_eq!(seek.prints(mark, &["-r", "[$1$first]", "^(?<first>H)"], lines).lines().count(), 2);
    assert_eq!(seek.fails(mark, &["nothing"], lines), (1, String::new()));
    // WASI 0.2 has no other exit status for a failure.
    let (status, said) = seek.fails(mark, &["(", "-n"], lines);
    assert!(status == 1 && said.contains("unclosed group"), "{said}");
    let (status, said) = seek.fails(mark, &["--colour"], lines);
    assert!(status == 1 && said.contains("unexpected argument '--colour' found"), "{said}");

    let press = Program::of(&workspace, "press");
    let site = ("PRESS_SITE", "https://s.example");
    assert_eq!(press.prints(site, &[], PAGE), HTML);
    let draft = PAGE.replace("date", "draft = true\ndate");
    assert_eq!(press.fails(site, &[], &draft), (1, "press: `Hi` is a draft\n".to_owned()));
    assert_eq!(press.prints(site, &["--drafts"], &draft), HTML);
    let (_, said) = press.fails(site, &[], &PAGE.replace("tags", "labels"));
    assert!(said.contains("unknown field `labels`"), "{said}");

    let tally = Program::of(&workspace, "tally");
    let separator = ("TALLY_SEPARATOR", ",");
    let program = "let x = 12; if x == 3 { return x }";
    let counted = "keyword 3: let,if,return\nname 3: x,x,x\n3e3813f5\n";
    assert_eq!(tally.prints(separator, &["keyword", "name"], program), counted);
    assert!(tally.prints(separator, &[], "123456789").ends_with("cbf43926\n"));

    Program::of(&workspace, "notes").serves(|service| {
        let schema = "{\"id\":\"u32\",\"tags\":\"Vec<String>\",\"text\":\"String\"}".to_owned();
        assert_eq!(service.get("/schema"), (200, schema));
        let notes =
            "[{\"id\":2,\"text\":\"buy tea\",\"tags\":[\"home\"]},{\"id\":1,\"text\":\"rest\"}]";
        let summary = "{\"notes\":2,\"words\":3,\"tags\":{\"home\":1},\
                       \"last\":{\"id\":2,\"text\":\"buy tea\",\"tags\":[\"home\"]}}";
        assert_eq!(service.post("/notes", notes), (200, summary.to_owned()));
        let (status, said) = service.post("/notes", "[{\"id\":-1}]");
        assert!(status == 400 && said.contains("expected u32"), "{said}");
        assert_eq!(service.get("/").0, 404);
    });
}
