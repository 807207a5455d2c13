//! What Python calls its threads: Rust knows only those that it started itself.

use std::cell::UnsafeCell;
use std::ptr;

use tracer_backend::name_threads_by;

use crate::python::api::{Api, Ref, api, kind_of, optional};

/// The interpreter's own table of its threads by their numbers, and what a thread keeps its name under.
struct Known(UnsafeCell<(Ref, Ref)>);

// SAFETY: written once, and read, under the interpreter's lock only.
unsafe impl Sync for Known {}

static KNOWN: Known = Known(UnsafeCell::new((ptr::null_mut(), ptr::null_mut())));

/// `watch_threads(table)`: the dictionary from numbers to threads.
pub(crate) extern "C" fn watch(_: Ref, arguments: *const Ref, count: isize) -> Ref {
    let Some(api) = api() else { return ptr::null_mut() };
    let Some(table) = api.arguments(arguments, count).first() else {
        return api.fail(api.value_error, "there is no table of threads");
    };
    let under = api.say("_name");
    if under.is_null() {
        return under;
    }
    (api.take)(*table);
    // SAFETY: under the interpreter's lock. What stood there before is kept alive: a thread may be asking for it.
    unsafe { *KNOWN.0.get() = (*table, under) };
    name_threads_by(name);
    api.nothing()
}

/// The name of the calling thread, found without running code of the program.
fn name() -> Option<String> {
    let api = api()?;
    // SAFETY: whoever records through this library holds the interpreter's lock.
    let (table, under) = unsafe { *KNOWN.0.get() };
    // An exception that is on its way must stay the one that it is.
    if table.is_null() || !(api.error_now)().is_null() {
        return None;
    }
    let number = (api.new_number)((api.this_thread)());
    if number.is_null() {
        (api.clear_error)();
        return None;
    }
    let thread = (api.item_of)(table, number);
    (api.drop)(number);
    if thread.is_null() {
        return None;
    }
    if has_own_way(api, thread, under) {
        return None;
    }
    let found = (api.plain_attribute)(thread, under);
    if found.is_null() {
        (api.clear_error)();
        return None;
    }
    let bytes = api.bytes(found).unwrap_or_default();
    (api.drop)(found);
    String::from_utf8(bytes).ok().filter(|name| !name.is_empty())
}

/// Whether the type of a thread answers for its name itself, as a property does: that would be code of the program.
fn has_own_way(api: &Api, thread: Ref, under: Ref) -> bool {
    let Some(lookup) = optional(c"_PyType_Lookup") else { return true };
    // SAFETY: the function of that name has this signature in every interpreter from 3.9 on; what it finds is borrowed.
    let lookup = unsafe { std::mem::transmute::<*mut std::ffi::c_void, extern "C" fn(Ref, Ref) -> Ref>(lookup) };
    let found = lookup(kind_of(thread), under);
    !found.is_null() && kind_of(found) != api.text_type
}
