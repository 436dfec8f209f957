//! Tests completions and manual pages.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::configuration::prebuilt;
use crate::harness::Workspace;

/// The options with which each shell reads a script without running it.
const SHELLS: [(&str, &[&str]); 3] =
    [("bash", &["bash", "-n"]), ("zsh", &["zsh", "-n"]), ("fish", &["fish", "--no-execute"])];

/// Returns the output of a program, or `None` if the machine has no such program.
fn said_by(mut command: Command) -> Option<Output> {
    match command.stdin(Stdio::null()).output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => panic!("{command:?}: {error}"),
    }
}

#[test]
fn every_shell_accepts_its_script() {
    let workspace = Workspace::new();
    let mut accepted = Vec::new();
    for (shell, reads) in SHELLS {
        let script = workspace.run(["completions", shell]).ok().stdout;
        assert!(script.contains("RUN_COMPLETE"), "{shell}: {script}");
        workspace.write("script", &script);
        let mut command = Command::new(reads[0]);
        command.args(&reads[1..]).arg(workspace.path("script"));
        let Some(output) = said_by(command) else { continue };
        let wrong = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && wrong.is_empty(), "{shell}: {wrong}\n{script}");
        accepted.push(shell);
    }
    assert!(accepted.contains(&"bash"), "install bash: it checks the script");
    workspace.run(["completions", "tcsh"]).exits(2).says("bash");
}

/// Returns the words that bash offers for a line whose last word is being typed.
fn offered(workspace: &Workspace, line: &str) -> Vec<String> {
    let words: Vec<String> = line.split(' ').map(|word| format!("'{word}'")).collect();
    let last = words.len() - 1;
    let script = format!(
        "source <(run completions bash)\n\
         COMP_WORDS=({}) COMP_CWORD={last} COMP_TYPE=9\n\
         \"$(complete -p run | sed 's/.*-F \\([^ ]*\\).*/\\1/')\" run \"${{COMP_WORDS[{last}]}}\"\n\
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words.join(" ")
    );
    let bin = workspace.root().join("bin");
    if !bin.exists() {
        std::fs::create_dir(&bin).unwrap();
        std::fs::copy(env!("CARGO_BIN_EXE_run"), bin.join("run")).unwrap();
    }
    let mut command = Command::new("bash");
    command.args(["--norc", "-c", &script]).current_dir(workspace.path("."));
    command.env_clear().env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    let output = said_by(command).expect("install bash: it completes the line");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(|word| word.trim().to_owned()).collect()
}

#[test]
fn bash_completes_commands_flags_and_names_of_the_project() {
    let workspace = prebuilt();
    let check =
        |line: &str, expect: &[&str]| assert_eq!(offered(&workspace, line), expect, "{line}");
    check("run ver", &["verify"]);
    check("run b", &["build"]);
    check("run b leg", &["legacy"]);
    check("run build leg", &["legacy"]);
    check("run -C ven", &["vendor/"]);
    check("run v2 build -p leg", &["legacy"]);
    check("run -C vendor info leg", &["legacy"]);
    check("run build --sandbox-d", &["--sandbox-debug"]);
    // Nobody types the line of `--sandbox-debug`, so it is not offered.
    check("run enter", &[""]);
    check("run toolchain sync --upgrade componentize", &["componentize-py"]);
    check("run new x --language type", &["typescript"]);
    check("run completions z", &["zsh"]);
    // An invalid run.toml gives no names, and causes no error.
    workspace.write("run.toml", "[[component");
    check("run build --rel", &["--release"]);
}

#[test]
fn every_command_has_a_manual_page() {
    let workspace = Workspace::new();
    workspace.run(["man", "share/man1"]).ok().says("share/man1");
    for command in ["", "-build", "-verify", "-toolchain", "-toolchain-sync", "-completions"] {
        let page = workspace.read_text(&format!("share/man1/run{command}.1"));
        assert!(page.contains(&format!(".TH run{command} 1")), "{command}: {page}");
        assert!(page.contains(".SH SYNOPSIS"), "{command}: {page}");
    }
    assert!(workspace.read_text("share/man1/run-build.1").contains("optimised"));
    assert!(!workspace.exists("share/man1/run-enter-sandbox.1"));
    // Without a folder the main page is printed.
    let page = workspace.run(["man"]).ok().stdout;
    assert_eq!(page, workspace.read_text("share/man1/run.1"));
    let help = workspace.run(["--help"]).ok().stdout;
    assert!(!page.contains("enter-sandbox") && !page.contains("enter\\-sandbox"), "{page}");
    assert!(!help.contains("enter-sandbox"), "{help}");
    // Neither a home folder nor a project is needed. If a folder can't be written, that is an error.
    let bare = workspace.env("RUN_HOME", "").env("HOME", "");
    bare.run(["man", "-q", "other"]).ok();
    std::fs::set_permissions(bare.path("other"), std::fs::Permissions::from_mode(0o755)).unwrap();
    bare.write("file", "");
    bare.run(["man", "file/below"]).exits(36).says("cannot write the manual pages");
    assert!(Path::new(&bare.path("other/run.1")).exists());
}
