"""How the console reaches an agent: two pipes and the protocol over them, here or (later) over SSH."""
