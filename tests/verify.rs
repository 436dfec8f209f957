//! Tests `run verify`: it finds the components that are not the same each time, and says how they differ.

use std::fmt::Write as _;

use crate::harness::Workspace;

/// Expressions for build scripts. Each of them writes one fact about the machine into the program.
const LEAKS: [(&str, &str); 22] = [
    ("time", "std::time::SystemTime::now()"),
    ("path", "std::fs::read_to_string(\"/proc/self/mountinfo\")"),
    ("uid", "std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(\"/proc/self\").unwrap())"),
    ("hostname", "std::fs::read_to_string(\"/proc/sys/kernel/hostname\")"),
    (
        "random",
        "std::hash::BuildHasher::hash_one(&std::collections::hash_map::RandomState::new(), 1)",
    ),
    (
        "order",
        "{ std::fs::create_dir(\"/tmp/d\").unwrap(); \
        for n in [\"a\", \"b\", \"c\"] { std::fs::write(format!(\"/tmp/d/{n}\"), n).unwrap(); } \
        std::fs::read_dir(\"/tmp/d\").unwrap().map(|e| e.unwrap().file_name()).collect::<Vec<_>>() }",
    ),
    ("environment", "std::env::var(\"USER\")"),
    ("cpus", "std::thread::available_parallelism()"),
    ("pid", "std::process::id()"),
    (
        "mtime",
        "{ std::fs::write(\"/tmp/f\", \"\").unwrap(); \
        std::fs::metadata(\"/tmp/f\").unwrap().modified() }",
    ),
    (
        "umask",
        "{ std::fs::write(\"/tmp/f\", \"\").unwrap(); \
        std::fs::metadata(\"/tmp/f\").unwrap().permissions() }",
    ),
    ("locale", "std::env::var(\"LANG\")"),
    ("build-id", "println!(\"cargo::rustc-link-arg=--build-id=uuid\")"),
    (
        "temp-name",
        "{ let number = std::hash::BuildHasher::hash_one(\
        &std::collections::hash_map::RandomState::new(), std::time::SystemTime::now()); \
        let name = format!(\"/tmp/build-{number:x}\"); std::fs::create_dir(&name).unwrap(); name }",
    ),
    ("address", "Box::into_raw(Box::new(0_u8))"),
    // These are other ways to get the same facts.
    ("clock", "std::time::Instant::now()"),
    (
        "device",
        "{ use std::io::Read; let mut b = [0; 8]; \
        std::fs::File::open(\"/dev/urandom\").unwrap().read_exact(&mut b).unwrap(); b }",
    ),
    ("access", "std::fs::metadata(\"build.rs\").unwrap().accessed()"),
    ("uuid", "std::fs::read_to_string(\"/proc/sys/kernel/random/uuid\")"),
    ("uptime", "std::fs::read_to_string(\"/proc/uptime\")"),
    ("boot", "std::fs::read_to_string(\"/proc/sys/kernel/random/boot_id\")"),
    ("thread", "std::thread::spawn(std::time::SystemTime::now).join().unwrap()"),
];

/// Makes a project with components in Rust, each with the statements of its build script. They set `LEAK` for
/// the program, which prints it.
fn project(components: &[(&str, String)]) -> Workspace {
    let mut manifest = "[project]\nname = \"leaks\"\nversion = \"0.1.0\"\n".to_owned();
    let mut members = Vec::new();
    let mut workspace = Workspace::new();
    for (name, statements) in components {
        let _ = write!(
            manifest,
            "\n[[component]]\nname = \"{name}\"\nsource = \"{name}/src/main.rs\"\nlanguage = \"rust\"\n"
        );
        members.push(format!("\"{name}\""));
        workspace = workspace
            .file(
                &format!("{name}/Cargo.toml"),
                format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n"),
            )
            .file(&format!("{name}/build.rs"), format!("fn main() {{\n{statements}}}\n"))
            .file(
                &format!("{name}/src/main.rs"),
                "fn main() { println!(\"{}\", env!(\"LEAK\").trim()); }\n",
            );
    }
    let mut lock = "version = 4\n".to_owned();
    let mut names: Vec<&str> = components.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    for name in names {
        let _ = write!(lock, "\n[[package]]\nname = \"{name}\"\nversion = \"0.1.0\"\n");
    }
    let toolchains =
        std::fs::read_to_string(crate::harness::repository().join("examples/hello/run.lock.toml"));
    workspace
        .file("run.toml", manifest)
        .file("run.lock.toml", toolchains.unwrap())
        .file(
            "Cargo.toml",
            format!("[workspace]\nresolver = \"3\"\nmembers = [{}]\n", members.join(", ")),
        )
        .file("Cargo.lock", lock)
}

