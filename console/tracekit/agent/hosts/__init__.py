"""Hosts: programs of the agent that play the probe's part for runners of other languages. Standard library alone."""
