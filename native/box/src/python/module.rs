//! The module `_tkbox`: its functions by name.

use crate::python::api::{Method, ModuleDefinition, Ref, api};
use crate::python::{audit, calls, checksum, draining, exceptions, logs, marks, threads};

/// The version of the stable interface that we keep to.
const STABLE: std::ffi::c_int = 3;

static METHODS: [Method; 29] = [
    Method::new(c"open", marks::open),
    Method::new(c"close", marks::close),
    Method::new(c"text", marks::text),
    Method::new(c"scenario", marks::scenario),
    Method::new(c"inherit", marks::inherit),
    Method::new(c"mark", marks::mark),
    Method::new(c"turn", marks::turn),
    Method::new(c"told", marks::told),
    Method::new(c"drops", marks::drops),
    Method::new(c"watch_logs", logs::watch),
    Method::new(c"watch_threads", threads::watch),
    Method::new(c"watch_audit", audit::watch),
    Method::new(c"choose_raised", exceptions::choose),
    Method::new(c"raised", exceptions::raised),
    Method::new(c"exception", exceptions::exception),
    Method::new(c"choose_calls", calls::choose),
    Method::new(c"call_started", calls::started),
    Method::new(c"call_resumed", calls::resumed),
    Method::new(c"call_ended", calls::ended),
    Method::new(c"call_unwound", calls::unwound),
    Method::new(c"hook_frames", calls::hook),
    Method::new(c"unhook_frames", calls::unhook),
    Method::new(c"drain_open", draining::open),
    Method::new(c"drain_pass", draining::pass),
    Method::new(c"drain_finish", draining::finish),
    Method::new(c"drain_close", draining::close),
    Method::new(c"drain_report", draining::report),
    Method::new(c"crc32", checksum::crc32),
    Method::END,
];

struct Definition(std::cell::UnsafeCell<ModuleDefinition>);

// SAFETY: written by the interpreter alone, under its lock.
unsafe impl Sync for Definition {}

static DEFINITION: Definition = Definition(std::cell::UnsafeCell::new(ModuleDefinition::new(c"_tkbox", &METHODS)));

/// What the interpreter calls when it imports the library as `_tkbox`. Null, with an error set where that can be done,
/// in anything that is no standard `CPython`.
#[unsafe(no_mangle)]
#[allow(non_snake_case)] // the interpreter's name for it
extern "C" fn PyInit__tkbox() -> Ref {
    api().map_or(std::ptr::null_mut(), |api| (api.create_module)(DEFINITION.0.get(), STABLE))
}
