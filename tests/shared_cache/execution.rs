//! Tests that a cluster executes actions, with buildbox-casd and its workers. The workers have no toolchain and no files of
//! this machine: all that an action sees comes from the store of this machine.

use super::servers::Server;
use super::{SOME, assert_same};
use crate::harness::{Run, Workspace};

/// Builds components on a cluster.
fn execute(machine: &Workspace, url: &str, components: &[&str]) -> Run {
    let arguments: Vec<&str> =
        ["build", "--execute", url].iter().chain(components).copied().collect();
    machine.run_all(&arguments)
}

#[test]
fn a_cluster_executes_what_this_machine_would_give_the_same_bytes_for() {
    let (here, away) = (Workspace::example("polyglot"), Workspace::example("polyglot"));
    let first = "#include \"sort.h\"";
    // No earlier build has had this text, so the command has no result yet, and the other actions may have one.
    let unique = format!("{first}\nconst char *where = \"{}\";", away.root().display());
    for machine in [&here, &away] {
        machine.replace("components/sort/sort.c", first, &unique);
    }
    here.run_all(&["build", "sort"]).ok();
    let server = Server::cluster();
    let built = execute(&away, &server.url, &SOME).ok().says(" on the cluster");
    let place = server.url.trim_start_matches("grpc://");
    let on_cluster = format!("sort:compile on {place}");
    assert!(built.ran().contains(&on_cluster.as_str()), "{}", built.stderr);
    assert_same(&here, &away, &SOME);
    // The result is known to this machine now.
    away.run(["clean"]).ok();
    let again = execute(&away, &server.url, &SOME).ok();
    assert_eq!(again.ran(), Vec::<&str>::new(), "{}", again.stderr);
    assert_same(&here, &away, &SOME);
    // A mistake is the tool's failure, also far away.
    away.replace("components/sort/sort.c", first, &format!("{first}\nint x = y;"));
    let failed = execute(&away, &server.url, &SOME).exits(1);
    failed.says("use of undeclared identifier 'y'");
}

#[test]
fn a_server_that_executes_nothing_is_a_warning() {
    let server = Server::casd();
    let machine = Workspace::example("polyglot");
    let built = execute(&machine, &server.url, &SOME).ok();
    built.says("it says that it executes nothing; this build executes everything here");
}

#[test]
fn a_cluster_that_is_required_and_not_there_ends_the_build() {
    let machine = Workspace::example("polyglot");
    let manifest = machine.read_text("run.toml");
    machine.write("run.toml", format!("{manifest}\n[execution]\nlocal_fallback = false\n"));
    let failed = execute(&machine, "grpc://127.0.0.1:9", &[]).exits(34);
    failed.says("actions have to be executed by a cluster that can't be used");
}
