//! Tests who may change what others build with: untrusted caches, signatures, and results of a weaker sandbox.

use std::path::Path;

use super::servers::Server;
use super::{build, files_below};
use crate::configuration::prebuilt;
use crate::harness::{Run, Workspace};
use crate::hermetic::hello;

/// Makes a pair of keys, and returns the path of the private one and the public one.
fn keys(workspace: &Workspace, name: &str) -> (String, String) {
    let file = workspace.root().join(name).display().to_string();
    let public = workspace.run(["cache", "keygen", "--output", &file]).ok().stdout;
    (file, public.trim_end().to_owned())
}

#[test]
fn only_signed_results_are_used_where_that_is_required() {
    let server = Server::own(&[]);
    let url = server.grpc();
    let builder = prebuilt();
    let (ours, public) = keys(&builder, "ours");
    let (theirs, _) = keys(&builder, "theirs");
    let careful = |url: &str| {
        let machine = prebuilt();
        let machine =
            machine.env("RUN_CACHE_TRUSTED_KEYS", &public).env("RUN_CACHE_REQUIRE_SIGNED", "1");
        let run = build(&machine, url, &[], &[]).ok();
        (run.ran().len(), run.stderr)
    };
    // Unsigned.
    build(&prebuilt(), &url, &["--upload"], &[]).ok();
    let (ran, stderr) = careful(&url);
    assert!(ran > 0 && stderr.contains("were skipped, because no trusted key"), "{stderr}");
    // Signed by somebody else.
    let other = Server::own(&[]);
    let stranger = prebuilt().env("RUN_CACHE_SIGNING_KEY", &theirs);
    build(&stranger, &other.grpc(), &["--upload"], &[]).ok();
    assert!(careful(&other.grpc()).0 > 0);
    // Signed by the trusted key.
    let last = Server::own(&[]);
    let ci = prebuilt().env("RUN_CACHE_SIGNING_KEY", std::fs::read_to_string(&ours).unwrap());
    build(&ci, &last.grpc(), &["--upload"], &[]).ok();
    assert_eq!(careful(&last.grpc()).0, 0);
}

/// Builds `sort` with a cluster, after an edit that nobody has made before. Returns the run, and whether the cluster has compiled.
fn compile_on(machine: &Workspace, cluster: &Server, flags: &[&str], edit: &str) -> (Run, bool) {
    let place = cluster.folder.path().display();
    let source = format!("{}\n// {edit} {place}\n", machine.read_text("components/sort/sort.c"));
    machine.write("components/sort/sort.c", source);
    let arguments: Vec<&str> = ["build", "sort"].iter().chain(flags).copied().collect();
    let run = machine.run_all(&arguments);
    let host = cluster.url.trim_start_matches("grpc://");
    let is_there = run.ran().contains(&format!("sort:compile on {host}").as_str());
    assert!(is_there || run.code != 0 || run.ran().contains(&"sort:compile"), "{}", run.stderr);
    (run, is_there)
}

#[test]
fn a_cluster_signs_nothing_so_its_results_need_an_exception() {
    const COMPLAINT: &str = "`require_signed` is set, and nobody signs what the cluster";
    const ACCEPTS: &str = "RUN_REMOTE_EXECUTION_ACCEPT_UNSIGNED";
    let cluster = Server::cluster();
    let plain = Workspace::example("polyglot");
    let (_, public) = keys(&plain, "ours");
    let manifest = plain.read_text("run.toml");
    let careful = || {
        let machine = Workspace::example("polyglot").env("RUN_CACHE_TRUSTED_KEYS", &public);
        machine.env("RUN_CACHE_REQUIRE_SIGNED", "1")
    };
    let flags = ["--execute", &cluster.url];
    let named =
        |more: &str| format!("{manifest}\n[execution]\nremote = \"{}\"\n{more}", cluster.url);

    // The user requires signatures: the build says so and does without the cluster, or fails if it must not.
    let machine = careful();
    let (run, is_there) = compile_on(&machine, &cluster, &flags, "required");
    assert!(!is_there && run.code == 0, "{}", run.stderr);
    assert_eq!(run.stderr.matches(COMPLAINT).count(), 1, "{}", run.stderr);
    machine.write("run.toml", named("local_fallback = false\n"));
    let (run, _) = compile_on(&machine, &cluster, &flags, "no fallback");
    run.exits(2).says(COMPLAINT).says("set `accept_unsigned = true` in `[execution]`");
    // A checkout makes no exception from what the user requires, even if the user makes one for clusters that they name.
    let machine = careful().env(ACCEPTS, "1");
    machine.write("run.toml", named("accept_unsigned = true\n"));
    let (run, is_there) = compile_on(&machine, &cluster, &[], "of the checkout");
    assert!(!is_there && run.stderr.contains(COMPLAINT), "{}", run.stderr);
    // The user makes it for a cluster that they name.
    let (run, is_there) = compile_on(&machine, &cluster, &flags, "of the user");
    assert!(is_there && !run.stderr.contains(COMPLAINT), "{}", run.stderr);

    // Where only run.toml requires signatures, it may make the exception itself.
    let cache = format!("[cache]\nrequire_signed = true\ntrusted_keys = [\"{public}\"]\n");
    for (accepts, edit) in [(false, "own rule"), (true, "own exception")] {
        let machine = Workspace::example("polyglot");
        machine.write("run.toml", named(&format!("accept_unsigned = {accepts}\n{cache}")));
        let (run, is_there) = compile_on(&machine, &cluster, &[], edit);
        assert_eq!(
            (is_there, run.stderr.contains(COMPLAINT)),
            (accepts, !accepts),
            "{}",
            run.stderr
        );
    }
}

