//! Exceptions: told where they are raised (`sys.monitoring`, from 3.12 on), or by the probe at a report.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tracer_backend::kinds;

use crate::python::api::{Api, Ref, api, kind_of, name_of_kind};
use crate::python::state::{message, record, registry, text};

/// Raised somewhere: it may well be handled.
const INFO: u8 = 3;
/// It ended what was running.
const ERROR: u8 = 5;

/// The exception that was told last: it is on its way through frames. Only compared, never followed.
static LAST: AtomicUsize = AtomicUsize::new(0);

/// The callback of `RAISE`: `raised(code, offset, exception)`.
pub(crate) extern "C" fn raised(_: Ref, arguments: *const Ref, count: isize) -> Ref {
    let Some(api) = api() else { return std::ptr::null_mut() };
    if let ([code, offset, exception], Some(registry)) = (api.arguments(arguments, count), registry())
        && registry.process_scenario() != 0
    {
        tell(api, *code, *offset, *exception);
    }
    api.nothing()
}

fn tell(api: &Api, code: Ref, offset: Ref, exception: Ref) {
    let kind = kind_of(exception);
    if [api.stop_iteration, api.stop_async_iteration, api.generator_exit].contains(&kind) {
        return;
    }
    // It comes by once for each frame on its way; where it began its traceback has one entry.
    let address = exception as usize;
    if LAST.swap(address, Relaxed) == address && !is_new(api, exception) {
        return;
    }
    let Some(registry) = registry() else { return };
    let offset = std::ffi::c_int::try_from(api.number_in(&[offset], 0)).unwrap_or(0);
    let line = u64::try_from((api.line_of)(code, offset)).unwrap_or(0);
    let name = text(registry, name_of_kind(kind));
    let mut words = Vec::new();
    if let Some(arguments) = api.get(exception, c"args") {
        api.brief(arguments, 0, &mut words);
        (api.drop)(arguments);
    }
    let arg = message(registry, &words, &api.text_of(code, c"co_filename"), line);
    record(kinds::EXCEPTION, INFO, name, arg);
}

/// Whether an exception at an address that was seen before was raised only now.
fn is_new(api: &Api, exception: Ref) -> bool {
    let Some(trace) = api.get(exception, c"__traceback__") else { return false };
    let new = trace == api.none || {
        let next = api.get(trace, c"tb_next");
        let first = next.is_some_and(|next| next == api.none);
        if let Some(next) = next {
            (api.drop)(next);
        }
        first
    };
    (api.drop)(trace);
    new
}

/// `exception(type, message, file, line)`: what the probe learned from a report.
pub(crate) extern "C" fn exception(_: Ref, arguments: *const Ref, count: isize) -> Ref {
    let Some(api) = api() else { return std::ptr::null_mut() };
    let given = api.arguments(arguments, count);
    if let Some(registry) = registry() {
        let name = text(registry, &api.text_in(given, 0));
        let arg = message(registry, &api.text_in(given, 1), &api.text_in(given, 2), api.number_in(given, 3));
        record(kinds::EXCEPTION, ERROR, name, arg);
    }
    api.nothing()
}
