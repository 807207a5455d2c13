//! `libtracekit_box.so`: what runs inside test processes and agents, in any `CPython` from 3.9 that is a standard build.
//! A plain C ABI and the start of one module are exported, and nothing else (`exports.txt` lists them). It must never
//! unwind, block or print, and it never runs code of the program that it records.

mod python;

use std::ffi::c_char;

use tracer_backend::clock;
pub use tracer_backend::clock::{Clock, TSC_TRUSTED};

/// Raised whenever a function or a structure of the C ABI changes its meaning.
pub const ABI_VERSION: u32 = 1;

const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");

/// The version of the C ABI. A caller that was made for another one must not call anything else.
#[unsafe(no_mangle)]
pub extern "C" fn tracekit_box_abi() -> u32 {
    ABI_VERSION
}

/// The version of the library as a NUL-terminated string that lives as long as the library.
#[unsafe(no_mangle)]
pub extern "C" fn tracekit_box_version() -> *const c_char {
    VERSION.as_ptr().cast()
}

/// Nanoseconds of the clock that never goes back.
#[unsafe(no_mangle)]
pub extern "C" fn tracekit_box_monotonic_ns() -> u64 {
    clock::monotonic_ns()
}

/// Nanoseconds since 1970, of the clock that people read and administrators set.
#[unsafe(no_mangle)]
pub extern "C" fn tracekit_box_realtime_ns() -> u64 {
    clock::realtime_ns()
}

/// The processor's time stamp counter, 0 on a processor that has none.
#[unsafe(no_mangle)]
pub extern "C" fn tracekit_box_tsc() -> u64 {
    clock::tsc()
}

/// 1 where the kernel itself keeps time by the time stamp counter, else 0. Reads files: ask once.
#[unsafe(no_mangle)]
pub extern "C" fn tracekit_box_tsc_trusted() -> i32 {
    i32::from(clock::tsc_trusted())
}

/// Fills `out` with one reading of all clocks, taken as close together as the machine allows.
/// Returns 0, or -1 when `out` is null.
///
/// # Safety
/// `out` is null or points to writable memory of the size of `Clock`, aligned for it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tracekit_box_clock(out: *mut Clock) -> i32 {
    if out.is_null() {
        return -1;
    }
    // SAFETY: not null, and the caller promises size and alignment.
    unsafe { out.write(Clock::read()) };
    0
}
