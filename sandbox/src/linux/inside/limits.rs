//! Computes the resource limits of a command, and sets them for the process that becomes the
//! program.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::linux::sys::limits::CORE;
use crate::linux::wire::plan::{CpuShare, PlannedLimits};
use crate::linux::wire::step::{AtStep, Failure, Step};

/// Returns limits that are the same for every command, unless the caller's own limits are lower.
pub(in crate::linux) fn resource_limits(limits: &PlannedLimits) -> Vec<(Resource, Rlimit)> {
    let mebibyte = 1 << 20;
    let wanted = [
        (Resource::Core, CORE),
        (Resource::Nproc, Some(limits.processes + 1)),
        (Resource::Nofile, Some(limits.open_files)),
        (Resource::Fsize, limits.file_size),
        (Resource::Stack, Some(8 * mebibyte)),
        (Resource::Memlock, Some(8 * mebibyte)),
        (Resource::Sigpending, Some(4096)),
        (Resource::Msgqueue, Some(819_200)),
        (Resource::Nice, Some(0)),
        (Resource::Rtprio, Some(0)),
        (Resource::Rttime, None),
        (Resource::Locks, None),
        (Resource::As, None),
        (Resource::Cpu, None),
        (Resource::Data, None),
        (Resource::Rss, None),
    ];
    wanted.map(|(resource, limit)| (resource, below_maximum(resource, limit))).into()
}

/// Returns a limit that is not above the caller's own. `None` stands for the caller's own.
fn below_maximum(resource: Resource, limit: Option<u64>) -> Rlimit {
    let maximum = getrlimit(resource).maximum;
    let limit = match (limit, maximum) {
        (Some(limit), Some(maximum)) => Some(limit.min(maximum)),
        (limit, maximum) => limit.or(maximum),
    };
    Rlimit { current: limit, maximum: limit }
}

/// Returns the CPUs of a share, counted in a circle among those that this process may use.
pub(in crate::linux) fn cpu_set(share: CpuShare) -> rustix::io::Result<CpuSet> {
    let usable = sched_getaffinity(None)?;
    let usable: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|&cpu| usable.is_set(cpu)).collect();
    let mut set = CpuSet::new();
    let count = (share.count as usize).clamp(1, usable.len());
    let first = share.first as usize % usable.len();
    usable.iter().cycle().skip(first).take(count).for_each(|&cpu| set.set(cpu));
    Ok(set)
}

pub(super) fn set_limits(
    limits: &[(Resource, Rlimit)],
    cpus: Option<&CpuSet>,
) -> Result<(), Failure> {
    for (resource, limit) in limits {
        setrlimit(*resource, *limit).at(Step::Limits)?;
    }
    match cpus {
        Some(cpus) => sched_setaffinity(None, cpus).at(Step::Cpus),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_below_the_maximum() {
        let maximum = getrlimit(Resource::Nofile).maximum;
        assert_eq!(below_maximum(Resource::Nofile, Some(16)).current, Some(16));
        assert_eq!(
            below_maximum(Resource::Nofile, Some(u64::MAX - 1)).current,
            maximum.or(Some(u64::MAX - 1))
        );
        assert_eq!(below_maximum(Resource::Nofile, None).current, maximum);
    }
}
