//! The launcher itself. It is compiled alone, without any library, by the build script of its crate.
//!
//! 1. It reads its orders: texts with a kind in front (see `orders.rs`).
//! 2. It makes folders and changes into the folder of the command.
//! 3. It replaces itself by the command, with the environment of the orders and nothing else.
//!
//! If something fails, it says so in one line on standard error and exits with 126, or 127 if there is no program.

#![no_std]
#![no_main]
// The compiler must not turn the loops of `memcpy` and `memset` into calls of themselves.
#![no_builtins]

use core::arch::{asm, global_asm};
use core::panic::PanicInfo;

/// The numbers of system calls, and what else differs between processors.
#[cfg(target_arch = "x86_64")]
mod numbers {
    pub const WRITE: usize = 1;
    pub const LSEEK: usize = 8;
    pub const MMAP: usize = 9;
    pub const EXECVE: usize = 59;
    pub const EXIT: usize = 231;
    pub const CHDIR: usize = 80;
    pub const UMASK: usize = 95;
    pub const OPENAT: usize = 257;
    pub const MKDIRAT: usize = 258;
}
#[cfg(target_arch = "aarch64")]
mod numbers {
    pub const WRITE: usize = 64;
    pub const LSEEK: usize = 62;
    pub const MMAP: usize = 222;
    pub const EXECVE: usize = 221;
    pub const EXIT: usize = 94;
    pub const CHDIR: usize = 49;
    pub const UMASK: usize = 166;
    pub const OPENAT: usize = 56;
    pub const MKDIRAT: usize = 34;
}

const AT_FDCWD: usize = -100_isize as usize;
const O_CLOEXEC: usize = 0o2_000_000;
const SEEK_END: usize = 2;
const PROT_READ_WRITE: usize = 3;
const MAP_PRIVATE: usize = 2;
const MAP_ANONYMOUS: usize = 0x20;
const NOBODY: usize = usize::MAX;

const ENOENT: isize = -2;
const E2BIG: isize = -7;
const EACCES: isize = -13;
const EEXIST: isize = -17;
const ENOTDIR: isize = -20;

const ORDERS: &[u8] = b"/.run/orders\0";

// The kernel starts a program with its arguments on the stack, and functions want a stack that is aligned.
#[cfg(target_arch = "x86_64")]
global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {main}",
    main = sym main
);
#[cfg(target_arch = "aarch64")]
global_asm!(".globl _start", "_start:", "mov x29, 0", "mov x0, sp", "bl {main}", main = sym main);

/// Makes a system call with up to six arguments.
///
/// # Safety
/// The arguments have to be such that the kernel reads and writes only memory that this program may have read and written.
#[cfg(target_arch = "x86_64")]
unsafe fn call(number: usize, a: [usize; 6]) -> isize {
    let result: isize;
    // SAFETY: the caller vouches for the arguments; the kernel changes rcx and r11 and no other register.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") a[0], in("rsi") a[1], in("rdx") a[2],
            in("r10") a[3], in("r8") a[4], in("r9") a[5],
            lateout("rcx") _, lateout("r11") _,
            options(nostack)
        );
    }
    result
}

/// Makes a system call with up to six arguments.
///
/// # Safety
/// The arguments have to be such that the kernel reads and writes only memory that this program may have read and written.
#[cfg(target_arch = "aarch64")]
unsafe fn call(number: usize, a: [usize; 6]) -> isize {
    let result: isize;
    // SAFETY: the caller vouches for the arguments; the kernel keeps all registers but x0.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") a[0] as isize => result,
            in("x1") a[1], in("x2") a[2], in("x3") a[3], in("x4") a[4], in("x5") a[5],
            options(nostack)
        );
    }
    result
}

/// A text that ends with a NUL byte.
#[derive(Clone, Copy)]
struct Text(*const u8);

impl Text {
    fn of(bytes: &'static [u8]) -> Self {
        Self(bytes.as_ptr())
    }

