//! Tests each row of the table at the top of the module.

use super::*;
use sandbox::{Isolation, Listing};

use crate::{Builtin, BuiltinContext, BuiltinError, Input, Label, Source};

const FUNCTION: DigestFunction = DigestFunction::Blake3;

fn tree(content: &str) -> Artifact {
    Artifact::Tree(Digest::of(FUNCTION, content.as_bytes()))
}

fn file(content: &str, executable: bool) -> Artifact {
    Artifact::File { digest: Digest::of(FUNCTION, content.as_bytes()), executable }
}

/// Everything that a key is computed from. The tests change one part at a time.
#[derive(Clone)]
struct Given {
    label: Label,
    process: Process,
    inputs: Vec<(Input, Artifact)>,
    outputs: Vec<&'static str>,
    pinned: Option<Digest>,
}

fn given() -> Given {
    let process = Process {
        argv: ["cc", "-c", "a.c"].map(str::to_owned).to_vec(),
        env: [("PATH", "/usr/bin"), ("TZ", "UTC")].map(|(n, v)| (n.into(), v.into())).into(),
        cwd: "src".to_owned(),
        limits: Limits::STANDARD,
        determinism: None,
        stdout: None,
        isolation: Isolation::Namespaces,
    };
    let inputs = vec![
        (Input::root(from("image")), tree("image")),
        (Input::new("src", from("src")), tree("src")),
    ];
    let label = Label::new("api", "compile");
    Given { label, process, inputs, outputs: vec!["a.o", "a.d"], pinned: None }
}

fn from(content: &str) -> Source {
    Source::Tree(*tree(content).digest())
}

fn key_of(given: Given) -> ActionKey {
    let (inputs, content): (Vec<_>, Vec<_>) = given.inputs.into_iter().unzip();
    let action = Action {
        inputs,
        outputs: given.outputs.into_iter().map(str::to_owned).collect(),
        pinned: given.pinned,
        ..Action::process(given.label, given.process)
    };
    key(FUNCTION, &action, &content).unwrap().key
}

#[track_caller]
fn check(what: &str, matters: bool, change: impl FnOnce(&mut Given)) {
    let mut changed = given();
    change(&mut changed);
    assert_eq!(key_of(given()) != key_of(changed), matters, "{what}");
}

#[test]
fn what_is_in_the_key_of_a_process() {
    check("argument", true, |g| g.process.argv.push("-O2".to_owned()));
    check("where arguments end", true, |g| {
        g.process.argv = ["cc", "-c a.c"].map(str::to_owned).to_vec();
    });
    check("variable", true, |g| _ = g.process.env.insert("A".to_owned(), String::new()));
    check("value", true, |g| _ = g.process.env.insert("TZ".to_owned(), "CET".to_owned()));
    check("working directory", true, |g| g.process.cwd = String::new());
    check("input", true, |g| g.inputs[1].1 = tree("other"));
    check("image", true, |g| g.inputs[0].1 = tree("other"));
    check("place of an input", true, |g| g.inputs[1].0.at = "source".to_owned());
    check("image or folder", true, |g| g.inputs[0].0.at = "usr".to_owned());
    check("writable", true, |g| g.inputs[1].0.access = Access::Scratch);
    check("kind of an input", true, |g| g.inputs[1].1 = file("src", false));
    check("output", true, |g| g.outputs.push("a.lst"));
    check("timeout", true, |g| g.process.limits.timeout = Some(Duration::from_secs(1)));
    check("memory", true, |g| g.process.limits.memory = Some(1));
    check("processes", true, |g| g.process.limits.processes = 1);
    check("/tmp", true, |g| g.process.limits.tmp_bytes = 1);
    check("file size", true, |g| g.process.limits.file_size = Some(1));
    check("open files", true, |g| g.process.limits.open_files = 1);
    check("CPUs", true, |g| g.process.limits.cpus = Some(1));
    check("weaker sandbox", true, |g| g.process.isolation = Isolation::Weak);
    check("no sandbox", true, |g| g.process.isolation = Isolation::None);
    let layer = Determinism::at(0);
    check("determinism layer", true, |g| g.process.determinism = Some(layer));
    check("epoch", true, |g| g.process.determinism = Some(Determinism::at(1)));
    check("seed", true, |g| g.process.determinism = Some(Determinism { seed: 1, ..layer }));
    check("seen CPUs", true, |g| g.process.determinism = Some(Determinism { cpus: 1, ..layer }));
    let reversed = Determinism { listing: Listing::Reversed, ..layer };
    check("listing", true, |g| g.process.determinism = Some(reversed));
}

#[test]
fn what_is_not_in_the_key() {
    check("nothing", false, |_| {});
    check("label", false, |g| g.label = Label::new("web", "build"));
    check("pin", false, |g| g.pinned = Some(*tree("pin").digest()));
    check("order of outputs", false, |g| g.outputs.reverse());
    check("output twice", false, |g| g.outputs.push("a.o"));
    check("order of inputs", false, |g| g.inputs.reverse());
    check("where an input comes from", false, |g| g.inputs[1].0.from = from("elsewhere"));
}

