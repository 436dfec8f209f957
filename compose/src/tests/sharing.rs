//! Resources and other types that several parts have in common.

use super::fixture::{composed, links, part, refused, surface, wasi_part, wat_part};

const SHOP: &str = "
    package demo:shop@1.0.0 {
        interface types {
            record money { cents: u64 }
            resource cart { constructor(); total: func() -> money; }
        }
        interface prices { use types.{money}; price: func(of: string) -> money; }
        interface orders { use types.{cart, money}; order: func(cart: cart) -> money; peek: func(cart: borrow<cart>); }
        interface plain { record p { x: u32 } }
        interface uses-plain { use plain.{p}; get: func() -> p; }
        interface deep { record order { lines: list<line> } record line { count: u32 } }
        interface both { record line { count: u32 } record order { lines: list<line> } f: func() -> order; }
        interface uses-both { use both.{order}; get: func() -> order; }
        interface uses-deep { use deep.{order}; get: func() -> order; }
    }";

#[test]
fn a_resource_of_a_dependency_is_used_and_passed_on() {
    let parts = [
        part(
            "api",
            &["cart", "orders"],
            SHOP,
            "import demo:shop/types@1.0.0; import demo:shop/orders@1.0.0; export run: func();",
        ),
        part(
            "orders",
            &["cart"],
            SHOP,
            "import demo:shop/types@1.0.0; export demo:shop/orders@1.0.0;",
        ),
        part("cart", &[], SHOP, "export demo:shop/types@1.0.0;"),
    ];
    let composed = composed(&parts);
    assert_eq!(surface(&composed.bytes), ["export run"]);
    assert_eq!(
        links(&composed),
        [
            "api: demo:shop/orders@1.0.0 < orders",
            "api: demo:shop/types@1.0.0 < cart",
            "orders: demo:shop/types@1.0.0 < cart",
        ]
    );
}

#[test]
fn an_interface_may_come_with_the_types_of_another_dependency() {
    // All of `types` comes with the other interface, which the same part exports.
    let parts = [
        part("api", &["shop"], SHOP, "import demo:shop/orders@1.0.0; export run: func();"),
        part("shop", &[], SHOP, "export demo:shop/types@1.0.0; export demo:shop/orders@1.0.0;"),
    ];
    assert_eq!(surface(&composed(&parts).bytes), ["export run"]);
}

#[test]
fn a_resource_that_is_not_the_same_on_both_sides_is_refused() {
    let parts = [
        part(
            "api",
            &["cart", "orders"],
            SHOP,
            "import demo:shop/types@1.0.0; import demo:shop/orders@1.0.0; export run: func();",
        ),
        part("orders", &[], SHOP, "import demo:shop/types@1.0.0; export demo:shop/orders@1.0.0;"),
        part("cart", &[], SHOP, "export demo:shop/types@1.0.0;"),
    ];
    assert_eq!(
        refused(&parts),
        "`api` imports `demo:shop/orders@1.0.0`, which `orders` exports with other types
the resource `cart` of `demo:shop/types@1.0.0` is not the same in both:
  `api` takes it from `cart`
  `orders` has that of `demo:shop/types@1.*` outside, which no dependency exports"
    );
    let second =
        part("second", &[], SHOP, "export demo:shop/types@1.0.0; export demo:shop/orders@1.0.0;");
    let [api, _, cart] = parts;
    let api = crate::Part { dependencies: vec!["cart".to_owned(), "orders".to_owned()], ..api };
    let orders = part(
        "orders",
        &["second"],
        SHOP,
        "import demo:shop/types@1.0.0; export demo:shop/orders@1.0.0;",
    );
    assert_eq!(
        refused(&[api, orders, cart, second]),
        "`api` imports `demo:shop/orders@1.0.0`, which `orders` exports with other types
the resource `cart` of `demo:shop/types@1.0.0` is not the same in both:
  `api` takes it from `cart`
  `orders` has that of `second`"
    );
}

