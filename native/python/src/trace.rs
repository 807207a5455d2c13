//! Python's face of traces: a view with its rows, whether a trace is whole, and what rings still hold.

use std::path::{Path, PathBuf};

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use query_engine::{Told, View};
use tracer_backend::drain::{Drain, Limits};
use tracer_backend::secrets::Secrets;
use tracer_backend::verify::verify;
use tracer_backend::{Problem, Result};

fn fault(problem: &Problem) -> PyErr {
    PyOSError::new_err(problem.to_string())
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

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

/// A window into the trace of a box's folder, which may still grow.
#[pyclass(module = "tracekit._native")]
pub(crate) struct TraceView {
    view: View,
}

#[pymethods]
impl TraceView {
    #[new]
    #[allow(clippy::needless_pass_by_value)] // how a path comes out of Python
    fn new(py: Python<'_>, folder: PathBuf) -> PyResult<Self> {
        let view = py.detach(|| View::open(&folder)).map_err(|problem| fault(&problem))?;
        Ok(Self { view })
    }

    /// Looks through a filter; `ValueError` with a caret where it cannot be understood. `failures`, `env` and `run` are
    /// what a filter may ask and no row knows.
    #[pyo3(signature = (text, failures = Vec::new(), env = String::new(), run = String::new()))]
    fn filter(&mut self, py: Python<'_>, text: &str, failures: Vec<u64>, env: String, run: String) -> PyResult<()> {
        let view = &mut self.view;
        view.set_context(tracekit_filter::Context { begin: 0, failures, env, run });
        let done = py.detach(|| view.set_filter(text)).map_err(|problem| fault(&problem))?;
        done.map_err(|wrong| PyValueError::new_err(wrong.to_string()))
    }

    /// Looks for what came since; how many rows that pass are new.
    fn poll(&mut self, py: Python<'_>) -> PyResult<u64> {
        let view = &mut self.view;
        py.detach(|| view.poll()).map_err(|problem| fault(&problem))
    }

    fn __len__(&self) -> usize {
        usize::try_from(self.view.count_passing()).unwrap_or(usize::MAX)
    }

    /// Rows that pass, from one on, as many as there are and are wanted.
    fn rows(&mut self, py: Python<'_>, start: u64, count: usize) -> PyResult<Vec<Event>> {
        let view = &mut self.view;
        let rows = py.detach(|| view.rows(start, count)).map_err(|problem| fault(&problem))?;
        Ok(rows.into_iter().map(Event::from).collect())
    }

    /// How many rows of each kind pass.
    fn kinds(&mut self, py: Python<'_>) -> PyResult<Vec<(String, u64)>> {
        let view = &mut self.view;
        py.detach(|| view.kinds()).map_err(|problem| fault(&problem))
    }

    /// How many rows that pass lie in each of so many equal stretches of the whole time.
    fn rate(&mut self, py: Python<'_>, stretches: usize) -> PyResult<Vec<u64>> {
        let view = &mut self.view;
        py.detach(|| view.rate(stretches.min(1 << 16))).map_err(|problem| fault(&problem))
    }

    /// Each lane: its number, process, thread, name and kind.
    fn lanes(&self) -> Vec<(u32, u64, u64, String, String)> {
        let lanes = self.view.lanes();
        lanes.into_iter().map(|lane| (lane.number, lane.pid, lane.tid, lossy(&lane.name), lossy(&lane.kind))).collect()
    }

    /// The first and the last moment, in nanoseconds of the box's monotonic clock; None of an empty trace.
    #[getter]
    fn times(&self) -> Option<(u64, u64)> {
        self.view.times()
    }

    /// Blocks that could not be read.
    #[getter]
    fn damaged(&self) -> u64 {
        self.view.damaged()
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
) -> PyResult<(u64, u64)> {
    py.detach(|| recover(&rings, &folder, forms)).map_err(|problem| fault(&problem))
}

fn recover(rings: &Path, folder: &Path, forms: Vec<(Vec<u8>, Vec<u8>)>) -> Result<(u64, u64)> {
    let limits = Limits { secrets: Secrets::new(forms), ..Limits::default() };
    let passed = Drain::open(rings, folder, limits)?.finish()?;
    Ok((passed.taken, passed.lost))
}