/// Returns the statements of a build script that writes the values of some expressions into the program.
fn leave(values: &[&str]) -> String {
    let mut statements = "let mut all = String::new();\n".to_owned();
    for value in values {
        let _ = writeln!(statements, "all += &format!(\"{{:?}}\", {value});");
    }
    statements + "println!(\"cargo::rustc-env=LEAK={all}\");\n"
}

/// Makes `run.toml` ask for reproducible builds.
fn make_reproducible(workspace: &Workspace) {
    let manifest = workspace.read_text("run.toml");
    workspace.write("run.toml", format!("{manifest}\n[build]\nreproducible = true\n"));
}

#[test]
fn every_leak_is_caught_and_none_is_left_with_the_layer() {
    let one = LEAKS.into_iter().chain([("none", "42")]);
    let workspace = project(&one.map(|(name, value)| (name, leave(&[value]))).collect::<Vec<_>>());
    let run = workspace.run(["verify", "--message-format", "json"]).exits(104);
    let verdicts: Vec<serde_json::Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|value: &serde_json::Value| value["event"] == "verified")
        .collect();
    assert_eq!(verdicts.len(), LEAKS.len() + 1);
    for verdict in &verdicts {
        let name = verdict["component"].as_str().unwrap();
        assert_eq!(verdict["identical"] == true, name == "none", "{verdict}");
        if name == "none" {
            continue;
        }
        // The text lies in the program's data, except for a build id. Both files have been kept.
        let place = if name == "build-id" { "build_id" } else { "data" };
        let places = verdict["differences"].as_array().unwrap();
        assert!(places.iter().any(|it| it["place"].as_str().unwrap().contains(place)), "{verdict}");
        for kept in verdict["kept"].as_array().unwrap() {
            assert!(workspace.exists(kept.as_str().unwrap()), "{verdict}");
        }
    }
    run.says("another path, user, host and locale, 1 day ahead")
        .says("kept: .run/verify/time.first.wasm, .run/verify/time.again.wasm");

    // The determinism layer hides all of these facts: a program with all of them together is the same each
    // time.
    let all = leave(&LEAKS.map(|(_, value)| value));
    let workspace = project(&[("all", all)]);
    workspace.run(["verify"]).exits(104).says("all");
    make_reproducible(&workspace);
    workspace.run(["verify"]).ok().says("Verified 1 component is the same in three builds");
}

#[test]
fn the_time_of_a_reproducible_build_is_that_of_the_last_commit() {
    let time = |workspace: &Workspace| {
        workspace.run(["build", "-p", "time"]).ok();
        let bytes = workspace.read("target/wasm/time.wasm");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (_, rest) = text.split_once("tv_sec: ").unwrap();
        rest.split(',').next().unwrap().to_owned()
    };
    let workspace = project(&[("time", leave(&["std::time::SystemTime::now()"]))]);
    make_reproducible(&workspace);
    assert_eq!(time(&workspace), "315532800", "there is no commit");
    let git = |arguments: &[&str]| {
        let mut git = std::process::Command::new("git");
        git.arg("-C").arg(workspace.path(".")).args([
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@example.com",
        ]);
        git.args(arguments).env("GIT_COMMITTER_DATE", "@1234567890 +0000");
        assert!(git.output().unwrap().status.success(), "{arguments:?}");
    };
    git(&["init", "-q"]);
    git(&["add", "run.toml"]);
    git(&["commit", "-q", "-m", "first"]);
    assert_eq!(time(&workspace), "1234567890");
    // This message does not fit into a pipe.
    workspace.write("message", "long\n".repeat(1 << 16));
    let message = workspace.path("message").display().to_string();
    git(&["commit", "-q", "--allow-empty", "-F", &message]);
    let begin = std::time::Instant::now();
    assert_eq!(time(&workspace), "1234567890");
    assert!(begin.elapsed() < std::time::Duration::from_secs(9), "{:?}", begin.elapsed());
    let workspace = workspace.env("SOURCE_DATE_EPOCH", "1000000000");
    assert_eq!(time(&workspace), "1000000000");
    let workspace = workspace.env("SOURCE_DATE_EPOCH", "yesterday");
    workspace.run(["build"]).exits(2).says("`SOURCE_DATE_EPOCH` is `yesterday`");
}
