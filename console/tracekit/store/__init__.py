"""Run directories, the rebuildable catalogue, the inventory of discovered scenarios. It never talks to a box."""
