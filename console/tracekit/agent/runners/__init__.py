"""Adapters of test runners: how one is started, and what its end means. They own no process and no file of a run."""
