//! Tests advice about the machine: variables, the store, the sandbox.

use super::{add_to_component, told};
use crate::configuration::prebuilt;
use crate::harness::Workspace;

#[test]
fn variables() {
    let workspace = prebuilt();
    let functions = told(&workspace, "RUN_DIGEST_FUNCTION=md5 run build", 2).after("hint: use ");
    for function in functions.split(" or ") {
        workspace.types(&format!("RUN_DIGEST_FUNCTION={function} run build")).ok();
    }
    let unset = "unset HOME RUN_HOME XDG_CACHE_HOME;";
    let homeless = told(&workspace, &format!("{unset} run build"), 36);
    homeless.advises("set HOME or XDG_CACHE_HOME, or RUN_HOME to an absolute path");
    let root = workspace.root().display();
    for variable in ["HOME", "XDG_CACHE_HOME", "RUN_HOME"] {
        workspace.types(&format!("{unset} {variable}={root}/{variable} run build")).ok();
    }
    told(&workspace, "RUN_HOME=/proc/none run build", 36)
        .advises("set RUN_HOME to a folder that you may write to");
    workspace.types(&format!("RUN_HOME={root}/writable run build")).ok();
    let registry = "\n[registry]\nauth_token = \"abcdefgh\"\n";
    let text = workspace.read_text("run.toml");
    workspace.write("run.toml", format!("{text}{registry}"));
    workspace.types("run build").ok().says("set the environment variable RUN_AUTH_TOKEN instead");
    workspace.write("run.toml", &text);
    let run = workspace.types("RUN_AUTH_TOKEN=abcdefgh run build").ok();
    assert!(!run.stderr.contains("warning"), "{}", run.stderr);
}

#[test]
fn a_time_that_is_none_or_that_git_does_not_tell() {
    let workspace = prebuilt();
    let text = workspace.read_text("run.toml");
    workspace.write("run.toml", format!("{text}\n[build]\nreproducible = true\n"));
    let command = told(&workspace, "SOURCE_DATE_EPOCH=now run build", 2).after("the output of: ");
    workspace.types(&format!("SOURCE_DATE_EPOCH=$({command}) run build")).ok();
    // This folder looks like a repository but is none.
    workspace.write(".git/HEAD", "ref: refs/heads/main\n");
    let untold = told(&workspace, "run build", 36);
    untold.advises("set SOURCE_DATE_EPOCH to the time that the build should see");
    workspace.types(&format!("SOURCE_DATE_EPOCH=$({command}) run build")).ok();
}

#[test]
fn folders_in_the_wrong_place() {
    let workspace = prebuilt();
    std::os::unix::fs::symlink(workspace.root(), workspace.path(".run")).unwrap();
    told(&workspace, "run build", 2).advises("hint: remove it: `run` makes the folder anew");
    std::fs::remove_file(workspace.path(".run")).unwrap();
    workspace.types("run build").ok();
    // The configuration lies in the checkout, in a folder that nobody else uses.
    let home = workspace.path(".cache/run");
    workspace.write(".cache/run/config.toml", "[store]\ndigest_function = \"sha256\"\n");
    let there = format!("RUN_HOME={}", home.display());
    let run = workspace.types(&format!("{there} run info")).ok();
    let run =
        run.says("keep only the store there, with XDG_CACHE_HOME, and put the configuration into");
    let place = run.stderr.split("the configuration into ").nth(1).unwrap();
    let place = place.lines().next().unwrap();
    let mend = format!(
        "unset RUN_HOME; export XDG_CACHE_HOME={} XDG_CONFIG_HOME={}; \
         mkdir -p $(dirname {place}) && mv .cache/run/config.toml {place} && run info",
        workspace.path(".cache").display(),
        workspace.root().join("config").display()
    );
    let run = workspace.types(&mend).ok();
    assert!(!run.stderr.contains("is part of the checkout"), "{}", run.stderr);
    assert!(
        run.stdout.contains("sha256") && run.stdout.contains(".cache/run/store"),
        "{}",
        run.stdout
    );
}

/// The test runs in a user namespace in which no further ones may be made until that is allowed.
#[test]
fn a_kernel_that_forbids_namespaces() {
    let workspace = Workspace::new();
    let doctor = |before: &str| {
        let script = format!("echo 0 > /proc/sys/user/max_user_namespaces; {before}; run doctor");
        let script = engine::quote(&script);
        // This is an ordinary user who has the right to do what the advice says `as root`.
        let user = "unshare --user --map-user=1000 --map-group=1000 --keep-caps";
        workspace.types(&format!("{user} sh -c {script}"))
    };
    let run = doctor("true").exits(36);
    let sysctl = run.stdout.split('`').find(|text| text.starts_with("sysctl "));
    let sysctl = sysctl.unwrap_or_else(|| panic!("no sysctl in:\n{}", run.stdout));
    doctor(sysctl).ok();
    // One user is root of a namespace in which there is nobody else, and the other is an ordinary user there.
    let root = workspace.types("unshare --user --map-root-user run doctor").exits(36);
    assert!(root.stdout.contains("run it as an ordinary user"), "{}", root.stdout);
    workspace.types("unshare --user --map-user=1000 --map-group=1000 run doctor").ok();
}

#[test]
fn limits_of_a_component() {
    let script = "fn main() { std::thread::sleep(std::time::Duration::from_secs(5)); }";
    let workspace = Workspace::example("hello").file("build.rs", script);
    add_to_component(&workspace, "timeout = \"3s\"");
    told(&workspace, "run build", 1).advises("`timeout` of component `hello` at run.toml:");
    workspace.replace("run.toml", "timeout = \"3s\"", "timeout = \"60s\"");
    workspace.types("run build").ok();
}