    /// Returns the text that begins `count` bytes later.
    ///
    /// # Safety
    /// The text, with its NUL, has at least that many bytes.
    unsafe fn from(self, count: usize) -> Self {
        // SAFETY: the caller says that this is in the same text.
        Self(unsafe { self.0.add(count) })
    }

    fn first(self) -> u8 {
        // SAFETY: a text has at least its NUL.
        unsafe { *self.0 }
    }

    fn len(self) -> usize {
        let mut len = 0;
        // SAFETY: the loop ends at the NUL of the text.
        while unsafe { *self.0.add(len) } != 0 {
            len += 1;
        }
        len
    }

    fn is(self, other: Self) -> bool {
        let len = self.len();
        // SAFETY: both texts have `len` bytes before their NUL.
        len == other.len() && (0..len).all(|at| unsafe { *self.0.add(at) == *other.0.add(at) })
    }
}

/// The orders of the launcher.
struct Orders {
    texts: Text,
    /// The number of bytes of the file.
    size: usize,
}

impl Orders {
    /// Calls `each` for each text of a kind.
    fn each(&self, kind: u8, mut each: impl FnMut(Text)) {
        let mut text = self.texts;
        while text.first() != 0 {
            let len = text.len();
            if text.first() == kind {
                // SAFETY: the kind is the first byte.
                each(unsafe { text.from(1) });
            }
            // SAFETY: behind the NUL is the next text. The last one of the file is empty, where the loop ends.
            text = unsafe { text.from(len + 1) };
        }
    }

    /// Makes a list of the texts of a kind, as `execve` takes it.
    fn list(&self, kind: u8) -> *const Text {
        // There are fewer texts than bytes. Memory that is not written costs nothing.
        let size = (self.size + 1) * size_of::<Text>();
        let list = map(size, MAP_PRIVATE | MAP_ANONYMOUS, NOBODY).cast_mut().cast::<Text>();
        let mut count = 0;
        self.each(kind, |text| {
            // SAFETY: `count` is below the number of bytes of the file, so this is in the list.
            unsafe { list.add(count).write(text) };
            count += 1;
        });
        // The rest of the memory is zero, which ends the list.
        list
    }
}

/// Maps memory: a file, or empty pages.
fn map(size: usize, flags: usize, file: usize) -> *const u8 {
    // SAFETY: the kernel chooses free addresses.
    let at = unsafe { call(numbers::MMAP, [0, size, PROT_READ_WRITE, flags, file, 0]) };
    if at < 0 {
        fail(b"there is no memory\0", Text::of(b"\0"), 126);
    }
    at as *const u8
}

/// Begins the program. `stack` is where the kernel has put the number of arguments, and the arguments behind it.
unsafe extern "C" fn main(stack: *const Text) -> ! {
    // SAFETY: the kernel has put them there, and ends the list with a null pointer.
    unsafe { check_use(stack) };
    let orders = read_orders();
    // SAFETY: this call takes no pointer.
    unsafe { call(numbers::UMASK, [0o022, 0, 0, 0, 0, 0]) };
    orders.each(b'm', make_folder);
    orders.each(b'd', |folder| {
        // SAFETY: the path ends with a NUL.
        if unsafe { call(numbers::CHDIR, [folder.0 as usize, 0, 0, 0, 0, 0]) } < 0 {
            fail(b"there is no folder \0", folder, 126);
        }
    });
    start(&orders)
}

/// Ends if the program was started by a command that takes it for the usual `env`. The worker starts it as `env` with the
/// launcher as the command.
///
/// # Safety
/// `stack` is what the kernel has put there.
unsafe fn check_use(stack: *const Text) {
    // SAFETY: the number of arguments is followed by as many pointers and a null.
    let (count, first) = unsafe { (*stack.cast::<usize>(), *stack.add(1)) };
    let is_env = count > 0 && ends_with_env(first);
    if !is_env {
        return;
    }
    // SAFETY: these are within the count.
    let launcher = (2..=count).any(|at| unsafe { *stack.add(at) }.is(Text::of(b".run/launch\0")));
    if !launcher {
        fail(b"there is no program /usr/bin/env\0", Text::of(b"\0"), 127);
    }
}

