//! The drain of a run, for the agent that owns it: opened for two folders, looked after a few times a second.

use std::ffi::OsStr;
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tracer_backend::clock::monotonic_ns;
use tracer_backend::drain::{Drain, Limits, Passed};
use tracer_backend::secrets::Secrets;
use tracer_backend::verify::verify;
use tracer_backend::{Problem, Result};

use crate::python::api::{Api, Ref, api};

static DRAINS: Mutex<Vec<Option<Drain>>> = Mutex::new(Vec::new());

fn drains() -> MutexGuard<'static, Vec<Option<Drain>>> {
    DRAINS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// `drain_open(rings, folder, trace_bytes, forms)`: its number. `forms` are pairs: what must not be written, its mark.
pub(crate) extern "C" fn open(_: Ref, arguments: *const Ref, count: isize) -> Ref {
    let Some(api) = api() else { return std::ptr::null_mut() };
    let given = api.arguments(arguments, count);
    let (rings, folder) = (api.text_in(given, 0), api.text_in(given, 1));
    let usual = Limits::default();
    let trace_bytes = Some(api.number_in(given, 2)).filter(|bytes| *bytes > 0).unwrap_or(usual.trace_bytes);
    let pairs = given.get(3).and_then(|list| api.items(*list)).unwrap_or_default();
    let pair = |pair: &Ref| {
        let items = api.items(*pair)?;
        Some((api.bytes(*items.first()?)?, api.bytes(*items.get(1)?)?))
    };
    let secrets = Secrets::new(pairs.iter().filter_map(pair).collect());
    match Drain::open(path(&rings), path(&folder), Limits { trace_bytes, secrets, ..usual }) {
        Ok(drain) => {
            let mut drains = drains();
            let free = drains.iter().position(Option::is_none).unwrap_or_else(|| {
                drains.push(None);
                drains.len() - 1
            });
            drains[free] = Some(drain);
            (api.new_number)(free as u64)
        }
        Err(problem) => api.fail(api.os_error, &problem.to_string()),
    }
}

fn with(arguments: *const Ref, count: isize, work: impl FnOnce(&mut Drain, bool) -> Result<Passed>) -> Ref {
    let Some(api) = api() else { return std::ptr::null_mut() };
    let given = api.arguments(arguments, count);
    let at = usize::try_from(api.number_in(given, 0)).unwrap_or(usize::MAX);
    let mut drains = drains();
    let Some(drain) = drains.get_mut(at).and_then(Option::as_mut) else {
        return api.fail(api.value_error, "no drain of that number is open");
    };
    match work(drain, api.number_in(given, 1) != 0) {
        Ok(passed) => answer(api, passed, drain),
        Err(problem) => api.fail(api.os_error, &problem.to_string()),
    }
}

/// A list: taken, lost, processes that can still write, bytes of the trace, then what was strange, in words.
fn answer(api: &Api, passed: Passed, drain: &mut Drain) -> Ref {
    let list = (api.new_list)(0);
    let add = |item: Ref| {
        if !item.is_null() {
            (api.append)(list, item);
            (api.drop)(item);
        }
    };
    for number in [passed.taken, passed.lost, passed.alive as u64, drain.bytes()] {
        add((api.new_number)(number));
    }
    drain.faults().iter().for_each(|fault| add(api.say(fault)));
    list
}

/// `drain_pass(number, watched)`: one look at every ring.
pub(crate) extern "C" fn pass(_: Ref, arguments: *const Ref, count: isize) -> Ref {
    with(arguments, count, |drain, watched| drain.pass(monotonic_ns(), watched))
}

/// `drain_finish(number)`: everything that is in the rings, written and on the disk.
pub(crate) extern "C" fn finish(_: Ref, arguments: *const Ref, count: isize) -> Ref {
    with(arguments, count, |drain, _| drain.finish())
}

/// `drain_close(number)`: it is not needed any more.
pub(crate) extern "C" fn close(_: Ref, arguments: *const Ref, count: isize) -> Ref {
    let Some(api) = api() else { return std::ptr::null_mut() };
    let at = usize::try_from(api.number_in(api.arguments(arguments, count), 0)).unwrap_or(usize::MAX);
    let closed = drains().get_mut(at).and_then(Option::take);
    drop(closed);
    api.nothing()
}

/// `drain_report(folder)`: what became of each lane of a trace, a line each: pid, tid, kind, records, lost, end, then
/// the name of the thread; behind each lane a line `lost COUNT WHY` for every reason, and faults as `fault WORDS`.
pub(crate) extern "C" fn report(_: Ref, arguments: *const Ref, count: isize) -> Ref {
    let Some(api) = api() else { return std::ptr::null_mut() };
    match told(path(&api.text_in(api.arguments(arguments, count), 0))) {
        Ok(text) => api.say(&text),
        Err(problem) => api.fail(api.os_error, &problem.to_string()),
    }
}

fn told(folder: &Path) -> std::result::Result<String, Problem> {
    let report = verify(folder)?;
    let one_line = |text: &str| text.replace(['\n', '\t'], " ");
    let mut out = String::new();
    for lane in report.lanes.values() {
        let lost: u64 = lane.lost.values().sum();
        let end = lane.end.as_deref().unwrap_or("");
        let (pid, tid, kind, records, name) = (lane.pid, lane.tid, &lane.kind, lane.records, one_line(&lane.name));
        let _ = writeln!(out, "lane\t{pid}\t{tid}\t{kind}\t{records}\t{lost}\t{end}\t{name}");
        for (why, count) in &lane.lost {
            let _ = writeln!(out, "lost\t{count}\t{}", one_line(why));
        }
    }
    for fault in &report.faults {
        let _ = writeln!(out, "fault\t{}", one_line(fault));
    }
    Ok(out)
}
