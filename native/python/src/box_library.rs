//! The box library as it was built for this wheel, carried as bytes.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

const BYTES: &[u8] = include_bytes!(env!("TRACEKIT_BOX_LIBRARY"));
const ARCHITECTURE: &str = env!("TRACEKIT_BOX_ARCHITECTURE");
const LIBC: &str = env!("TRACEKIT_BOX_LIBC");

/// `libtracekit_box.so`; empty where there is none for the platform of this wheel.
#[pyfunction]
pub(crate) fn box_library(py: Python<'_>) -> Bound<'_, PyBytes> {
    PyBytes::new(py, BYTES)
}

/// What the box library runs on: architecture as `uname -m` says it, and `gnu` or `musl`; both empty where there is none.
#[pyfunction]
pub(crate) fn box_target() -> (&'static str, &'static str) {
    (ARCHITECTURE, LIBC)
}
