//! Checks that reading a file takes time in proportion to its length, whatever is wrong with it.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::parse;

/// The number of elements in the short file. The long one has four times as many.
const FEW: usize = 400;

/// The maximum ratio of the two times. Four times the elements take four times as long if the work is in
/// proportion, and sixteen times if it is in the square.
const MOST: f64 = 8.0;

/// Returns the time that this thread has worked. The work of other programs on the machine doesn't count.
fn worked() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.cast_unsigned(), u32::try_from(time.tv_nsec).unwrap())
}

/// Returns the time for reading and drawing a file of `count` elements.
fn read(count: usize, text: &dyn Fn(usize) -> String) -> Duration {
    let text = text(count);
    let begin = worked();
    let (manifest, findings) = parse(&text);
    if let Some(manifest) = &manifest {
        // Planning asks for the line of each component.
        let last = manifest.components.iter().map(|component| manifest.line(component.span)).max();
        assert!(last > Some(count));
    }
    assert!(manifest.is_some() || findings.errors() > 0);
    assert!(findings.render(false).len() < 1 << 20, "the first findings only are drawn");
    worked() - begin
}

/// Checks that the long file does not take too much longer than the short one. Each time is the shortest of
/// three, because caches are cold at first.
#[track_caller]
fn check(name: &str, text: impl Fn(usize) -> String) {
    let least = |count| (0..3).map(|_| read(count, &text)).min().unwrap();
    let (few, many) = (least(FEW), least(4 * FEW));
    let ratio = many.as_secs_f64() / few.as_secs_f64();
    assert!(ratio < MOST, "{name}: {few:?} for {FEW}, {many:?} for {}", 4 * FEW);
}

const PROJECT: &str = "[project]\nname = \"p\"\nversion = \"0.1.0\"\n";

/// Returns a function that makes a file with the given number of components.
fn components(component: impl Fn(usize, usize) -> String) -> impl Fn(usize) -> String {
    move |count| {
        let components = (0..count).map(|at| format!("[[component]]\n{}\n", component(at, count)));
        format!("{PROJECT}{}", components.collect::<String>())
    }
}

#[test]
fn time_grows_with_the_file_and_not_with_its_square() {
    let path = "path = \"a.wasm\"";
    check("fine", components(|at, _| format!("name = \"c{at}\"\n{path}")));
    check("equal names", components(|_, _| format!("name = \"C 1\"\n{path}")));
    check("equal keys", components(|at, _| format!("name = \"c{at}\"\nname = 1\n{path}\nx = 1")));
    check("wrong types", components(|at, _| format!("name = \"c{at}\"\npath = {at}")));
    check(
        "unknown names",
        components(|at, _| format!("name = \"c{at:05}\"\n{path}\ndependencies = [\"d{at:05}\"]")),
    );
    check(
        "circles",
        components(|at, count| {
            let next = (at + 1) % count;
            format!("name = \"c{at}\"\n{path}\ndependencies = [\"c{next}\", \"c0\"]")
        }),
    );
    check("one line", |count| {
        let all = (0..count).map(|at| format!("{{ name = \"c{at}\", path = 1 }}, "));
        format!("component = [{}]\n{PROJECT}", all.collect::<String>())
    });
    check("one list", |count| {
        let all = (0..count).map(|at| format!("\"c{at}\", ")).collect::<String>();
        format!("{PROJECT}[[component]]\nname = \"c\"\n{path}\ndependencies = [{all}]\n")
    });
    check("lists that never end", |count| {
        format!("{PROJECT}{}", (0..count).map(|at| format!("a{at} = [1,\n")).collect::<String>())
    });
}
