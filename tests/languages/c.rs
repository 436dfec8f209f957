//! Tests C and C++: the files that a component is made from, and the errors.

use crate::harness::{self, Run, Workspace};

const RUN_TOML: &str = "\
[project]
name = \"c\"
version = \"0.1.0\"

[[component]]
name = \"words\"
source = \"words/words.cpp\"
wit = \"words/wit\"

[[component]]
name = \"sum\"
source = \"sum/sum.c\"
wit = \"sum/wit\"

[build]
opt_level = \"release\"
";

const WORDS_WIT: &str = "\
package demo:words@0.1.0;

interface text {
    unique: func(text: string) -> list<string>;
}

world words {
    export text;
}
";

const WORDS: &str = "\
#include <set>
#include <sstream>
#include <string>

#include \"copy.hpp\"

void exports_demo_words_text_unique(words_string_t *text, words_list_string_t *unique) {
    std::istringstream stream(std::string(reinterpret_cast<char *>(text->ptr), text->len));
    std::set<std::string> words;
    for (std::string word; stream >> word;) words.insert(word);
    words_string_free(text);
    copy(words, *unique);
}
";

const COPY_HEADER: &str = "\
#include <set>
#include <string>

#include \"words.h\"

void copy(const std::set<std::string> &from, words_list_string_t &to);
";

const COPY: &str = "\
#include \"copy.hpp\"

#include <cstdlib>

void copy(const std::set<std::string> &from, words_list_string_t &to) {
    to.len = from.size();
    to.ptr = static_cast<words_string_t *>(std::malloc(from.size() * sizeof(words_string_t)));
    words_string_t *place = to.ptr;
    for (const std::string &word : from) words_string_dup_n(place++, word.data(), word.size());
}
";

const SUM_WIT: &str = "\
package demo:sum@0.1.0;

world sum {
    export add: func(a: u32, b: u32) -> u32;
}
";

const SUM: &str = "\
#include \"sum.h\"

uint32_t exports_sum_add(uint32_t a, uint32_t b) {
    return a + b;
}
";

fn project() -> Workspace {
    Workspace::new()
        .file("run.toml", RUN_TOML)
        .file("words/words.cpp", WORDS)
        .file("words/copy.cpp", COPY)
        .file("words/copy.hpp", COPY_HEADER)
        .file("words/wit/words.wit", WORDS_WIT)
        .file("sum/sum.c", SUM)
        .file("sum/wit/sum.wit", SUM_WIT)
}

fn call(
    workspace: &Workspace,
    path: &str,
    interface: Option<&str>,
    (function, arguments): (&str, &[&str]),
) -> String {
    harness::call(&workspace.read(path), interface, function, arguments).unwrap()
}

#[test]
fn a_cpp_component_of_several_files_compiles_only_what_changed() {
    let workspace = project();
    workspace.run(["build", "-p", "words"]).ok();
    let unique = ("unique", ["\"b a b\""].as_slice());
    let answer = call(&workspace, "target/wasm/words.wasm", Some("demo:words/text@0.1.0"), unique);
    assert_eq!(answer, "[\"a\", \"b\"]");
    let comment = format!("// {}\n{COPY}", workspace.root().display());
    workspace.write("words/copy.cpp", comment);
    // The object file is the same, so nothing is linked again.
    let run = workspace.run(["build", "-p", "words"]).ok();
    assert_eq!(run.ran(), ["words:compile words/copy.cpp"]);
}

#[track_caller]
fn refused(workspace: &Workspace, source: &str, expected: &[&str]) -> Run {
    workspace.write("sum/sum.c", source);
    let run = workspace.run(["build", "-p", "sum"]).exits(1);
    for text in expected {
        assert!(run.stderr.contains(text), "no {text:?} in:\n{}", run.stderr);
    }
    run
}

#[test]
fn what_a_c_component_gets_wrong_is_told_with_the_compilers_words() {
    let workspace = project();
    refused(&workspace, "int broken( {", &["sum/sum.c:1:13: error:", "sum:compile"]);
    refused(
        &workspace,
        "#include \"sum.h\"\n",
        &["undefined symbol: exports_sum_add", "hint: the world exports a function"],
    );
    let wrong = SUM.replace("uint32_t a", "uint64_t a");
    refused(&workspace, &wrong, &["conflicting types for 'exports_sum_add'"]);
    let undeclared = wrong.replace("#include \"sum.h\"", "#include <stdint.h>");
    refused(&workspace, &undeclared, &["function signature mismatch: exports_sum_add"]);
    // A warning is shown, and the build goes on.
    workspace.write("sum/sum.c", SUM.replace("return", "int unused; return"));
    workspace.run(["build", "-p", "sum"]).ok().says("unused variable 'unused'");
    let add = ("add", ["40", "2"].as_slice());
    assert_eq!(call(&workspace, "target/wasm/sum.wasm", None, add), "42");
}

