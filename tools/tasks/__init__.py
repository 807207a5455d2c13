"""The logic behind the launchers in tools/: one module per task, typed, run from the root of the tree."""
