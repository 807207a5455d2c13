//! What the environment tells a registry: where its rings are, how large they are, and to which scenario records belong
//! in a process, or in its threads, that are not told otherwise.

use std::collections::HashMap;
use std::env;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use crate::ancestry::inherited_scenario;
use crate::settings::Settings;

/// The folder of the rings of a run, for the processes of its tests.
pub const RINGS_VARIABLE: &str = "TRACEKIT_RINGS";
/// How many bytes a ring of calls has, where somebody asked for more or fewer.
pub const RING_VARIABLE: &str = "TRACEKIT_RING";
/// The scenario of a process that was started for it alone.
pub const SCENARIO_VARIABLE: &str = "TRACEKIT_SCENARIO";
/// A file with the scenarios of a process that runs several, each in a thread of its own: the thread's name, a tab and
/// the scenario, line by line.
pub const SCENARIOS_VARIABLE: &str = "TRACEKIT_SCENARIOS";

/// Larger is no list of tests.
const MOST: u64 = 64 << 20;
/// A room that somebody asked for is there for four threads, beside the part that is not for calls, and for a few processes.
const THREADS: u64 = 6;
const PROCESSES: u64 = 12;

/// A variable that says something.
fn said(name: &str) -> Option<Vec<u8>> {
    env::var_os(name).map(OsStringExt::into_vec).filter(|value| !value.is_empty())
}

/// The folder of the rings, if there is one.
pub(crate) fn folder() -> Option<PathBuf> {
    said(RINGS_VARIABLE).map(|value| PathBuf::from(std::ffi::OsString::from_vec(value)))
}

/// The usual sizes, or those that were asked for.
pub(crate) fn settings() -> Settings {
    let usual = Settings::default();
    let asked = said(RING_VARIABLE).and_then(|value| String::from_utf8(value).ok()?.parse::<u64>().ok());
    let Some(bytes) = asked.filter(|bytes| *bytes > 0) else { return usual };
    Settings {
        calls_bytes: bytes,
        process_bytes: usual.process_bytes.max(bytes.saturating_mul(THREADS)),
        run_bytes: usual.run_bytes.max(bytes.saturating_mul(PROCESSES)),
        ..usual
    }
}

/// The scenario of this process: that of whoever started it, where that one records too, else the one it was told.
pub(crate) fn scenario(rings: &Path) -> Option<Vec<u8>> {
    inherited_scenario(rings).or_else(|| said(SCENARIO_VARIABLE))
}

/// The scenarios of threads, by their names.
pub(crate) fn scenarios() -> HashMap<String, Vec<u8>> {
    let read = |path: Vec<u8>| {
        let path = PathBuf::from(std::ffi::OsString::from_vec(path));
        let size = fs::metadata(&path).ok()?.len();
        if size > MOST { None } else { fs::read(&path).ok() }
    };
    let list = said(SCENARIOS_VARIABLE).and_then(read).unwrap_or_default();
    list.split(|byte| *byte == b'\n')
        .filter_map(|line| {
            let tab = line.iter().position(|byte| *byte == b'\t')?;
            Some((String::from_utf8(line[..tab].to_vec()).ok()?, line[tab + 1..].to_vec()))
        })
        .collect()
}
