"""The programs on a box that own runs. It imports only `wire` and itself, on any Python >= 3.9."""
