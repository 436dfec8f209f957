//! Tests that each import is served by the right part.

use super::fixture::{composed, links, part, refused, surface, wasi_part, wat_part};

const DEMO: &str = "
    package demo:a@1.0.0 { interface one { f: func(); } interface two { g: func(x: u32) -> string; } }";
const HANDLER: &str = "
    package demo:web@0.2.0 { interface handler { handle: func(path: string) -> string; } }";
const NEWER_HANDLER: &str = "
    package demo:web@0.2.3 { interface handler { handle: func(path: string) -> string; more: func(); } }";
const OTHER_HANDLER: &str = "
    package demo:web@0.3.0 { interface handler { handle: func(path: string) -> string; } }";

const WRAP: &str = "import demo:web/handler@0.2.0; export demo:web/handler@0.2.0;";

#[test]
fn an_interface_and_a_plain_function_are_linked_by_name() {
    let parts = [
        part(
            "api",
            &["auth"],
            DEMO,
            "import demo:a/one@1.0.0; import hash: func(x: string) -> u64; export run: func();",
        ),
        part(
            "auth",
            &[],
            DEMO,
            "export demo:a/one@1.0.0; export hash: func(x: string) -> u64; export unasked: func();",
        ),
    ];
    let composed = composed(&parts);
    assert_eq!(surface(&composed.bytes), ["export run"]);
    assert_eq!(links(&composed), ["api: demo:a/one@1.0.0 < auth", "api: hash < auth"]);
}

#[test]
fn what_nobody_serves_stays_an_import_of_the_whole() {
    let parts = [
        part(
            "api",
            &["auth"],
            DEMO,
            "import demo:a/one@1.0.0; import demo:a/two@1.0.0; import log: func(); export run: func();",
        ),
        part(
            "auth",
            &[],
            DEMO,
            "import demo:a/two@1.0.0; import log: func(); export demo:a/one@1.0.0;",
        ),
    ];
    let composed = composed(&parts);
    assert_eq!(surface(&composed.bytes), ["import demo:a/two@1.0.0", "import log", "export run"]);
    assert_eq!(links(&composed), ["api: demo:a/one@1.0.0 < auth"]);
}

#[test]
fn a_part_has_one_instance_however_many_depend_on_it() {
    let parts = [
        part(
            "api",
            &["left", "right"],
            "",
            "import left: func(); import right: func(); export run: func();",
        ),
        part("left", &["store"], "", "import get: func(); export left: func();"),
        part("right", &["store"], "", "import get: func(); export right: func();"),
        part("store", &[], "", "export get: func();"),
    ];
    let composed = composed(&parts);
    assert_eq!(
        links(&composed),
        ["api: left < left", "api: right < right", "left: get < store", "right: get < store"]
    );
    // Each part is a component with one core module. What else has an instance are the four instances.
    assert_eq!(instances(&composed.bytes), 4);
    let sum: usize = parts.iter().map(|part| part.bytes.len()).sum();
    assert!(composed.bytes.len() < sum + 500, "{} of {sum}", composed.bytes.len());
}

/// Counts the instances of components at the top of a component.
fn instances(bytes: &[u8]) -> usize {
    let (mut depth, mut count) = (0, 0);
    for payload in wasmparser::Parser::new(0).parse_all(bytes) {
        match payload.unwrap() {
            wasmparser::Payload::Version { .. } => depth += 1,
            wasmparser::Payload::End(_) => depth -= 1,
            wasmparser::Payload::ComponentInstanceSection(section) if depth == 1 => {
                count += section.count() as usize;
            }
            _ => {}
        }
    }
    count
}

#[test]
fn parts_that_the_root_does_not_need_are_not_looked_at() {
    let mut parts = vec![
        part("api", &["auth"], DEMO, "import demo:a/one@1.0.0; export run: func();"),
        part("auth", &[], DEMO, "export demo:a/one@1.0.0;"),
    ];
    let alone = composed(&parts);
    parts.push(super::fixture::of_bytes("broken", &["api", "nobody"], b"no component".to_vec()));
    assert_eq!(composed(&parts), alone);
}

