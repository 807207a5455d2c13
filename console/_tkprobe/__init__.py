"""The probe: the only part of the project that enters a test process.

It stands alone (Python >= 3.8, standard library and what the target's own pytest offers), writes what it sees into
spool files that the agent reads, and must never change what the tests do, print, report or exit with.
"""
