//! Tests that recorded calls become the right units, without running Cargo.

use super::*;

/// The path of Cargo's target folder.
const TARGET: &str = "/tmp/target";

fn rustc(package: &str, args: &str, env: &[(&str, &str)]) -> String {
    let args: Vec<&str> = args.split_whitespace().collect();
    let count = args.len().to_string();
    let words = [&["rustc", "/src", &count], args.as_slice()].concat();
    recorded(&words, package, env)
}

fn script(package: &str, program: &str, env: &[(&str, &str)]) -> String {
    recorded(&["script", program, "/src"], package, env)
}

/// Ends a recorded call with the environment.
fn recorded(words: &[&str], package: &str, env: &[(&str, &str)]) -> String {
    let folder = if package == "app" { "/src" } else { "/deps/vendor/crates" };
    let folder = format!("{folder}/{package}-1.0.0");
    let own = [
        ("CARGO_PKG_NAME", package),
        ("CARGO_PKG_VERSION", "1.0.0"),
        ("CARGO_MANIFEST_DIR", &folder),
    ];
    let words: String = words.iter().map(|word| format!("{word}\0")).collect();
    let env = own.iter().chain(env).map(|(name, value)| format!("export {name}='{value}'\n"));
    format!("{words}{}\0", env.collect::<String>())
}

fn reader() -> ReadCalls {
    let root = Root { folder: "/src/app-1.0.0".into(), crate_name: "app".into(), is_program: true };
    ReadCalls {
        own: [("GREETING".to_owned(), "hello".to_owned())].into(),
        roots: vec![root.clone(), root],
    }
}

/// Returns the units of calls for two selected targets, of which the second may have none.
fn units(first: &[String], second: &[String]) -> Result<Units, String> {
    let calls = [first.concat(), second.concat()];
    let inherited = "export GREETING='hello'\nexport HOME='/tmp'\nexport UNSET\n";
    reader().units(inherited, &calls, Places::default()).map_err(|error| error.to_string())
}

fn compile(units: &Units, index: usize) -> &Compile {
    match &units.units[index].work {
        UnitWork::Compile(compile) => compile,
        UnitWork::Run(_) => panic!("{index} is a run"),
    }
}

fn library(name: &str, suffix: &str, more: &str) -> String {
    format!(
        "--crate-name {name} lib.rs --error-format=json --json=artifacts --crate-type lib \
         --emit=dep-info,metadata,link -C metadata={suffix} -C extra-filename=-{suffix} \
         --out-dir {TARGET}/wasm/deps --target wasm32-wasip2 -C linker=/ld -C incremental=/x {more}"
    )
}

fn program(more: &str) -> String {
    format!(
        "--crate-name app main.rs --crate-type bin --emit=dep-info,link -C linker=/ld \
         --out-dir {TARGET}/wasm/deps --target wasm32-wasip2 {more}"
    )
}

#[test]
fn what_belongs_to_the_run_of_cargo_is_left_out() {
    let env = [
        ("HOME", "/tmp"),
        ("GREETING", "hello"),
        ("CARGO_MAKEFLAGS", "--jobserver-fds=8,9"),
        ("LD_LIBRARY_PATH", "/somewhere"),
        ("RUN_CALLS", "/out/calls/0"),
        ("PWD", "/src"),
        ("CARGO_CRATE_NAME", "leaf"),
    ];
    let leaf = rustc("leaf", &library("leaf", "1a", ""), &env);
    let app =
        rustc("app", &program(&format!("--extern leaf={TARGET}/wasm/deps/libleaf-1a.rlib")), &env);
    let units = units(&[app.clone(), leaf], &[app]).unwrap();
    let names = |index: usize| -> Vec<&str> {
        let names = units.units[index].env.keys().map(String::as_str);
        names
            .filter(|name| !name.starts_with("CARGO_PKG") && *name != "CARGO_MANIFEST_DIR")
            .collect()
    };
    assert_eq!(names(0), ["CARGO_CRATE_NAME"]);
    assert_eq!(names(1), ["CARGO_CRATE_NAME", "GREETING"], "the project's own package");
    let leaf = compile(&units, 0);
    assert_eq!(
        leaf.args.join(" "),
        "--crate-name leaf lib.rs --crate-type lib --emit=metadata,link -C metadata=1a \
         -C extra-filename=-1a --target wasm32-wasip2"
    );
    assert_eq!(leaf.files, ["libleaf-1a.rlib", "libleaf-1a.rmeta"]);
    let app = compile(&units, 1);
    assert!(app.args.ends_with(&["-C".to_owned(), "linker=/ld".to_owned()]), "{:?}", app.args);
    assert_eq!((&app.files[..], &app.needs[..]), (&["app.wasm".to_owned()][..], &[0][..]));
    assert_eq!(units.roots, [Some(1), Some(1)], "what the second target needs is there already");
}

