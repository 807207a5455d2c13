"""One file per command; each declares its arguments and runs."""
