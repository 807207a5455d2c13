//! Nothing but tests: `tests/` holds contracts as they were written down.