#[test]
fn what_stays_open_can_not_use_a_resource_from_inside() {
    let parts = [
        part(
            "api",
            &["cart"],
            SHOP,
            "import demo:shop/types@1.0.0; import demo:shop/orders@1.0.0; export run: func();",
        ),
        part("cart", &[], SHOP, "export demo:shop/types@1.0.0;"),
    ];
    assert_eq!(
        refused(&parts),
        "no dependency of `api` exports `demo:shop/orders@1.0.0`, which uses the resource `cart` of `demo:shop/types@1.0.0`; \
         `cart` exports that, so nothing outside can provide `demo:shop/orders@1.0.0`"
    );
    let parts = [
        part(
            "api",
            &["cart"],
            SHOP,
            "use demo:shop/types@1.0.0.{cart}; import f: func() -> option<cart>; export run: func();",
        ),
        part("cart", &[], SHOP, "export demo:shop/types@1.0.0;"),
    ];
    assert_eq!(
        refused(&parts),
        "no dependency of `api` exports `f`, which uses the resource `cart` of `demo:shop/types@1.0.0`; \
         `cart` exports that, so nothing outside can provide `f`"
    );
}

#[test]
fn what_stays_open_can_use_other_types_from_inside() {
    let parts = [
        part(
            "api",
            &["plain"],
            SHOP,
            "import demo:shop/plain@1.0.0; import demo:shop/uses-plain@1.0.0; export run: func();",
        ),
        part("plain", &[], SHOP, "export demo:shop/plain@1.0.0;"),
    ];
    let composed = composed(&parts);
    // The interface with the types has to be imported, because an import can use only types that have a name outside.
    assert_eq!(
        surface(&composed.bytes),
        ["import demo:shop/plain@1.0.0", "import demo:shop/uses-plain@1.0.0", "export run"]
    );
    assert_eq!(links(&composed), ["api: demo:shop/plain@1.0.0 < plain"]);
}

#[test]
fn an_export_may_use_types_of_an_import_that_stays_open() {
    for (interface, types) in [("orders", "types"), ("uses-plain", "plain"), ("uses-deep", "deep")]
    {
        let parts = [
            part(
                "api",
                &["x"],
                SHOP,
                &format!("import x: func(); export demo:shop/{interface}@1.0.0;"),
            ),
            part("x", &[], SHOP, &format!("import demo:shop/{types}@1.0.0; export x: func();")),
        ];
        assert_eq!(
            surface(&composed(&parts).bytes),
            [
                format!("import demo:shop/{types}@1.0.0"),
                format!("export demo:shop/{interface}@1.0.0")
            ]
        );
    }
}

#[test]
fn an_export_may_use_types_of_a_dependency() {
    // `uses-deep` uses a record that has lists of another record, which has no name in `uses-deep`. So `deep` stays an import.
    for (interface, types, expected) in [
        ("orders", "types", &["export demo:shop/orders@1.0.0"][..]),
        ("uses-plain", "plain", &["export demo:shop/uses-plain@1.0.0"]),
        ("uses-deep", "deep", &["import demo:shop/deep@1.0.0", "export demo:shop/uses-deep@1.0.0"]),
    ] {
        let parts = [
            part(
                "api",
                &["x"],
                SHOP,
                &format!("import x: func(); export demo:shop/{interface}@1.0.0;"),
            ),
            part("x", &[], SHOP, &format!("export x: func(); export demo:shop/{types}@1.0.0;")),
        ];
        let composed = composed(&parts);
        assert_eq!(surface(&composed.bytes), expected);
    }
}

#[test]
fn an_export_can_not_use_a_type_that_has_no_name_outside() {
    let types =
        part("types", &[], SHOP, "export demo:shop/types@1.0.0; export demo:shop/both@1.0.0;");
    let api = |world: &str| part("api", &["types"], SHOP, world);
    let world = "use demo:shop/types@1.0.0.{cart}; export run: func(carts: list<cart>);";
    assert_eq!(
        refused(&[api(world), types.clone()]),
        "`api` exports `run`, which uses `cart` of `demo:shop/types@1.0.0`; \
         `types` exports that inside, so nothing outside can use `run`"
    );
    let world = "import demo:shop/both@1.0.0; export demo:shop/uses-both@1.0.0;";
    assert_eq!(
        refused(&[api(world), types.clone()]),
        "`api` exports `demo:shop/uses-both@1.0.0`, which uses `line` of `demo:shop/both@1.0.0`; \
         `types` exports that inside, so nothing outside can use `demo:shop/uses-both@1.0.0`"
    );
    let world = "use demo:shop/types@1.0.0.{money as cash}; export run: func() -> option<cash>;";
    assert_eq!(surface(&composed(&[api(world), types]).bytes), ["import cash", "export run"]);
}

