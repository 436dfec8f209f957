//! Tests that what one machine has made, another one takes from the cache: results, toolchains, and what was lost since.

use super::servers::Server;
use super::{SOME, assert_same, build, other_machine};
use crate::harness::Workspace;

/// Machine A uploads what it has. Machine B, with nothing and without registries, runs nothing and has the same bytes. After
/// an edit on B, its action runs with a toolchain that comes from the cache, too.
#[track_caller]
fn two_machines(url: &str, components: &[&str]) {
    let one = Workspace::example("polyglot");
    let made = build(&one, url, &["--upload"], components).ok();
    assert!(made.stderr.contains("uploaded in"), "{}", made.stderr);
    let again = build(&one, url, &["--upload"], components).ok();
    assert!(!again.stderr.contains("uploaded"), "everything is there: {}", again.stderr);

    let other = other_machine();
    let run = build(&other, url, &["--remote-required"], components).ok();
    assert_eq!(run.ran(), Vec::<&str>::new(), "{}", run.stderr);
    assert!(run.stderr.contains(" remote hits ("), "{}", run.stderr);
    assert_same(&one, &other, components);

    other.replace("components/sort/sort.c", "#include \"sort.h\"", "#include \"sort.h\" // edited");
    let edited = build(&other, url, &["--remote-required"], &["sort"]).ok();
    assert_eq!(edited.ran(), ["sort:compile"], "comments change nothing else");
}

#[test]
fn nginx_serves_a_team() {
    two_machines(&Server::nginx().url, &SOME);
}

#[test]
fn buildbox_casd_serves_a_team() {
    two_machines(&Server::casd().url, &SOME);
}

#[test]
fn buildgrid_serves_a_team() {
    two_machines(&Server::buildgrid().url, &SOME);
}

#[test]
fn our_own_server_serves_a_team_in_every_language() {
    let server = Server::own(&[]);
    let one = Workspace::built("polyglot");
    build(&one, &server.grpc(), &["--upload"], &["--release"]).ok();
    let other = other_machine();
    let run = build(&other, &server.grpc(), &["--remote-required"], &["--release"]).ok();
    assert_eq!(run.ran(), Vec::<&str>::new(), "{}", run.stderr);
    let names = std::fs::read_dir(one.path("target/wasm")).unwrap();
    let names: Vec<String> = names
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    assert!(names.len() > 8, "{names:?}");
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_same(&one, &other, &names);
}

#[test]
fn our_own_server_serves_both_protocols_from_one_store() {
    let server = Server::own(&[]);
    two_machines(&server.grpc(), &SOME);
    // HTTP finds what gRPC has stored, under the same digest function.
    let other = other_machine();
    other.write(
        "run.toml",
        other.read_text("run.toml") + "\n[cache]\ndigest_function = \"blake3\"\n",
    );
    let run = build(&other, &server.url, &["--remote-required"], &SOME).ok();
    assert_eq!(run.ran(), Vec::<&str>::new(), "{}", run.stderr);
}

#[test]
fn a_blob_that_the_cache_has_lost_is_made_again_in_the_same_build() {
    for minimal in [false, true] {
        let server = Server::nginx();
        let one = Workspace::example("polyglot");
        build(&one, &server.url, &["--upload"], &["sort"]).ok();
        // nginx still has the results, and none of the blobs that they name.
        let blobs = server.folder.path().join("data/cas");
        let kept = std::fs::read_dir(&blobs).unwrap().map(|entry| entry.unwrap().path());
        // The toolchain stays, because this machine reaches no registry.
        let small = kept.filter(|path| path.metadata().unwrap().len() < 400_000);
        small.for_each(|path| std::fs::remove_file(path).unwrap());
        let other = Workspace::example("polyglot").private_store();
        let more: &[&str] = if minimal { &["--download", "minimal"] } else { &[] };
        let run = build(&other, &server.url, more, &["sort"]).ok();
        if minimal {
            assert_eq!(run.ran(), Vec::<&str>::new());
            assert!(run.stderr.contains("Left 1 component in the shared cache"), "{}", run.stderr);
            assert!(!other.exists("target/wasm/sort.wasm"));
            // An edit needs what was lost.
            other.replace("components/sort/sort.c", "#include", "// edited\n#include");
            build(&other, &server.url, &[], &["sort"]).ok();
        }
        assert!(other.exists("target/wasm/sort.wasm"));
    }
}