#[test]
fn an_executable_file_is_another_input() {
    let with = |executable| {
        let mut given = given();
        given.inputs[1].1 = file("tool", executable);
        key_of(given)
    };
    assert_ne!(with(true), with(false));
}

struct Merge(&'static str, &'static str, &'static [&'static str]);

impl Builtin for Merge {
    fn name(&self) -> &str {
        self.0
    }

    fn version(&self) -> &str {
        self.1
    }

    fn arguments(&self) -> Vec<String> {
        self.2.iter().map(|argument| (*argument).to_owned()).collect()
    }

    fn run(&self, _: &BuiltinContext) -> Result<(), BuiltinError> {
        Ok(())
    }
}

#[test]
fn what_is_in_the_key_of_a_builtin() {
    let key_of = |merge: Merge| {
        let action = Action::builtin(Label::new("image", "merge"), merge).output("image");
        key(FUNCTION, &action, &[]).unwrap().key
    };
    let base = key_of(Merge("merge", "1", &["x"]));
    assert_eq!(base, key_of(Merge("merge", "1", &["x"])));
    assert_ne!(base, key_of(Merge("unpack", "1", &["x"])));
    assert_ne!(base, key_of(Merge("merge", "2", &["x"])));
    assert_ne!(base, key_of(Merge("merge", "1", &["y"])));
}

/// A visitor that lists everything that feeds a key, as an explanation of keys would.
#[derive(Default)]
struct LineVisitor(Vec<String>);

impl KeyVisitor for LineVisitor {
    fn rules(&mut self, version: u32) {
        self.0.push(format!("rules {version}"));
    }

    fn argument(&mut self, argument: &str) {
        self.0.push(format!("argument {argument}"));
    }

    fn variable(&mut self, name: &str, value: &str) {
        self.0.push(format!("variable {name}={value}"));
    }

    fn property(&mut self, name: &str, _: &str) {
        self.0.push(format!("property {name}"));
    }

    fn output(&mut self, path: &str) {
        self.0.push(format!("output {path}"));
    }

    fn input(&mut self, path: &str, content: Artifact) {
        let kind = if matches!(content, Artifact::Tree(_)) { "tree" } else { "file" };
        self.0.push(format!("{kind} {path}"));
    }

    fn timeout(&mut self, timeout: Duration) {
        self.0.push(format!("timeout {timeout:?}"));
    }
}

#[test]
fn a_visitor_is_told_everything_in_order() {
    let mut given = given();
    given.process.limits.timeout = Some(Duration::from_secs(60));
    let (inputs, content): (Vec<_>, Vec<_>) = given.inputs.into_iter().unzip();
    let outputs = given.outputs.into_iter().map(str::to_owned).collect();
    let action = Action { inputs, outputs, ..Action::process(given.label, given.process) };
    let mut lines = LineVisitor::default();
    visit(&action, &content, &mut lines);
    let expect = "rules 1, argument cc, argument -c, argument a.c, variable PATH=/usr/bin, \
                  variable TZ=UTC, property ISA, property OSFamily, property cwd, \
                  property limit-cpus, property limit-file-size, property limit-memory, \
                  property limit-open-files, property limit-processes, property limit-tmp-bytes, \
                  property sandbox, property scratch, timeout 60s, output out/a.d, output out/a.o, \
                  tree .image/0, tree src";
    assert_eq!(lines.0.join(", "), expect);
}

#[test]
fn the_key_names_an_action_message_whose_parts_come_along() {
    let given = given();
    let (inputs, content): (Vec<_>, Vec<_>) = given.inputs.into_iter().unzip();
    let outputs = given.outputs.into_iter().map(str::to_owned).collect();
    let action = Action { inputs, outputs, ..Action::process(given.label, given.process) };
    let Keyed { key, messages } = key(FUNCTION, &action, &content).unwrap();
    let find = |digest: &reapi::Digest| {
        let digest = Digest::from_reapi(FUNCTION, digest).unwrap();
        let (_, bytes) = messages.iter().find(|(name, _)| *name == digest).unwrap();
        assert_eq!(Digest::of(FUNCTION, bytes), digest);
        bytes.clone()
    };
    let action = reapi::Action::decode(&*find(&key.0.to_reapi())).unwrap();
    let command = reapi::Command::decode(&*find(&action.command_digest.unwrap())).unwrap();
    let root = reapi::Directory::decode(&*find(&action.input_root_digest.unwrap())).unwrap();
    assert_eq!(command.output_paths, ["out/a.d", "out/a.o"]);
    assert_eq!(command.platform, action.platform, "old servers read it in the command");
    let names: Vec<_> = root.directories.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, [".image", "src"]);
}

/// Notices every change of keys. A change of [`RULES`] or of the messages changes them, and must not happen by accident.
#[test]
fn keys_do_not_change_by_themselves() {
    let action = Action::builtin(Label::new("image", "merge"), Merge("merge", "1", &["x"]))
        .input(Input::new("a", from("a")))
        .output("image");
    let key = key(FUNCTION, &action, &[tree("a")]).unwrap().key;
    let expect = "blake3:9e26595dae01a5a08e03abc93a0f11b46cdb010d8b4ffa7b9715bf5e36bcc58f/176";
    assert_eq!(key.0.to_string(), expect);
}