#[test]
fn types_that_a_world_uses_come_with_their_interface() {
    let uses = "use demo:shop/types@1.0.0.{cart, money as cash};";
    let buy = "buy: func(cart: borrow<cart>) -> cash;";
    let api = |dependencies: &[&str], more: &str| {
        part("api", dependencies, SHOP, &format!("{uses} import {buy} export run: func(); {more}"))
    };
    let seller =
        |dependencies: &[&str]| part("seller", dependencies, SHOP, &format!("{uses} export {buy}"));
    let types = part("types", &[], SHOP, "export demo:shop/types@1.0.0;");
    let open = composed(&[api(&["seller"], "export take: func(cart: cart) -> cash;"), seller(&[])]);
    let expected =
        ["import demo:shop/types@1.0.0", "import cart", "import cash", "export run", "export take"];
    assert_eq!(surface(&open.bytes), expected);
    let closed = composed(&[api(&["seller", "types"], ""), seller(&["types"]), types]);
    assert_eq!(surface(&closed.bytes), ["export run"]);
}

#[test]
fn types_that_worlds_use_under_one_name_have_to_be_equal() {
    let api = part(
        "api",
        &["x"],
        SHOP,
        "use demo:shop/plain@1.0.0.{p}; import x: func(); export run: func(p: p);",
    );
    let equal = part(
        "x",
        &[],
        SHOP,
        "use demo:shop/plain@1.0.0.{p}; export x: func(); export y: func(p: p);",
    );
    composed(&[api.clone(), equal]);
    let other = part(
        "x",
        &[],
        SHOP,
        "use demo:shop/types@1.0.0.{money as p}; export x: func(); export y: func(p: p);",
    );
    let message = refused(&[api, other]);
    assert!(
        message
            .starts_with("`x` and `api` import `p` from outside, with types that do not agree\n"),
        "{message}"
    );
}

#[test]
fn streams_of_wasi_travel_between_parts() {
    let world =
        |more: &str| format!("{more} import wasi:io/streams@0.2; import wasi:cli/stdout@0.2;");
    let filter = "import filter: interface {
        use wasi:io/streams@0.2.{input-stream, output-stream};
        run: func(i: input-stream, o: borrow<output-stream>) -> input-stream;
    } export run: func();";
    let parts = [
        wasi_part("api", &["filter"], 4, &world(filter)),
        wasi_part(
            "filter",
            &[],
            4,
            &world(filter)
                .replace("import filter", "export filter")
                .replace("export run: func();", ""),
        ),
    ];
    let composed = composed(&parts);
    assert_eq!(links(&composed), ["api: filter < filter"]);
    assert_eq!(
        surface(&composed.bytes),
        [
            "import wasi:io/error@0.2.4",
            "import wasi:io/poll@0.2.4",
            "import wasi:io/streams@0.2.4",
            "import wasi:cli/stdout@0.2.4",
            "export run",
        ]
    );
}

#[test]
fn compatible_versions_of_wasi_become_the_newest() {
    for (root, dependency) in [(0, 12), (12, 0), (4, 9), (9, 1), (4, 4)] {
        let parts = [
            wasi_part("api", &["auth"], root, "include wasi:http/proxy@0.2; import x: func();"),
            wasi_part(
                "auth",
                &[],
                dependency,
                "include wasi:cli/imports@0.2; import wasi:http/outgoing-handler@0.2; export x: func();",
            ),
        ];
        let composed = composed(&parts);
        let newest = root.max(dependency);
        let surface = surface(&composed.bytes);
        let (exports, imports): (Vec<_>, Vec<_>) =
            surface.iter().partition(|item| item.starts_with("export"));
        assert_eq!(exports, [&format!("export wasi:http/incoming-handler@0.2.{root}")]);
        let shared = [
            "wasi:io/streams",
            "wasi:io/error",
            "wasi:io/poll",
            "wasi:cli/stdout",
            "wasi:http/types",
            "wasi:random/random",
        ];
        for name in shared {
            let versions: Vec<_> =
                imports.iter().filter(|item| item.contains(&format!("{name}@"))).collect();
            assert_eq!(versions, [&&format!("import {name}@0.2.{newest}")], "{root} {dependency}");
        }
    }
}

