//! Projects in Python: a renderer of templates (jinja2, markupsafe), statistics of tables (attrs), a JSON
//! service (only the standard library, behind wasi:http), and a linter of configurations (pyyaml, and a
//! member of its workspace).

use super::Program;
use crate::first_build::ask;
use crate::harness::Workspace;

/// A variable that no program reads.
const NONE: (&str, &str) = ("OTHER", "value");

fn built(project: &str) -> Workspace {
    let workspace = Workspace::fixture(&format!("projects/python/{project}"));
    workspace.run(["build"]).ok();
    workspace
}

#[test]
fn a_renderer_of_templates_with_jinja2_and_markupsafe_answers() {
    let render = Program::of(&built("render"), "render");
    let items = "{ \"items\": [{ \"name\": \"tea & cake\", \"cents\": 123456 }, { \"name\": \"free\", \"cents\": 0 }] }";
    let badge = ("BADGE", "gold & glitter");
    assert_eq!(
        render.prints(badge, &["invoice.html", "customer=<Ada>"], items),
        "<!doctype html>\n<title>Invoice for &lt;Ada&gt;</title>\n<table>\n<tr><td>tea &amp; cake<td>1,234.56 €\n\
         </table>\n<p>1,234.56 €</p>\n<img alt=\"gold &amp; glitter\">\n"
    );
    let templates = "the templates are base.html, invoice.html\n".to_owned();
    assert_eq!(render.fails(badge, &["none"], "{}"), (1, templates));
    // For this message jinja2 imports a module in a function.
    let undefined = "invoice.html:5: 'customer' is undefined\n".to_owned();
    assert_eq!(render.fails(badge, &["invoice.html"], "{ \"items\": [] }"), (1, undefined));
}

#[test]
fn statistics_of_tables_with_attrs_and_the_standard_library_answer() {
    let stats = Program::of(&built("stats"), "stats");
    let table = "kind,price,weight\na,1.5,2\na,2.5,x\nb,10,3\n";
    let (status, summary, said) = stats.run(NONE, &["--by", "kind", "price", "weight"], table);
    assert_eq!(
        summary,
        "a/price      n=2 mean=2.00 median=2.0 sd=0.71\na/weight     n=1 mean=2.00 median=2 sd=0.00\n\
         b/price      n=1 mean=10.00 median=10 sd=0.00\nb/weight     n=1 mean=3.00 median=3 sd=0.00\n"
    );
    assert_eq!((status, said.as_str()), (0, "line 3: weight is no number: 'x'\n"));
    assert_eq!(stats.prints(NONE, &["--version"], ""), "1.2.0\n");
    assert_eq!(stats.fails(NONE, &["other"], table).1, "there is no column other\n");
    // For this message the standard library imports modules in functions.
    let usage = stats.fails(NONE, &["price", "--what"], table).1;
    assert!(usage.ends_with("stats: error: unrecognized arguments: --what\n"), "{usage}");
}

#[test]
fn a_service_of_json_answers() {
    Program::of(&built("service"), "service").serves(|service| {
        let json = |status: u16, text: &str| (status, format!("{text}\n"));
        let rates = "{\"EUR\": \"1\", \"USD\": \"1.08\", \"JPY\": \"162.5\"}";
        assert_eq!(service.get("/rates"), json(200, rates));
        let yen = "{\"amount\": \"406.25\", \"currency\": \"JPY\"}";
        assert_eq!(service.get("/convert/EUR/JPY?amount=2.50"), json(200, yen));
        let answer = ask(service.0, "GET", "/convert/EUR/XXX", "", "");
        assert_eq!((answer.status, answer.body), json(404, "{\"error\": \"no rate for 'XXX'\"}"));
        assert!(answer.headers.contains("content-type: application/json"), "{}", answer.headers);
        assert_eq!(service.get("/convert"), json(405, "{\"error\": \"only POST\"}"));
        let orders = "[{ \"amount\": \"2\", \"from\": \"USD\", \"to\": \"USD\" }, \
                      { \"amount\": \"ü\", \"from\": \"EUR\", \"to\": \"USD\" }]";
        let all =
            "[{\"amount\": \"2.00\", \"currency\": \"USD\"}, {\"error\": \"'ü' is no number\"}]";
        assert_eq!(service.post("/convert", orders), json(400, all));
    });
}

#[test]
fn a_linter_of_configurations_with_pyyaml_and_a_member_of_its_workspace_answers() {
    let linter = Program::of(&built("linter"), "linter");
    let yaml = "server:\n  port: 99999\n  hosts: [{ port: 80 }]\ndb: { password: abc, token: \"${TOKEN}\" }\n";
    let (status, found, said) = linter.run(NONE, &["yaml"], yaml);
    assert_eq!(
        found,
        "db.password: a secret is written out [secrets]\nserver.port: 99999 is no port [ports]\n"
    );
    assert_eq!((status, said.as_str()), (1, ""));
    assert_eq!(linter.prints(NONE, &["toml"], "[server]\nport = 80\n"), "no findings\n");
    let broken = "no yaml: while parsing a flow node\n".to_owned();
    assert_eq!(linter.fails(NONE, &["yaml"], "a: [\n"), (1, broken));
}
