//! Python's face of traces: a view with its rows, whether a trace is whole, and what rings still hold.

use std::path::{Path, PathBuf};

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use query_engine::{JournalView, Told, View, Within};
use tracer_backend::drain::{Drain, Limits};
use tracer_backend::secrets::Secrets;
use tracer_backend::verify::verify;
use tracer_backend::{Problem, Result};

use crate::text::Safe;

fn fault(problem: &Problem) -> PyErr {
    PyOSError::new_err(problem.to_string())
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// No bar of a timeline is longer than that.
const FOLDED_COLUMNS: usize = 256;

/// Number, process, thread, name and kind.
type LaneRow = (u32, u64, u64, String, String);
type FoldedCall = (u32, u16, u64, u64, Safe, u64, bool, bool);
type FoldedMoment = (u32, u64, u8, String, Safe, u64);

/// One event in words, as it was recorded: nothing of it may be shown before it is made safe.
#[pyclass(frozen, get_all, module = "tracekit._native")]
pub(crate) struct Event {
    time: u64,
    duration: Option<u64>,
    kind: String,
    level: &'static str,
    depth: u16,
    lane: u32,
    pid: u64,
    tid: u64,
    thread: String,
    scenario: String,
    name: String,
    text: String,
    value: Option<u64>,
    file: String,
    line: u64,
    sequence: u64,
}

impl From<Told> for Event {
    fn from(told: Told) -> Self {
        Self {
            time: told.time,
            duration: told.duration,
            kind: told.kind,
            level: told.level,
            depth: told.depth,
            lane: told.lane,
            pid: told.pid,
            tid: told.tid,
            thread: lossy(&told.thread),
            scenario: lossy(&told.scenario),
            name: lossy(&told.name),
            text: lossy(&told.text),
            value: told.value,
            file: lossy(&told.file),
            line: told.line,
            sequence: told.sequence,
        }
    }
}

/// A file as its project names it.
fn below<'a>(file: &'a [u8], root: Option<&[u8]>) -> &'a [u8] {
    let inside = root.filter(|root| !root.is_empty()).and_then(|root| file.strip_prefix(root));
    inside.and_then(|rest| rest.strip_prefix(b"/")).unwrap_or(file)
}

/// What a window looks into.
enum Source {
    Trace(Box<View>),
    Journal(Box<JournalView>),
}

impl Source {
    fn poll(&mut self, most: usize) -> Result<u64> {
        match self {
            Self::Trace(view) => view.poll(most),
            Self::Journal(view) => view.poll(most),
        }
    }

    fn rows(&mut self, start: u64, count: usize) -> Result<Vec<Told>> {
        match self {
            Self::Trace(view) => view.rows(start, count),
            Self::Journal(view) => view.rows(start, count),
        }
    }

    fn count(&self) -> u64 {
        match self {
            Self::Trace(view) => view.count_passing(),
            Self::Journal(view) => view.count_passing(),
        }
    }

    fn total(&self) -> u64 {
        match self {
            Self::Trace(view) => view.total(),
            Self::Journal(view) => view.total(),
        }
    }

    fn is_behind(&self) -> bool {
        match self {
            Self::Trace(view) => view.is_behind(),
            Self::Journal(view) => view.is_behind(),
        }
    }

    fn times(&self) -> Option<(u64, u64)> {
        match self {
            Self::Trace(view) => view.times(),
            Self::Journal(view) => view.times(),
        }
    }
}

