"""The shared vocabulary of console, agent and native core: names, ids, lines, frames, messages. It never does I/O."""
