//! Logging: a method that stands before `logging.Logger.callHandlers`. It is no function of Python's, so that it is
//! seen in no traceback, and it never formats what could run code of the program.

use std::cell::UnsafeCell;
use std::ptr;

use tracer_backend::kinds;

use crate::python::api::{Api, Method, Name, Ref, api, kind_of};
use crate::python::state::{message, record, registry, text};

struct Original(UnsafeCell<Ref>);

// SAFETY: touched under the interpreter's lock only.
unsafe impl Sync for Original {}

static ORIGINAL: Original = Original(UnsafeCell::new(ptr::null_mut()));
static METHOD: Method = Method::new(c"callHandlers", handle);

static MESSAGE: Name = Name::new(c"message");
static WRITTEN: Name = Name::new(c"msg");
static ARGS: Name = Name::new(c"args");
static LEVEL: Name = Name::new(c"levelno");
static LOGGER: Name = Name::new(c"name");
static FILE: Name = Name::new(c"pathname");
static LINE: Name = Name::new(c"lineno");

fn original() -> Ref {
    // SAFETY: set once, under the interpreter's lock, before the method can be called.
    unsafe { *ORIGINAL.0.get() }
}

/// `watch_logs(original)`: what to put in its place.
pub(crate) extern "C" fn watch(_: Ref, arguments: *const Ref, count: isize) -> Ref {
    let Some(api) = api() else { return ptr::null_mut() };
    let Some(given) = api.arguments(arguments, count).first() else {
        return api.fail(api.value_error, "there is nothing to stand before");
    };
    if !original().is_null() {
        return api.fail(api.value_error, "logs are watched already");
    }
    (api.take)(*given);
    // SAFETY: under the interpreter's lock.
    unsafe { *ORIGINAL.0.get() = *given };
    (api.new_method)(api.object_type, &raw const METHOD)
}

extern "C" fn handle(logger: Ref, arguments: *const Ref, count: isize) -> Ref {
    let Some(api) = api() else { return ptr::null_mut() };
    let given = api.arguments(arguments, count);
    let told = match (registry(), given.first()) {
        (Some(_), Some(line)) => tell(api, *line, false),
        _ => true,
    };
    let mut passed = vec![logger];
    passed.extend_from_slice(given);
    let done = api.call(original(), &passed);
    if let (false, false, Some(line)) = (told, done.is_null(), given.first()) {
        tell(api, *line, true);
    }
    done
}

/// Records a line; false when its text is not to be had without running what the program put into it. Behind the
/// handlers it is there if one of them made it, else the line is told as it was written.
fn tell(api: &Api, line: Ref, behind: bool) -> bool {
    let Some(registry) = registry() else { return true };
    let words = match safe_words(api, line) {
        Some(words) => words,
        None if !behind => return false,
        None => Some(api.text_of(line, &MESSAGE))
            .filter(|made| !made.is_empty())
            .unwrap_or_else(|| api.text_of(line, &WRITTEN)),
    };
    let level = match api.number_of(line, &LEVEL) {
        50.. => 6,
        40.. => 5,
        30.. => 4,
        20.. => 3,
        10.. => 2,
        _ => 1,
    };
    let name = text(registry, &api.text_of(line, &LOGGER));
    let (file, at) = (api.text_of(line, &FILE), api.number_of(line, &LINE));
    let arg = message(registry, &words, &file, at);
    record(kinds::LOG, level, name, arg);
    true
}

/// The text of a line whose parts are built-in values.
fn safe_words(api: &Api, line: Ref) -> Option<Vec<u8>> {
    let written = api.get(line, &WRITTEN)?;
    let given = api.get(line, &ARGS);
    let words = match given {
        _ if kind_of(written) != api.text_type => None,
        None => api.bytes(written),
        Some(given) if given == api.none => api.bytes(written),
        Some(given) if kind_of(given) == api.tuple_type => {
            let items = api.items(given).unwrap_or_default();
            if items.is_empty() {
                api.bytes(written)
            } else if items.iter().all(|item| plain(api, *item)) {
                let made = (api.format_text)(written, given);
                if made.is_null() {
                    (api.clear_error)();
                    None
                } else {
                    let words = api.bytes(made);
                    (api.drop)(made);
                    words
                }
            } else {
                None
            }
        }
        Some(_) => None,
    };
    (api.drop)(written);
    if let Some(given) = given {
        (api.drop)(given);
    }
    words
}

fn plain(api: &Api, value: Ref) -> bool {
    let kind = kind_of(value);
    value == api.none
        || [api.text_type, api.number_type, api.float_type, api.truth_type, api.bytes_type].contains(&kind)
}