#[test]
fn scripts_are_found_by_their_marks() {
    let out = |package: &str| format!("{TARGET}/wasm/build/{package}-2b/out");
    let build = |package: &str| {
        let args = format!(
            "--crate-name build_script_build_main build.rs --crate-type bin --emit=dep-info,link \
             -C extra-filename=-9z --out-dir {TARGET}/build/{package}-9z"
        );
        rustc(package, &args, &[])
    };
    let program_of = |package: &str| format!("{TARGET}/build/{package}-9z/build-script-build_main");
    let sys = script(
        "sys",
        &program_of("sys"),
        &[
            ("OUT_DIR", &out("sys")),
            ("NUM_JOBS", "2"),
            ("RUSTC", "/recorder"),
            ("GREETING", "hello"),
        ],
    );
    let user = script(
        "user",
        &program_of("user"),
        &[("OUT_DIR", &out("user")), ("DEP_SYS_RUN_MARK", &out("sys"))],
    );
    let marks = format!("-L native={}/run-mark -L native={}/run-mark", out("user"), out("sys"));
    let library = rustc("user", &library("user", "3c", &marks), &[("OUT_DIR", &out("user"))]);
    let units = units(&[user, library, build("user"), sys, build("sys")], &[]).unwrap();
    let run = |package: &str| {
        let is_it =
            |unit: &Unit| unit.package.name == package && matches!(unit.work, UnitWork::Run(_));
        units.units.iter().position(is_it).unwrap()
    };
    let (sys, user) = (run("sys"), run("user"));
    let UnitWork::Run(of_user) = &units.units[user].work else { unreachable!() };
    assert_eq!(of_user.metadata, [("DEP_SYS_".to_owned(), sys)]);
    assert_eq!(compile(&units, of_user.compiled).files, ["build_script_build_main-9z"]);
    let env = &units.units[sys].env;
    assert_eq!((&*env["NUM_JOBS"], &*env["RUSTC"], &*env["GREETING"]), ("4", "rustc", "hello"));
    let library = units.units.len() - 1;
    let library = compile(&units, library);
    assert_eq!(library.script, Some(user));
    assert_eq!(library.searches, [user, sys]);
    assert!(!library.args.join(" ").contains("run-mark"), "{:?}", library.args);
    assert_eq!(units.roots, [None, None]);
}

#[test]
fn a_file_that_is_made_again_is_the_newer_one() {
    let with = |features: &str| rustc("leaf", &library("leaf", "1a", features), &[]);
    let app = |name: &str| {
        let extern_leaf = format!("--cfg {name} --extern leaf={TARGET}/wasm/deps/libleaf-1a.rlib");
        rustc("app", &program(&extern_leaf), &[])
    };
    let units = units(&[with(""), app("one")], &[with("--cfg more"), app("two")]).unwrap();
    let roots: Vec<usize> = units.roots.iter().map(|root| root.unwrap()).collect();
    let leaf_of = |root: usize| compile(&units, compile(&units, root).needs[0]).args.join(" ");
    assert!(!leaf_of(roots[0]).contains("more"));
    assert!(leaf_of(roots[1]).contains("more"));
}

#[test]
fn what_can_not_be_understood_is_an_error() {
    let check = |call: &str, expect: &str| {
        assert_eq!(units(&[call.to_owned()], &[]).unwrap_err(), expect);
    };
    check("rustc\0/src\0x\0", "a call that Cargo made can't be read: no number");
    check("other\0/src\x001\0", "a call that Cargo made can't be read: unknown kind");
    check("rustc\0/src\x002\0-C\0", "a call that Cargo made can't be read: too short");
    check(
        &rustc("app", &program("--extern leaf=/nowhere.rlib"), &[]),
        "Cargo compiles `app` with `/nowhere.rlib`, which nothing makes",
    );
}

#[test]
fn variables_are_read_as_the_shell_prints_them() {
    let text =
        "export A='a b'\nexport B='it'\"'\"'s'\nexport C='two\nlines'\nexport D\nexport E=''\n";
    let found: Vec<(String, String)> = exported(text).into_iter().collect();
    let expect = [("A", "a b"), ("B", "it's"), ("C", "two\nlines"), ("E", "")];
    assert_eq!(found, expect.map(|(name, value)| (name.to_owned(), value.to_owned())));
}