#[test]
fn a_root_without_dependencies_stays_as_it_is() {
    let parts = [part("api", &[], DEMO, "import demo:a/one@1.0.0; export run: func();")];
    let composed = composed(&parts);
    assert_eq!(composed.bytes, parts[0].bytes);
    assert_eq!(composed.links, []);
}

#[test]
fn a_compatible_version_serves_and_an_equal_one_goes_first() {
    let root = |dependencies: &[&str]| {
        part("api", dependencies, HANDLER, "import demo:web/handler@0.2.0; export run: func();")
    };
    let old = part("old", &[], HANDLER, "export demo:web/handler@0.2.0;");
    let new = part("new", &[], NEWER_HANDLER, "export demo:web/handler@0.2.3;");
    let compatible = composed(&[root(&["new"]), new.clone()]);
    assert_eq!(links(&compatible), ["api: demo:web/handler@0.2.0 < new as demo:web/handler@0.2.3"]);
    assert_eq!(
        refused(&[root(&["new", "old"]), new, old]),
        "`api` imports nothing from its dependency `new`
`api` imports `demo:web/handler@0.2.0`
`new` exports `demo:web/handler@0.2.3`
another dependency serves `demo:web/handler@0.2.0`"
    );
}

#[test]
fn of_several_versions_of_one_part_the_equal_one_or_the_newest_serves() {
    let both = format!("{HANDLER} {NEWER_HANDLER} {OTHER_HANDLER}");
    let exports = "export demo:web/handler@0.2.0; export demo:web/handler@0.2.3; export demo:web/handler@0.3.0;";
    let root = |version: &str| {
        let handler = HANDLER.replace("0.2.0", version);
        part(
            "api",
            &["web"],
            &handler,
            &format!("import demo:web/handler@{version}; export run: func();"),
        )
    };
    let web = part("web", &[], &both, exports);
    for (version, link) in [
        ("0.2.0", "api: demo:web/handler@0.2.0 < web"),
        ("0.2.3", "api: demo:web/handler@0.2.3 < web"),
        ("0.2.1", "api: demo:web/handler@0.2.1 < web as demo:web/handler@0.2.3"),
        ("0.2.9", "api: demo:web/handler@0.2.9 < web as demo:web/handler@0.2.3"),
        ("0.3.1", "api: demo:web/handler@0.3.1 < web as demo:web/handler@0.3.0"),
    ] {
        assert_eq!(links(&composed(&[root(version), web.clone()])), [link]);
    }
}

#[test]
fn the_root_may_be_a_middleware() {
    let parts = [
        part("auth", &["api"], HANDLER, WRAP),
        part("api", &[], HANDLER, "export demo:web/handler@0.2.0;"),
    ];
    let composed = composed(&parts);
    assert_eq!(surface(&composed.bytes), ["export demo:web/handler@0.2.0"]);
    assert_eq!(links(&composed), ["auth: demo:web/handler@0.2.0 < api"]);
}

#[test]
fn a_root_gets_the_middleware_and_not_what_it_wraps() {
    let root = |dependencies: &[&str]| {
        part("api", dependencies, HANDLER, "import demo:web/handler@0.2.0; export run: func();")
    };
    let auth = part("auth", &["handler"], HANDLER, WRAP);
    let handler = part("handler", &[], HANDLER, "export demo:web/handler@0.2.0;");
    let expected = ["api: demo:web/handler@0.2.0 < auth", "auth: demo:web/handler@0.2.0 < handler"];
    let one = composed(&[root(&["auth"]), auth.clone(), handler.clone()]);
    assert_eq!(links(&one), expected);
    let both = composed(&[root(&["auth", "handler"]), auth, handler]);
    assert_eq!(both, one);
}

#[test]
fn middlewares_are_stacked() {
    let root = part(
        "api",
        &["log", "auth", "handler"],
        HANDLER,
        "import demo:web/handler@0.2.0; export run: func();",
    );
    let log = part("log", &["auth", "handler"], HANDLER, WRAP);
    let auth = part("auth", &["handler"], HANDLER, WRAP);
    let handler = part("handler", &[], HANDLER, "export demo:web/handler@0.2.0;");
    let composed = composed(&[root, log, auth, handler]);
    assert_eq!(
        links(&composed),
        [
            "api: demo:web/handler@0.2.0 < log",
            "auth: demo:web/handler@0.2.0 < handler",
            "log: demo:web/handler@0.2.0 < auth",
        ]
    );
}

