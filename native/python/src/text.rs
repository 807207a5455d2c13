//! The sanitiser's Python face.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

/// One line that may be shown. Only the sanitiser makes it.
#[pyclass(frozen, eq, hash, module = "tracekit._native")]
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Safe {
    inner: tracekit_text::Safe,
}

impl Safe {
    /// One line out of these bytes.
    pub(crate) fn of(bytes: &[u8], columns: usize) -> Self {
        Self { inner: tracekit_text::line(bytes, columns) }
    }
}

#[pymethods]
impl Safe {
    /// Printable characters only.
    #[getter]
    fn text(&self) -> &str {
        &self.inner.text
    }

    /// `(start, end, style)`: from and to in characters of the text, and the style in words, never empty.
    #[getter]
    fn spans(&self) -> Vec<(usize, usize, String)> {
        self.inner.spans.iter().map(|span| (span.start, span.end, span.style.words())).collect()
    }

    /// The cells that the text takes.
    #[getter]
    fn columns(&self) -> usize {
        self.inner.columns
    }

    /// Controls, invisible characters and broken bytes that were met.
    #[getter]
    fn pictured(&self) -> u64 {
        self.inner.pictured
    }

    /// Variation selectors and skin tones left out.
    #[getter]
    fn removed(&self) -> u64 {
        self.inner.removed
    }

    /// Cells that were written over after a carriage return.
    #[getter]
    fn overwritten(&self) -> u64 {
        self.inner.overwritten
    }

    /// Columns that did not fit.
    #[getter]
    fn cut(&self) -> u64 {
        self.inner.cut
    }

    fn __str__(&self) -> &str {
        &self.inner.text
    }

    fn __repr__(&self) -> String {
        format!("<Safe {:?}>", self.inner.text)
    }
}

/// One line out of a name or message: line feeds and carriage returns are controls like any other.
#[pyfunction]
#[pyo3(signature = (text, max_columns = 4096))]
pub(crate) fn safe(text: &Bound<'_, PyAny>, max_columns: isize) -> PyResult<Safe> {
    let line = |bytes: &[u8]| Safe { inner: tracekit_text::line(bytes, columns(max_columns)) };
    if let Ok(bytes) = text.cast::<PyBytes>() {
        return Ok(line(bytes.as_bytes()));
    }
    let Ok(string) = text.cast::<PyString>() else {
        return Err(PyTypeError::new_err("safe() takes str or bytes"));
    };
    if let Ok(utf8) = string.to_str() {
        return Ok(line(utf8.as_bytes()));
    }
    // A string with lone surrogates, as undecodable file names have.
    let encoded = string.call_method1("encode", ("utf-8", "surrogatepass"))?;
    Ok(line(encoded.cast::<PyBytes>()?.as_bytes()))
}

/// The lines of some output: an open style goes on in the next line, a carriage return writes over.
#[pyfunction]
#[pyo3(signature = (data, max_columns = 4096))]
pub(crate) fn safe_lines(py: Python<'_>, data: &[u8], max_columns: isize) -> Vec<Safe> {
    py.detach(|| tracekit_text::lines(data, columns(max_columns)).map(|inner| Safe { inner }).collect())
}

fn columns(asked: isize) -> usize {
    usize::try_from(asked).unwrap_or(0)
}

// Signatures that Python can read hold literals only.
const _: () = assert!(tracekit_text::DEFAULT_COLUMNS == 4096);
