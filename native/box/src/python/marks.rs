//! What the probe says itself: where scenarios begin and end, steps, and whatever it knows before anybody else does.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use tracer_backend::{Kind, Record, Registry, Settings, inherited_scenario, kinds};

use crate::python::api::{Api, Ref, api};
use crate::python::state::{is_call, keep, message, record, registry, text as number};

fn small(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// `open(rings, calls, calls_bytes, durable_bytes, process_bytes, run_bytes)`: 0 keeps what is usual.
pub(crate) extern "C" fn open(_: Ref, arguments: *const Ref, count: isize) -> Ref {
    let Some(api) = api() else { return std::ptr::null_mut() };
    let given = api.arguments(arguments, count);
    let rings = api.text_in(given, 0);
    if registry().is_some() || rings.is_empty() {
        return api.fail(api.value_error, "the recorder is open, or there is no folder for it");
    }
    let usual = Settings::default();
    let or = |at: usize, usual: u64| Some(api.number_in(given, at)).filter(|bytes| *bytes > 0).unwrap_or(usual);
    let settings = Settings {
        calls: api.number_in(given, 1) != 0,
        calls_bytes: or(2, usual.calls_bytes),
        durable_bytes: or(3, usual.durable_bytes),
        process_bytes: or(4, usual.process_bytes),
        run_bytes: or(5, usual.run_bytes),
    };
    let rings = Path::new(std::ffi::OsStr::from_bytes(&rings));
    match Registry::in_folder(rings, settings) {
        Ok(made) => {
            keep(made);
            api.nothing()
        }
        Err(problem) => api.fail(api.os_error, &problem.to_string()),
    }
}

/// `close()`: nothing is recorded from here on.
pub(crate) extern "C" fn close(_: Ref, _: *const Ref, _: isize) -> Ref {
    if let Some(registry) = registry() {
        registry.close();
    }
    api().map_or(std::ptr::null_mut(), Api::nothing)
}

/// `text(words)`: its number.
pub(crate) extern "C" fn text(_: Ref, arguments: *const Ref, count: isize) -> Ref {
    let Some(api) = api() else { return std::ptr::null_mut() };
    let words = api.text_in(api.arguments(arguments, count), 0);
    let found = registry().map_or(0, |registry| number(registry, &words));
    (api.new_number)(found.into())
}

/// `scenario(id, attempt)`: what follows in this process belongs to it; `scenario(id, verdict, True)`: no longer.
pub(crate) extern "C" fn scenario(_: Ref, arguments: *const Ref, count: isize) -> Ref {
    let Some(api) = api() else { return std::ptr::null_mut() };
    let given = api.arguments(arguments, count);
    let Some(registry) = registry() else { return api.nothing() };
    let (name, detail) = (small(api.number_in(given, 0)), small(api.number_in(given, 1)));
    let ends = api.number_in(given, 2) != 0;
    let kind = if ends { kinds::SCENARIO_END } else { kinds::SCENARIO_START };
    if !ends {
        registry.set_process_scenario(name);
    }
    let mark = Record { kind: kind.0, scenario: name, id: name, arg: detail, ..Record::default() };
    drop(registry.record(kind.home(), mark));
    if ends {
        registry.set_process_scenario(0);
    }
    api.nothing()
}

/// `inherit(rings)`: this process was started, not forked; it is in the scenario of whoever started it. Its number.
pub(crate) extern "C" fn inherit(_: Ref, arguments: *const Ref, count: isize) -> Ref {
    let Some(api) = api() else { return std::ptr::null_mut() };
    let rings = api.text_in(api.arguments(arguments, count), 0);
    let rings = Path::new(std::ffi::OsStr::from_bytes(&rings));
    let found = registry().and_then(|registry| {
        let name = number(registry, &inherited_scenario(rings)?);
        registry.set_process_scenario(name);
        Some(name)
    });
    (api.new_number)(found.unwrap_or(0).into())
}

/// `mark(kind, id, arg, flags)`: a record of numbers.
pub(crate) extern "C" fn mark(_: Ref, arguments: *const Ref, count: isize) -> Ref {
    let Some(api) = api() else { return std::ptr::null_mut() };
    let given = api.arguments(arguments, count);
    let at = |at| api.number_in(given, at);
    let kind = Kind(u8::try_from(at(0)).unwrap_or(0));
    if !is_call(kind) {
        record(kind, u8::try_from(at(3)).unwrap_or(0), small(at(1)), small(at(2)));
    }
    api.nothing()
}

/// `turn(ended, verdict, next)`: one step is over, and, unless it is 0, the next one begins under its own name as its kind.
pub(crate) extern "C" fn turn(_: Ref, arguments: *const Ref, count: isize) -> Ref {
    let Some(api) = api() else { return std::ptr::null_mut() };
    let given = api.arguments(arguments, count);
    let [ended, verdict, next] = [0, 1, 2].map(|at| small(api.number_in(given, at)));
    if ended != 0 {
        record(kinds::STEP_END, 0, ended, verdict);
    }
    if next != 0 {
        record(kinds::STEP_START, 0, next, next);
    }
    api.nothing()
}

/// `told(kind, name, message, file, line, level)`: a record of texts.
pub(crate) extern "C" fn told(_: Ref, arguments: *const Ref, count: isize) -> Ref {
    let Some(api) = api() else { return std::ptr::null_mut() };
    let given = api.arguments(arguments, count);
    if let Some(registry) = registry() {
        let kind = Kind(u8::try_from(api.number_in(given, 0)).unwrap_or(0));
        let id = number(registry, &api.text_in(given, 1));
        let arg = message(registry, &api.text_in(given, 2), &api.text_in(given, 3), api.number_in(given, 4));
        record(kind, u8::try_from(api.number_in(given, 5)).unwrap_or(0) & 7, id, arg);
    }
    api.nothing()
}

/// `drops()`: how many records could not be made, for whatever reason.
pub(crate) extern "C" fn drops(_: Ref, _: *const Ref, _: isize) -> Ref {
    let Some(api) = api() else { return std::ptr::null_mut() };
    (api.new_number)(registry().map_or(0, |registry| registry.drops().iter().sum()))
}
