//! Measures in pairs, A and B in turn, so that changes in the speed of the machine affect both.

use std::time::{Duration, Instant};

/// The times of one run, in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Sample {
    wall: f64,
    /// The processor time of this process and of its finished children.
    cpu: f64,
}

/// Runs `a` and `b` in turn and prints medians and the median of their ratios.
pub(crate) fn compare(
    title: &str,
    rounds: usize,
    (name_a, mut a): (&str, impl FnMut()),
    (name_b, mut b): (&str, impl FnMut()),
) {
    // The first run of each warms the caches and does not count.
    a();
    b();
    measured(title, rounds, (name_a, a), (name_b, b));
}

/// Runs `a` and `b` in turn like [`compare`], but counts the first run, too.
pub(crate) fn measured(
    title: &str,
    rounds: usize,
    (name_a, mut a): (&str, impl FnMut()),
    (name_b, mut b): (&str, impl FnMut()),
) {
    let pairs: Vec<(Sample, Sample)> =
        (0..rounds).map(|_| (sample(&mut a), sample(&mut b))).collect();
    let column = |pick: fn(&(Sample, Sample)) -> f64| median(pairs.iter().map(pick).collect());
    println!("{title} ({rounds} pairs, medians)");
    let line = |name: &str, wall: f64, cpu: f64, unit: &str| {
        println!("  {name:36} {wall:10.3}{unit} wall {cpu:10.3}{unit} cpu");
    };
    line(name_a, column(|(a, _)| a.wall), column(|(a, _)| a.cpu), " ms");
    line(name_b, column(|(_, b)| b.wall), column(|(_, b)| b.cpu), " ms");
    line("ratio", column(|(a, b)| a.wall / b.wall), column(|(a, b)| a.cpu / b.cpu), "   ");
    println!();
}

fn sample(work: &mut impl FnMut()) -> Sample {
    let (started, before) = (Instant::now(), processor_time());
    work();
    let wall = started.elapsed();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
    // The time is at least one clock tick, because work that is too short to be measured is not free.
    let cpu = (processor_time() - before).max(Duration::from_micros(1));
    Sample { wall: milliseconds(wall), cpu: milliseconds(cpu) }
}

/// Returns the kernel's sums for this process and for the children that it has waited for.
fn processor_time() -> Duration {
    let of = |who| {
        let usage = nix::sys::resource::getrusage(who).expect("getrusage knows both");
        let part = |time: nix::sys::time::TimeVal| {
            Duration::from_secs(time.tv_sec() as u64) + Duration::from_micros(time.tv_usec() as u64)
        };
        part(usage.user_time()) + part(usage.system_time())
    };
    of(nix::sys::resource::UsageWho::RUSAGE_SELF)
        + of(nix::sys::resource::UsageWho::RUSAGE_CHILDREN)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
