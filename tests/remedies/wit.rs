//! Tests advice about WIT: worlds, versions of packages, size, and modules in the place of components.

use super::{Told, add_to_component, told};
use crate::configuration::prebuilt;
use crate::harness::Workspace;

/// Makes a project with one ready-made component, which has this WIT.
fn with_wit(wit: &str) -> Workspace {
    let workspace = prebuilt().file("wit/w.wit", wit);
    add_to_component(&workspace, "wit = \"wit\"");
    workspace
}

#[test]
fn one_of_several_worlds() {
    let workspace = with_wit("package a:a;\nworld one {}\nworld two {}\n");
    let line = told(&workspace, "run build", 2).text("world = ").replace('…', "two");
    add_to_component(&workspace, &line);
    workspace.types("run build").ok();
    workspace.replace("run.toml", &line, "world = \"three\"");
    let names = told(&workspace, "run build", 2).after("which has ");
    for name in names.split(", ").map(|name| name.trim_matches('`')) {
        workspace.replace("run.toml", "three", name);
        workspace.types("run build").ok();
        workspace.replace("run.toml", &format!("\"{name}\""), "\"three\"");
    }
}

#[test]
fn a_package_that_is_there_in_other_versions() {
    let world = |version: &str| format!("package a:a;\nworld w {{ import acme:x/i@{version}; }}\n");
    let workspace = with_wit(&world("1.0.0"));
    workspace.write("wit/deps/x/x.wit", "package acme:x@2.0.0;\ninterface i { f: func(); }\n");
    let version = |told: &Told<'_>, after: &str| {
        told.after(after).split(['`', ',']).next().unwrap().to_owned()
    };
    let there = version(&told(&workspace, "run build", 2), "there is `acme:x@");
    workspace.write("wit/w.wit", world(&there));
    workspace.types("run build").ok();
    // The package is built in.
    let world =
        |version: &str| format!("package a:a;\nworld w {{ import wasi:cli/stdin@{version}; }}\n");
    workspace.write("wit/w.wit", world("0.2.99"));
    let there = version(&told(&workspace, "run build", 2), "built-in `wasi:cli` ");
    workspace.write("wit/w.wit", world(&there));
    workspace.types("run build").ok();
}

#[test]
fn what_is_too_much_of_a_type() {
    let mut types = "record r0 { a: u8, b: u8 }\n".to_owned();
    for number in 1..22 {
        types += &format!("record r{number} {{ a: r{0}, b: r{0} }}\n", number - 1);
    }
    let wit = |types: &str, name: &str| {
        format!(
            "package a:b;\ninterface i {{\n{types}f: func(x: {name});\n}}\nworld w {{ import i; }}\n"
        )
    };
    let workspace = with_wit(&wit(&types, "r21"));
    told(&workspace, "run build", 2).advises(": use a `resource`, or fewer types in one another");
    workspace.write("wit/w.wit", wit(&types, "r9"));
    workspace.types("run build").ok();
    workspace.write("wit/w.wit", wit("resource r;\n", "borrow<r>"));
    workspace.types("run build").ok();
}

#[test]
fn a_core_module_that_is_to_be_a_component() {
    let module = wat::parse_str("(module (func (export \"f\")))").unwrap();
    let workspace = prebuilt().file("vendor/legacy.wasm", module);
    told(&workspace, "run build", 1).advises("give the component a `wit` to make it one");
    workspace.write("wit/w.wit", "package a:a;\nworld w { export f: func(); }\n");
    add_to_component(&workspace, "wit = \"wit\"");
    workspace.types("run build").ok();
}