#[test]
fn flags_come_from_the_component() {
    let workspace = project();
    workspace.write("sum/sum.c", SUM.replace("a + b", "a + b + EXTRA"));
    workspace.replace(
        "run.toml",
        "wit = \"sum/wit\"",
        "wit = \"sum/wit\"\nenv = { CFLAGS = \"-DEXTRA=1\" }",
    );
    workspace.run(["build", "-p", "sum"]).ok();
    let add = ("add", ["40", "2"].as_slice());
    assert_eq!(call(&workspace, "target/wasm/sum.wasm", None, add), "43");
}

/// Tests the language standards, the traps on undefined behaviour in debug builds, and the variables for
/// flags.
#[test]
fn programs_are_compiled_as_the_page_says() {
    let workspace = project();
    let sum = SUM.replace("return a + b", "return (uint32_t)((int)a + (int)b) + EXTRA");
    let gnu17 = "_Static_assert(__STDC_VERSION__ == 201710L, \"17\");\n\
                 #ifdef __STRICT_ANSI__\n#error gnu\n#endif\n";
    workspace.write("sum/sum.c", format!("{sum}{gnu17}"));
    let env = "env = { CPPFLAGS = \"-DEXTRA=0\", LDFLAGS = \"--no-such-option\" }";
    workspace.replace("run.toml", "wit = \"sum/wit\"", &format!("wit = \"sum/wit\"\n{env}"));
    workspace.run(["build", "-p", "sum"]).exits(1).says("unknown argument: --no-such-option");
    workspace.replace("run.toml", "--no-such-option", "");
    workspace.run(["build", "-p", "sum"]).ok();
    let component = workspace.read("target/wasm/sum.wasm");
    assert_eq!(super::imports(&component), Vec::<String>::new());
    let add = ("add", ["2147483647", "1"].as_slice());
    assert_eq!(call(&workspace, "target/wasm/sum.wasm", None, add), "2147483648");
    workspace.replace("run.toml", "opt_level = \"release\"", "opt_level = \"debug\"");
    workspace.run(["build", "-p", "sum"]).ok();
    let loaded = harness::load(&workspace.read("target/wasm/sum.wasm"));
    let call = loaded.call(None, "add", &["2147483647", "1"]);
    let trap = tokio::runtime::Runtime::new().unwrap().block_on(call).unwrap_err().to_string();
    assert!(trap.starts_with("the component trapped: "), "{trap}");
    // C++.
    let gnu20 = format!("static_assert(__cplusplus == 202002L + EXTRA);\n{WORDS}");
    workspace.write("words/words.cpp", format!("{gnu20}void f() {{ throw 1; }}\n"));
    let env = "wit = \"words/wit\"\nenv = { CXXFLAGS = \"-DEXTRA=0\" }";
    workspace.replace("run.toml", "wit = \"words/wit\"", env);
    let run = workspace.run(["build", "-p", "words"]).exits(1);
    run.says("cannot use 'throw' with exceptions disabled");
    workspace.write("words/words.cpp", gnu20);
    workspace.run(["build", "-p", "words"]).ok();
}

#[test]
fn a_command_without_main_is_told() {
    let workspace = project().file(
        "sum/wit/sum.wit",
        "package demo:sum;\n\nworld sum {\n    include wasi:cli/command@0.2.4;\n}\n",
    );
    refused(
        &workspace,
        "int nothing;\n",
        &["undefined symbol: main", "hint: the world exports wasi:cli/run"],
    );
}

#[test]
fn tests_and_what_is_excluded_are_not_compiled() {
    let workspace = project()
        .file("sum/tests/t.c", "int main(void) { return 0; }\n")
        .file("sum/tests/t2.c", "int main(void) { return 1; }\n")
        .file("sum/tools/gen.c", "int main(void) { return 2; }\n")
        .file("sum/tools/gen2.c", "int main(void) { return 3; }\n");
    workspace
        .run(["build", "-p", "sum"])
        .exits(1)
        .says("`main` is in `sum/tools/gen.c` and in `sum/tools/gen2.c`")
        .says("such as `exclude = [\"sum/tools/gen2.c\"]`");
    workspace.replace(
        "run.toml",
        "wit = \"sum/wit\"",
        "wit = \"sum/wit\"\nexclude = [\"sum/tools\"]",
    );
    workspace.run(["build", "-p", "sum"]).ok();
    // A file that `inputs` names is compiled, wherever it lies.
    workspace
        .write("sum/tests/extra.c", "uint32_t extra(void);\nuint32_t extra(void) { return 1; }\n");
    workspace.replace(
        "sum/tests/extra.c",
        "uint32_t extra(void);",
        "#include <stdint.h>\nuint32_t extra(void);",
    );
    workspace.write(
        "sum/sum.c",
        SUM.replace("#include \"sum.h\"", "#include \"sum.h\"\nuint32_t extra(void);")
            .replace("a + b", "a + b + extra()"),
    );
    workspace.run(["build", "-p", "sum"]).exits(1).says("extra");
    workspace.replace("run.toml", "exclude =", "inputs = [\"sum/tests/extra.c\"]\nexclude =");
    workspace.run(["build", "-p", "sum"]).ok();
    let add = ("add", ["40", "1"].as_slice());
    assert_eq!(call(&workspace, "target/wasm/sum.wasm", None, add), "42");
}
