//! What a sandbox costs: `true`, started plainly and in a sandbox.
//!
//! Prints for each the CPU time (user and system, of all processes that take part) and the wall
//! time of one run: `cargo run --release -p sandbox --example spawn_cost [runs]`. Of several rounds
//! the best counts, as others use the machine too.
#![expect(clippy::print_stdout, reason = "an example reports to standard output")]

use std::error::Error;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sandbox::{Cancel, Limits, Mount, MountSource, Sandbox, Spec};

const PROGRAM: &str = "/usr/bin/true";
const ROUNDS: usize = 5;

/// CPU and wall time of one run.
#[derive(Clone, Copy)]
struct Cost {
    cpu: Duration,
    wall: Duration,
}

fn main() -> Result<(), Box<dyn Error>> {
    sandbox::run_spawner_if_asked();
    let runs = std::env::args().nth(1).map_or(Ok(200), |text| text.parse())?;
    let plain = best(|| plain(runs))?;
    let sandboxed = best(|| sandboxed(runs))?;
    for (name, cost) in [("posix_spawn", plain), ("sandbox", sandboxed)] {
        println!(
            "{name:<12} cpu {:>6} us  wall {:>6} us",
            cost.cpu.as_micros(),
            cost.wall.as_micros()
        );
    }
    let ratio = |of: fn(Cost) -> Duration| of(sandboxed).as_secs_f64() / of(plain).as_secs_f64();
    println!(
        "{:<12} cpu {:>6.1} x   wall {:>6.1} x",
        "ratio",
        ratio(|cost| cost.cpu),
        ratio(|cost| cost.wall)
    );
    Ok(())
}

fn best(round: impl Fn() -> Result<Cost, Box<dyn Error>>) -> Result<Cost, Box<dyn Error>> {
    let mut best = round()?;
    for _ in 1..ROUNDS {
        let cost = round()?;
        best = Cost { cpu: best.cpu.min(cost.cpu), wall: best.wall.min(cost.wall) };
    }
    Ok(best)
}

fn plain(runs: u32) -> Result<Cost, Box<dyn Error>> {
    let (cpu, begin) = (cpu_time()?, Instant::now());
    for _ in 0..runs {
        let output = Command::new(PROGRAM).env_clear().stdin(Stdio::null()).output()?;
        assert!(output.status.success());
    }
    Ok(Cost { wall: begin.elapsed() / runs, cpu: (cpu_time()? - cpu) / runs })
}

/// Without the start of the spawner, which is measured and taken off.
fn sandboxed(runs: u32) -> Result<Cost, Box<dyn Error>> {
    let before = cpu_time()?;
    drop(Sandbox::start()?);
    let start = cpu_time()? - before;
    let sandbox = Sandbox::start()?;
    let begin = Instant::now();
    for _ in 0..runs {
        sandbox.run(&spec(), &Cancel::new())?;
    }
    let wall = begin.elapsed() / runs;
    // What the spawner has used counts here once it is gone.
    drop(sandbox);
    Ok(Cost { wall, cpu: (cpu_time()? - before).saturating_sub(2 * start) / runs })
}

fn spec() -> Spec {
    let mount = |target: &str| Mount {
        target: target.into(),
        source: match fs::read_link(target) {
            Ok(to) => MountSource::Symlink(to.into()),
            Err(_) => MountSource::ReadOnly(target.into()),
        },
    };
    Spec {
        argv: vec![PROGRAM.into()],
        env: Vec::new(),
        cwd: "/".into(),
        mounts: ["/usr", "/lib", "/lib64"].map(mount).into(),
        limits: Limits::STANDARD,
        output_cap: 4096,
    }
}

/// User and system time of this process and its dead descendants, to a hundredth of a second.
fn cpu_time() -> Result<Duration, Box<dyn Error>> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit_once(')').ok_or("no name in /proc/self/stat")?.1;
    let ticks = fields.split_whitespace().skip(11).take(4).map(str::parse::<u64>);
    Ok(Duration::from_millis(10 * ticks.sum::<Result<u64, _>>()?))
}
