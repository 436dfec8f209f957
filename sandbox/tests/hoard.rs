//! Uses memory that is not the private memory of one process.
#![expect(clippy::print_stdout, reason = "the test reads standard output")]

use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::thread;
use std::time::Duration;

use libc::c_long;

use crate::probe::hold;
use crate::syscall::{call, fill, fork};

const PAGE: c_long = 4096;

/// Uses this many MiB of one kind, shares them between this many processes, and ends after a while.
pub(crate) fn hoard(kind: &str, mebibytes: usize, processes: usize) {
    let length = (mebibytes << 20) as c_long;
    match kind {
        "shared" => touch(map(length, libc::MAP_SHARED | libc::MAP_ANONYMOUS, -1), length),
        "memfd" => touch(map(length, libc::MAP_SHARED, written(length, 0)), length),
        // This memory has a descriptor and is not mapped.
        "written" => _ = written(length, mebibytes),
        "file" => {
            let file = File::create_new("/tmp/file").unwrap();
            file.set_len(length as u64).unwrap();
            let file = File::options().read(true).write(true).open("/tmp/file").unwrap();
            touch(map(length, libc::MAP_SHARED, file.as_raw_fd().into()), length);
        }
        "segment" => touch(segment(length), length),
        "detached" => {
            let place = segment(length);
            touch(place, length);
            call(libc::SYS_shmdt, &[place]).unwrap();
        }
        // The first thread of the process ends, and another thread uses the memory.
        "thread" => {
            thread::spawn(move || hold(mebibytes));
            call(libc::SYS_exit, &[0]).unwrap();
        }
        _ => panic!("there is no way {kind}"),
    }
    for _ in 1..processes {
        fork(|| thread::sleep(Duration::from_secs(100)));
    }
    thread::sleep(Duration::from_millis(2500));
    println!("survived");
}

fn map(length: c_long, flags: i32, file: c_long) -> c_long {
    let both = c_long::from(libc::PROT_READ | libc::PROT_WRITE);
    call(libc::SYS_mmap, &[0, length, both, flags.into(), file, 0]).unwrap()
}

/// Creates memory of this length that has a descriptor, and uses this many MiB of it.
fn written(length: c_long, mebibytes: usize) -> c_long {
    let fd = call(libc::SYS_memfd_create, &[c"hoard".as_ptr() as c_long, 0]).unwrap();
    call(libc::SYS_ftruncate, &[fd, length]).unwrap();
    let mut file = File::options().write(true).open(format!("/proc/self/fd/{fd}")).unwrap();
    (0..mebibytes).for_each(|_| file.write_all(&[1; 1 << 20]).unwrap());
    fd
}

fn segment(length: c_long) -> c_long {
    let segment = call(libc::SYS_shmget, &[0, length, 0o1600]).unwrap();
    call(libc::SYS_shmat, &[segment, 0, 0]).unwrap()
}

fn touch(place: c_long, length: c_long) {
    (0..length / PAGE).for_each(|page| fill(place + page * PAGE, &[1]));
}
