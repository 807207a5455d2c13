//! Audit events that reach outside the process: connections, programs, databases, files opened for writing. The
//! interpreter calls this for each of its events, most of which end after one look at a letter; none is ever refused.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::OnceLock;

use tracer_backend::kinds;

use crate::python::api::{Api, Ref, api};
use crate::python::state::{record, registry, text};

/// Files below these are ours, or nobody's interest.
static LEFT_OUT: OnceLock<Vec<Vec<u8>>> = OnceLock::new();

/// `watch_audit(prefixes)`: files that begin so are not told. Once it is watched, it is for good.
pub(crate) extern "C" fn watch(_: Ref, arguments: *const Ref, count: isize) -> Ref {
    let Some(api) = api() else { return std::ptr::null_mut() };
    let given = api.arguments(arguments, count).first().and_then(|list| api.items(*list)).unwrap_or_default();
    let prefixes = given.into_iter().filter_map(|item| api.bytes(item)).filter(|text| !text.is_empty()).collect();
    if LEFT_OUT.set(prefixes).is_err() {
        return api.nothing();
    }
    if (api.add_audit_hook)(hook, std::ptr::null_mut()) == 0 {
        return api.nothing();
    }
    (api.clear_error)();
    api.fail(api.os_error, "another audit hook does not allow one more")
}

extern "C" fn hook(event: *const c_char, arguments: Ref, _: *mut c_void) -> c_int {
    // SAFETY: the interpreter's names of events end with a zero.
    let name = unsafe { CStr::from_ptr(event) }.to_bytes();
    if wanted(name)
        && !arguments.is_null()
        && let (Some(api), Some(registry)) = (api(), registry())
        && registry.process_scenario() != 0
        && let Some(words) = words(api, name, arguments)
    {
        let id = text(registry, name);
        let arg = text(registry, &words);
        record(kinds::AUDIT, 0, id, arg);
    }
    0
}

fn wanted(name: &[u8]) -> bool {
    match name.first() {
        Some(b'o') => matches!(name, b"open" | b"os.system" | b"os.exec" | b"os.posix_spawn"),
        Some(b's') => matches!(
            name,
            b"socket.connect" | b"socket.bind" | b"socket.getaddrinfo" | b"subprocess.Popen" | b"sqlite3.connect"
        ),
        _ => false,
    }
}

fn words(api: &Api, name: &[u8], arguments: Ref) -> Option<Vec<u8>> {
    let given = api.items(arguments)?;
    let mut out = Vec::new();
    match name {
        b"open" => {
            let path = api.bytes(*given.first()?)?;
            let flags = c_int::try_from(api.number_in(&given, 2)).unwrap_or(0);
            let ours = || LEFT_OUT.get().is_some_and(|all| all.iter().any(|one| path.starts_with(one)));
            let compiled = || path.windows(12).any(|part| part == b"/__pycache__");
            if flags & libc::O_ACCMODE == libc::O_RDONLY || ours() || compiled() {
                return None;
            }
            out = path;
        }
        // Behind the socket, or the program's own path: the address, the words of the command.
        b"socket.connect" | b"socket.bind" | b"subprocess.Popen" | b"os.exec" | b"os.posix_spawn" => {
            api.brief(*given.get(1)?, 0, &mut out);
        }
        b"socket.getaddrinfo" => {
            api.brief(*given.first()?, 0, &mut out);
            out.push(b' ');
            api.brief(*given.get(1)?, 0, &mut out);
        }
        _ => api.brief(*given.first()?, 0, &mut out),
    }
    Some(out)
}
