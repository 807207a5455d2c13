"""tracekit: a terminal console for integration tests. This module holds the version and must import nothing."""

__version__ = (
    "0.1.0"  # written here because reading installed metadata costs 20 ms; a test holds it to Cargo's
)