#[test]
fn a_part_may_replace_what_the_host_has() {
    // A virtual file system: it takes streams from outside and gives files that have them.
    let parts = [
        wasi_part(
            "api",
            &["files"],
            4,
            "import wasi:filesystem/types@0.2; import wasi:filesystem/preopens@0.2; import wasi:cli/stdout@0.2; export run: func();",
        ),
        wasi_part(
            "files",
            &[],
            4,
            "import wasi:io/streams@0.2; import wasi:clocks/wall-clock@0.2;
             export wasi:filesystem/types@0.2; export wasi:filesystem/preopens@0.2;",
        ),
    ];
    let composed = composed(&parts);
    assert_eq!(
        links(&composed),
        ["api: wasi:filesystem/preopens@0.2.4 < files", "api: wasi:filesystem/types@0.2.4 < files"]
    );
    assert!(surface(&composed.bytes).iter().all(|item| !item.contains("filesystem")));
}

#[test]
fn a_resource_deep_inside_that_is_not_the_same_is_refused_too() {
    // The record of `deep` has a resource of `types`, and `top` names the record alone.
    let demo = "package demo:x@1.0.0 {
        interface types { resource r; }
        interface deep { use types.{r}; record rec { r: r } }
        interface top { use deep.{rec}; f: func(x: rec); }
    }";
    let api = part(
        "api",
        &["types", "top"],
        demo,
        "import demo:x/types@1.0.0; import demo:x/top@1.0.0; export run: func();",
    );
    let types = part("types", &[], demo, "export demo:x/types@1.0.0; export demo:x/deep@1.0.0;");
    let top = |dependencies: &[&str]| {
        part("top", dependencies, demo, "import demo:x/deep@1.0.0; export demo:x/top@1.0.0;")
    };
    composed(&[api.clone(), types.clone(), top(&["types"])]);
    let message = refused(&[api, types, top(&[])]);
    assert!(message.starts_with("the components can't be linked into a valid one: "), "{message}");
}

#[test]
fn an_abstract_resource_is_shared() {
    let text = |export: &str| {
        format!(
            r#"(component (import "r" (type $r (sub resource))) (import "f" (func $f (param "x" (own $r)))) {export})"#
        )
    };
    let parts = [
        wat_part(
            "api",
            &["x"],
            r#"(component (import "r" (type $r (sub resource))) (import "x" (func $x (param "x" (own $r)))) (export "y" (func $x)))"#,
        ),
        wat_part("x", &[], &text(r#"(export "x" (func $f))"#)),
    ];
    assert_eq!(surface(&composed(&parts).bytes), ["import r", "import f", "export y"]);
}

#[test]
fn parts_that_mix_versions_are_composed() {
    let demo = |io: &str, http: &str, extra: &str| {
        format!(
            "package demo:io@0.2.{io} {{ interface streams {{ resource pipe {{ read: func(); }} }} }}
             package demo:http@0.2.{http} {{
                interface types {{ use demo:io/streams@0.2.{io}.{{pipe}}; resource body {{ get: func() -> pipe; }} }}
                interface {extra} {{ use types.{{body}}; send: func(body: body); }}
             }}"
        )
    };
    let part =
        |name: &str, dependencies: &[&str], io: &str, http: &str, extra: &str, more: &str| {
            let world = format!("import demo:http/{extra}@0.2.{http}; {more}");
            part(name, dependencies, &demo(io, http, extra), &world)
        };
    let parts = [
        part("api", &["x"], "4", "1", "outgoing", "import x: func(); export run: func();"),
        part("x", &["y"], "2", "6", "incoming", "import y: func(); export x: func();"),
        part("y", &[], "3", "3", "outgoing", "export y: func();"),
    ];
    let mut surface = surface(&composed(&parts).bytes);
    surface.sort();
    assert_eq!(
        surface,
        [
            "export run",
            "import demo:http/incoming@0.2.6",
            "import demo:http/outgoing@0.2.3",
            "import demo:http/types@0.2.6",
            "import demo:io/streams@0.2.4",
        ]
    );
}
