//! The packer's Python face.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Packs one file of a known length, piece by piece.
#[pyclass(module = "tracekit._native")]
pub(crate) struct Packer {
    inner: tracekit_packing::Packer,
}

#[pymethods]
impl Packer {
    #[new]
    fn new(size: u64) -> PyResult<Self> {
        Ok(Self { inner: tracekit_packing::Packer::new(size)? })
    }

    /// Takes a piece of the file; gives what is ready of the frame. `ValueError` where more comes than was said.
    fn pack<'py>(&mut self, py: Python<'py>, data: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let inner = &mut self.inner;
        given(py, py.detach(|| inner.pack(data)))
    }

    /// The end of the frame; `ValueError` where less came than was said.
    fn finish<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let inner = &mut self.inner;
        given(py, py.detach(|| inner.finish()))
    }
}

/// Unpacks one frame, piece by piece.
#[pyclass(module = "tracekit._native")]
pub(crate) struct Unpacker {
    inner: tracekit_packing::Unpacker,
}

#[pymethods]
impl Unpacker {
    #[new]
    fn new() -> PyResult<Self> {
        Ok(Self { inner: tracekit_packing::Unpacker::new()? })
    }

    /// Takes a piece of the frame; gives at most `most` bytes of the file. `ValueError` where the frame is damaged.
    fn unpack<'py>(&mut self, py: Python<'py>, data: &[u8], most: usize) -> PyResult<Bound<'py, PyBytes>> {
        let inner = &mut self.inner;
        given(py, py.detach(|| inner.unpack(data, most)))
    }

    /// Whether it can go on only with more of the frame.
    #[getter]
    fn hungry(&self) -> bool {
        self.inner.hungry()
    }

    /// Whether the frame has ended, and its checksum is right.
    #[getter]
    fn done(&self) -> bool {
        self.inner.done()
    }
}

/// The length of the file that a frame holds, by its first bytes; `None` where they do not say.
#[pyfunction]
pub(crate) fn packed_size(head: &[u8]) -> Option<u64> {
    tracekit_packing::packed_size(head)
}

fn given(py: Python<'_>, told: std::io::Result<Vec<u8>>) -> PyResult<Bound<'_, PyBytes>> {
    match told {
        Ok(data) => Ok(PyBytes::new(py, &data)),
        Err(fault) => Err(PyValueError::new_err(fault.to_string())),
    }
}