#[test]
fn a_cache_that_only_the_checkout_names_serves_that_project_alone() {
    let server = Server::own(&[]);
    build(&prebuilt(), &server.grpc(), &["--upload"], &[]).ok();
    let machine = prebuilt();
    let plain = machine.read_text("run.toml");
    let named = format!("{plain}\n[cache]\nremote = \"{}\"\n", server.grpc());
    machine.write("run.toml", &named);
    let run = machine.run(["build"]).ok();
    assert_eq!(run.ran(), Vec::<&str>::new(), "{}", run.stderr);
    assert_eq!(files_below(&machine.store().join("ac")), 0, "other projects find no result of it");
    // The user names it, too.
    let trusted = prebuilt().env("RUN_REMOTE_CACHE", server.grpc());
    trusted.write("run.toml", &named);
    assert_eq!(trusted.run(["build"]).ok().ran(), Vec::<&str>::new());
    assert!(files_below(&trusted.store().join("ac")) > 0);
}

#[test]
fn secrets_of_the_user_go_only_to_a_cache_that_the_user_names() {
    let server = Server::own(&["--access-log"]);
    let machine = prebuilt().env("MY_TOKEN", "s3cret-token-value");
    let plain = machine.read_text("run.toml");
    let headers = "headers = { authorization = \"Bearer ${MY_TOKEN}\" }";
    machine
        .write("run.toml", format!("{plain}\n[cache]\nremote = \"{}\"\n{headers}\n", server.url));
    let refused = machine.run(["build"]).exits(2);
    assert!(refused.stderr.contains("needs the variable `MY_TOKEN`"), "{}", refused.stderr);
    assert!(refused.stderr.contains("RUN_FETCH_VARIABLES"), "{}", refused.stderr);
    machine.env("RUN_FETCH_VARIABLES", "MY_TOKEN").run(["build"]).ok();
}

#[test]
fn tokens_decide_who_reads_and_who_writes() {
    let folder = tempfile::tempdir().unwrap();
    let token = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file.display().to_string()
    };
    let (read, write) = (token("read", "reading-token"), token("write", "writing-token\n"));
    let server = Server::own(&["--read-token-file", &read, "--write-token-file", &write]);
    for url in [server.grpc(), server.url.clone()] {
        let with = |token: &str| {
            let machine = prebuilt();
            machine.env("RUN_REMOTE_HEADERS", format!("Authorization: Bearer {token}"))
        };
        let nobody = build(&prebuilt(), &url, &["--remote-required"], &[]);
        let nobody = nobody.exits(34);
        assert!(nobody.stderr.contains("refused"), "{}", nobody.stderr);
        let reader = build(&with("reading-token"), &url, &["--upload"], &[]).ok();
        assert!(reader.stderr.contains("warning: the cache at 127.0.0.1:"), "{}", reader.stderr);
        assert!(reader.stderr.contains("refused to"), "{}", reader.stderr);
        assert!(!reader.stderr.contains("reading-token"), "{}", reader.stderr);
        let writer = build(&with("writing-token"), &url, &["--upload"], &[]).ok();
        assert!(!writer.stderr.contains("warning"), "{}", writer.stderr);
        let again = build(&with("reading-token"), &url, &["--remote-required"], &[]).ok();
        assert_eq!(again.ran(), Vec::<&str>::new(), "{}", again.stderr);
    }
}

#[test]
fn results_of_a_weaker_sandbox_stay_here() {
    for is_http in [false, true] {
        let server = Server::own(&[]);
        let url = if is_http { server.url.clone() } else { server.grpc() };
        let uploaded = |sandbox: &str| {
            let machine =
                hello(&format!("fn main() {{ print!(\"{}\"); }}", server.folder.path().display()));
            let run = build(&machine, &url, &["--upload", "--sandbox", sandbox], &[]).ok();
            assert!(run.ran().contains(&"hello:compile"), "{}", run.stderr);
            workers(&server.folder.path().join("data/ac"))
        };
        let weak = uploaded("none");
        assert!(weak.iter().all(|worker| worker == "builtin"), "{weak:?}");
        let strong = uploaded("namespaces");
        assert!(strong.iter().any(|worker| worker.starts_with("linux-namespaces")), "{strong:?}");
    }
}

/// Returns who has made each of the results below a folder, as far as it is known.
fn workers(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            found.extend(workers(&entry.path()));
        } else {
            let bytes = std::fs::read(entry.path()).unwrap();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let known = ["builtin", "linux-namespaces", "linux-none", "none"];
            found.extend(known.into_iter().find(|worker| text.contains(worker)).map(str::to_owned));
        }
    }
    found
}