/// A row as a screen shows it: time, duration, kind, level, depth, lane, and safe text of name, message and place.
type Shown = (u64, Option<u64>, String, &'static str, u16, u32, Safe, Safe, Safe);

/// A window into the trace of a box's folder, or into its journal alone; either may still grow.
#[pyclass(module = "tracekit._native")]
pub(crate) struct TraceView {
    source: Source,
}

#[pymethods]
impl TraceView {
    #[new]
    #[allow(clippy::needless_pass_by_value)] // how a path comes out of Python
    #[pyo3(signature = (folder, journal = false, most = None))]
    fn new(py: Python<'_>, folder: PathBuf, journal: bool, most: Option<usize>) -> PyResult<Self> {
        let open = || {
            if !journal {
                return View::open(&folder).map(|view| Source::Trace(Box::new(view)));
            }
            let mut view = JournalView::new(&folder.join("journal.ndjson"));
            view.poll(most.unwrap_or(usize::MAX))?;
            Ok(Source::Journal(Box::new(view)))
        };
        Ok(Self { source: py.detach(open).map_err(|problem| fault(&problem))? })
    }

    /// Looks through a filter; `ValueError` with a caret where it cannot be understood. `failures`, `env` and `run` are
    /// what a filter may ask and no row knows; relative times count from `begin`, else from the first row. Only rows of
    /// these `scenarios` are held against it, between `since` and `until`. At most so many blocks, or pieces of a
    /// journal, are read at once.
    #[allow(clippy::too_many_arguments, clippy::needless_pass_by_value)] // named ones, as they come out of Python
    #[pyo3(signature = (
        text, failures = Vec::new(), env = String::new(), run = String::new(), *, begin = 0,
        scenarios = Vec::new(), since = None, until = None, most = None
    ))]
    fn filter(
        &mut self,
        py: Python<'_>,
        text: &str,
        failures: Vec<u64>,
        env: String,
        run: String,
        begin: u64,
        scenarios: Vec<Vec<u8>>,
        since: Option<u64>,
        until: Option<u64>,
        most: Option<usize>,
    ) -> PyResult<()> {
        let context = tracekit_filter::Context { begin, failures, env, run };
        let within = Within { scenarios: scenarios.iter().map(|id| lossy(id)).collect(), since, until };
        let most = most.unwrap_or(usize::MAX);
        let source = &mut self.source;
        let done = py.detach(|| match source {
            Source::Trace(view) => {
                view.set_context(context);
                view.set_filter(text, &within, most)
            }
            Source::Journal(view) => {
                view.set_context(context);
                view.set_filter(text, &within, most)
            }
        });
        let done = done.map_err(|problem| fault(&problem))?;
        done.map_err(|wrong| PyValueError::new_err(wrong.to_string()))
    }

    /// Looks for what came since, in at most so many blocks or pieces; how many rows that pass are new.
    #[pyo3(signature = (most = None))]
    fn poll(&mut self, py: Python<'_>, most: Option<usize>) -> PyResult<u64> {
        let source = &mut self.source;
        py.detach(|| source.poll(most.unwrap_or(usize::MAX))).map_err(|problem| fault(&problem))
    }

    fn __len__(&self) -> usize {
        usize::try_from(self.source.count()).unwrap_or(usize::MAX)
    }

    /// Rows that pass, from one on, as many as there are and are wanted.
    fn rows(&mut self, py: Python<'_>, start: u64, count: usize) -> PyResult<Vec<Event>> {
        let source = &mut self.source;
        let rows = py.detach(|| source.rows(start, count)).map_err(|problem| fault(&problem))?;
        Ok(rows.into_iter().map(Event::from).collect())
    }

    /// The same rows as a screen shows them: time, duration, kind, level, depth, lane, and safe text of name, message and
    /// place, each of so many columns at most. Places below `root` are told from there.
    #[pyo3(signature = (start, count, columns, root = None))]
    fn shown(
        &mut self,
        py: Python<'_>,
        start: u64,
        count: usize,
        columns: usize,
        root: Option<&[u8]>,
    ) -> PyResult<Vec<Shown>> {
        let source = &mut self.source;
        let rows = py.detach(|| source.rows(start, count)).map_err(|problem| fault(&problem))?;
        let safe = |bytes: &[u8]| Safe::of(bytes, columns);
        // A number is said where there is no text to say.
        let said = |row: &Told| match row.value {
            Some(value) if row.text.is_empty() => safe(value.to_string().as_bytes()),
            _ => safe(&row.text),
        };
        Ok(rows
            .into_iter()
            .map(|row| {
                let place = if row.file.is_empty() {
                    Vec::new()
                } else {
                    [below(&row.file, root), format!(":{}", row.line).as_bytes()].concat()
                };
                let said = said(&row);
                (row.time, row.duration, row.kind, row.level, row.depth, row.lane, safe(&row.name), said, safe(&place))
            })
            .collect())
    }

    /// How many rows of each kind pass.
    fn kinds(&mut self, py: Python<'_>) -> PyResult<Vec<(String, u64)>> {
        let source = &mut self.source;
        let counted = py.detach(|| match source {
            Source::Trace(view) => view.kinds(),
            Source::Journal(view) => {
                let mut counts = std::collections::BTreeMap::new();
                for row in view.rows(0, usize::MAX)? {
                    *counts.entry(row.kind).or_default() += 1;
                }
                Ok(counts.into_iter().collect())
            }
        });
        counted.map_err(|problem| fault(&problem))
    }

    /// The calls and moments that pass, in nanoseconds `since` to `until`, folded to so many columns and no deeper than
    /// `deepest`. A call: lane, depth, from, to, safe name, how many, whether one broke, whether it is open. A moment:
    /// lane, when, how bad, kind, safe words, how many. And how many rows were looked at.
    fn folded(
        &mut self,
        py: Python<'_>,
        since: u64,
        until: u64,
        columns: u64,
        deepest: u16,
    ) -> PyResult<(Vec<FoldedCall>, Vec<FoldedMoment>, u64)> {
        let Source::Trace(view) = &mut self.source else { return Ok((Vec::new(), Vec::new(), 0)) };
        let folded = py.detach(|| view.folded(since..until, columns, deepest)).map_err(|problem| fault(&problem))?;
        let safe = |bytes: &[u8]| Safe::of(bytes, FOLDED_COLUMNS);
        let mut told = |row| view.told(row).map_err(|problem| fault(&problem));
        let mut calls = Vec::with_capacity(folded.calls.len());
        for call in &folded.calls {
            let (lane, (from, to)) = (call.row.lane, call.time);
            let name = safe(&told(&call.row)?.name);
            calls.push((lane, call.depth, from, to, name, call.count, call.broke, call.open));
        }
        let mut moments = Vec::with_capacity(folded.moments.len());
        for moment in &folded.moments {
            let told = told(&moment.row)?;
            let words = if told.text.is_empty() { &told.name } else { &told.text };
            moments.push((told.lane, told.time, moment.rank, told.kind.clone(), safe(words), moment.count));
        }
        Ok((calls, moments, folded.rows))
    }

    /// Each lane: its number, process, thread, name and kind.
    fn lanes(&self) -> PyResult<Vec<LaneRow>> {
        let Source::Trace(view) = &self.source else { return Ok(Vec::new()) };
        let lanes = view.lanes().map_err(|problem| fault(&problem))?.into_iter();
        Ok(lanes.map(|lane| (lane.number, lane.pid, lane.tid, lossy(&lane.name), lossy(&lane.kind))).collect())
    }

    /// How many rows were looked at.
    #[getter]
    fn total(&self) -> u64 {
        self.source.total()
    }

    /// Whether there is more that was not looked at for want of `most`.
    #[getter]
    fn behind(&self) -> bool {
        self.source.is_behind()
    }

    /// The first and the last moment, in nanoseconds of the box's monotonic clock; None of an empty trace.
    #[getter]
    fn times(&self) -> Option<(u64, u64)> {
        self.source.times()
    }

    /// Blocks that could not be read.
    #[getter]
    fn damaged(&self) -> u64 {
        match &self.source {
            Source::Trace(view) => view.damaged(),
            Source::Journal(_) => 0,
        }
    }

    /// Bytes of segments that gave no rows; of a trace that is over, and not behind, its damage.
    #[getter]
    fn unread(&self) -> u64 {
        match &self.source {
            Source::Trace(view) => view.unread(),
            Source::Journal(_) => 0,
        }
    }
}