#[test]
fn no_patch_version_goes_round_a_middleware() {
    let root = part(
        "api",
        &["auth", "handler"],
        NEWER_HANDLER,
        "import demo:web/handler@0.2.3; export run: func();",
    );
    let handler = part("handler", &[], NEWER_HANDLER, "export demo:web/handler@0.2.3;");
    let both = format!("{HANDLER} {NEWER_HANDLER}");
    let auth = part(
        "auth",
        &["handler"],
        &both,
        "import demo:web/handler@0.2.3; export demo:web/handler@0.2.0;",
    );
    // The middleware is chosen, and then found to lack what the newer version has.
    assert_eq!(
        refused(&[root, auth, handler]),
        "`api` imports `demo:web/handler@0.2.3`, which `auth` exports as `demo:web/handler@0.2.0` with other types
`more` is not exported: func()"
    );
}

#[test]
fn what_a_middleware_does_not_wrap_is_ambiguous() {
    let root = part(
        "api",
        &["auth", "handler"],
        HANDLER,
        "import demo:web/handler@0.2.0; export run: func();",
    );
    // It takes its handler from outside, so nothing says that it stands before the other one.
    let auth = part("auth", &[], HANDLER, WRAP);
    let handler = part("handler", &[], HANDLER, "export demo:web/handler@0.2.0;");
    assert_eq!(
        refused(&[root, auth, handler]),
        "`api` imports `demo:web/handler@0.2.0`, and `auth` and `handler` export it"
    );
}

#[test]
fn a_middleware_of_http_is_stacked() {
    let import = "import wasi:http/incoming-handler@0.2; export wasi:http/incoming-handler@0.2;";
    let parts = [
        wasi_part("auth", &["log"], 4, import),
        wasi_part("log", &["api"], 4, import),
        wasi_part("api", &[], 4, "include wasi:http/proxy@0.2;"),
    ];
    let composed = composed(&parts);
    assert_eq!(
        links(&composed),
        [
            "auth: wasi:http/incoming-handler@0.2.4 < log",
            "log: wasi:http/incoming-handler@0.2.4 < api"
        ]
    );
    let surface = surface(&composed.bytes);
    let exports: Vec<_> = surface.iter().filter(|item| item.starts_with("export")).collect();
    assert_eq!(exports, ["export wasi:http/incoming-handler@0.2.4"]);
    assert!(!surface.contains(&"import wasi:http/incoming-handler@0.2.4".to_owned()));
}

#[test]
fn a_plain_instance_is_linked_by_name() {
    let parts = [
        wat_part(
            "api",
            &["auth"],
            r#"(component (import "x" (instance (export "f" (func)))) (export "y" (instance 0)))"#,
        ),
        wat_part(
            "auth",
            &[],
            r#"(component (import "f" (func $f)) (instance $x (export "f" (func $f))) (export "x" (instance $x)))"#,
        ),
    ];
    let composed = composed(&parts);
    assert_eq!(links(&composed), ["api: x < auth"]);
    assert_eq!(surface(&composed.bytes), ["import f", "export y"]);
}

#[test]
fn two_imports_of_one_type_stay_two() {
    let root = r#"(component
        (type $t (instance (export "f" (func))))
        (import "a:b/c" (instance (type $t))) (import "a:b/d" (instance (type $t))) (import "g" (func))
        (import "plain" (instance (type $t)))
        (export "c" (instance 0)) (export "d" (instance 1)) (export "p" (instance 2)))"#;
    let dependency = r#"(component (import "h" (func $h)) (export "g" (func $h)))"#;
    let parts = [wat_part("api", &["auth"], root), wat_part("auth", &[], dependency)];
    let composed = composed(&parts);
    let expected = [
        "import h",
        "import a:b/c",
        "import a:b/d",
        "import plain",
        "export c",
        "export d",
        "export p",
    ];
    let mut surface = surface(&composed.bytes);
    surface.sort();
    let mut expected = expected.map(str::to_owned);
    expected.sort();
    assert_eq!(surface, expected);
}