fn ends_with_env(path: Text) -> bool {
    let len = path.len();
    // SAFETY: three bytes before the end are in the text.
    len >= 3 && unsafe { path.from(len - 3) }.is(Text::of(b"env\0"))
}

fn read_orders() -> Orders {
    let path = ORDERS.as_ptr() as usize;
    // SAFETY: the path ends with a NUL.
    let file = unsafe { call(numbers::OPENAT, [AT_FDCWD, path, O_CLOEXEC, 0, 0, 0]) };
    if file < 0 {
        let why = b"there are no orders at /.run/orders: the worker has to make the input root `/`\0";
        fail(why, Text::of(b"\0"), 126);
    }
    // SAFETY: this call takes no pointer.
    let size = unsafe { call(numbers::LSEEK, [file as usize, 0, SEEK_END, 0, 0, 0]) };
    if size <= 0 {
        fail(b"the orders are empty\0", Text::of(b"\0"), 126);
    }
    let size = size as usize;
    Orders { texts: Text(map(size, MAP_PRIVATE, file as usize)), size }
}

/// Makes a folder, unless it is there.
fn make_folder(folder: Text) {
    // SAFETY: the path ends with a NUL.
    let made = unsafe { call(numbers::MKDIRAT, [AT_FDCWD, folder.0 as usize, 0o777, 0, 0, 0]) };
    if made < 0 && made != EEXIST {
        fail(b"the worker does not allow to make the folder \0", folder, 126);
    }
}

/// Starts the command in place of this program.
fn start(orders: &Orders) -> ! {
    let (arguments, variables) = (orders.list(b'a') as usize, orders.list(b'e') as usize);
    let mut complaint: &'static [u8] = b"there is no program \0";
    let mut code = 127;
    orders.each(b'p', |program| {
        let path = program.0 as usize;
        // SAFETY: the path ends with a NUL, and the lists end with a null pointer.
        match unsafe { call(numbers::EXECVE, [path, arguments, variables, 0, 0, 0]) } {
            ENOENT | ENOTDIR => {}
            E2BIG => (complaint, code) = (b"the command line is too long for \0", 126),
            EACCES => (complaint, code) = (b"the worker may not execute \0", 126),
            _ => (complaint, code) = (b"the worker can't execute \0", 126),
        }
    });
    // SAFETY: the list has the name of the program at least, or is empty and then begins with a null pointer.
    let name = unsafe { *(arguments as *const Text) };
    fail(complaint, if name.0.is_null() { Text::of(b"\0") } else { name }, code)
}

/// Says what is wrong, and exits.
fn fail(what: &'static [u8], name: Text, code: usize) -> ! {
    for text in [Text::of(b"run launcher: \0"), Text::of(what), name, Text::of(b"\n\0")] {
        // SAFETY: the text has as many bytes.
        unsafe { call(numbers::WRITE, [2, text.0 as usize, text.len(), 0, 0, 0]) };
    }
    loop {
        // SAFETY: this call takes no pointer. It does not return.
        unsafe { call(numbers::EXIT, [code, 0, 0, 0, 0, 0]) };
    }
}

/// Copies bytes. The compiler calls it.
///
/// # Safety
/// Both places have `count` bytes and don't overlap.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    for at in 0..count {
        // SAFETY: the caller says that both are there.
        unsafe { *to.add(at) = *from.add(at) };
    }
    to
}

/// Fills bytes. The compiler calls it.
///
/// # Safety
/// The place has `count` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, count: usize) -> *mut u8 {
    for at in 0..count {
        // SAFETY: the caller says that it is there.
        unsafe { *to.add(at) = byte as u8 };
    }
    to
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    fail(b"it failed by a bug of its own\0", Text::of(b"\0"), 126)
}