/// Reads a whole trace: lanes, records, records that are missing, blocks, whether it is complete, and every fault.
#[pyfunction]
#[allow(clippy::needless_pass_by_value)] // how a path comes out of Python
pub(crate) fn verify_trace(py: Python<'_>, folder: PathBuf) -> PyResult<(u64, u64, u64, u64, bool, Vec<String>)> {
    let report = py.detach(|| verify(&folder)).map_err(|problem| fault(&problem))?;
    let (records, lost, complete) = (report.records(), report.lost(), report.complete());
    Ok((report.lanes.len() as u64, records, lost, report.blocks, complete, report.faults))
}

/// Takes over what rings still hold after the death of everything; how many records, and how many are missing.
/// `forms` are what must not be written, each with its mark.
#[pyfunction]
#[allow(clippy::needless_pass_by_value)] // how a path comes out of Python
pub(crate) fn recover_trace(
    py: Python<'_>,
    rings: PathBuf,
    folder: PathBuf,
    forms: Vec<(Vec<u8>, Vec<u8>)>,
) -> PyResult<(u64, u64, Vec<String>)> {
    py.detach(|| recover(&rings, &folder, forms)).map_err(|problem| fault(&problem))
}

fn recover(rings: &Path, folder: &Path, forms: Vec<(Vec<u8>, Vec<u8>)>) -> Result<(u64, u64, Vec<String>)> {
    let limits = Limits { secrets: Secrets::new(forms), ..Limits::default() };
    let mut drain = Drain::open(rings, folder, limits)?;
    let passed = drain.finish()?;
    Ok((passed.taken, passed.lost, drain.faults()))
}
