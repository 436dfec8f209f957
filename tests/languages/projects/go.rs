//! Projects in Go: a site generator (goldmark, YAML, `html/template`), a query tool for JSON (cobra, gjson),
//! a calculator (participle, decimal), and a web service (chi and `net/http` behind wasi:http). All four
//! belong to one module.

use super::Program;
use crate::first_build::ask;
use crate::harness::Workspace;

const PAGES: &str = "\
---
title: Home
slug: \"\"
weight: 1
---
# Hi *you*

- [x] done
===
---
title: A & B
slug: ab
tags: [x, \"y\"]
---
~~no~~ https://wasi.dev
";

const SITE: &str = "\
== https://s.example/ab x,y
<!doctype html>
<title>A &amp; B · Mine</title>
<nav><a href=\"https://s.example/ab\">A &amp; B</a> <a href=\"https://s.example/\">Home</a> </nav>
<p><del>no</del> <a href=\"https://wasi.dev\">https://wasi.dev</a></p>

== https://s.example/\u{20}
<!doctype html>
<title>Home · Mine</title>
<nav><a href=\"https://s.example/ab\">A &amp; B</a> <a href=\"https://s.example/\">Home</a> </nav>
<h1>Hi <em>you</em></h1>
<ul>
<li><input checked=\"\" disabled=\"\" type=\"checkbox\"> done</li>
</ul>

";

#[test]
fn four_projects_in_go_answer() {
    let workspace = Workspace::fixture("projects/go");
    workspace.use_the_machines_go_proxy();
    workspace.run(["build"]).ok();

    let site = Program::of(&workspace, "site");
    let base = ("SITE_BASE", "https://s.example");
    assert_eq!(site.prints(base, &["-name", "Mine"], PAGES), SITE);
    let (status, said) = site.fails(base, &[], "---\ncolour: red\n---\n");
    assert!(status == 1 && said.contains("page 1: yaml") && said.contains("colour"), "{said}");

    let pick = Program::of(&workspace, "pick");
    let json = "{\"a\": [{\"b\": 1}, {\"b\": \"x\"}], \"c\": {\"d\": null}}";
    let own = |raw| ("PICK_RAW", raw);
    assert_eq!(pick.prints(own(""), &["get", "a.#.b", "a.1.b"], json), "[1,\"x\"]\nx\n");
    assert_eq!(pick.prints(own(""), &["get", "--raw", "a.1.b"], json), "\"x\"\n");
    assert_eq!(pick.prints(own("1"), &["get", "a.1.b"], json), "\"x\"\n");
    assert_eq!(pick.prints(own(""), &["keys"], json), "a JSON\nc JSON\n");
    let nothing = "Error: there is nothing at \"e\"\n".to_owned();
    assert_eq!(pick.fails(own(""), &["get", "e"], json), (1, nothing));
    let (_, said) = pick.fails(own(""), &["frob"], "");
    assert!(said.starts_with("Error: unknown command \"frob\" for \"pick\""), "{said}");

    let calc = Program::of(&workspace, "calc");
    let rate = ("RATE", "0.5");
    let lines = "x = 1.1 + 2.2\nx * -(2 - RATE)\n1/3\n";
    assert_eq!(calc.prints(rate, &["="], lines), "= -4.95\n= 0.3333333333333333\n");
    let (status, said) = calc.fails(rate, &[], "4/0\n1 +\nnope\n");
    assert_eq!(status, 1);
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        [
            "calc: division by zero",
            "calc: 1:4: unexpected token \"<EOF>\" (expected Product)",
            "calc: nobody knows nope"
        ]
    );

    Program::of(&workspace, "links").serves(|service| {
        assert_eq!(service.get("/links/"), (200, "[\"go\",\"wasi\"]\n".to_owned()));
        let answer = ask(service.0, "GET", "/go/wasi", "", "");
        let there = answer.headers.lines().any(|line| line == "location: https://wasi.example/");
        assert!(answer.status == 302 && there, "{}", answer.headers);
        assert_eq!(service.get("/go/nowhere"), (404, "no such link\n".to_owned()));
        let counted = "{\"kind\":\"text/plain\",\"query\":[\"a b\"],\"words\":20000}\n".to_owned();
        assert_eq!(service.post("/words?q=a+b", &"word ".repeat(20_000)), (200, counted));
        assert_eq!(service.get("/words").0, 405);
        assert_eq!(service.get("/panic").0, 500);
    });
}
