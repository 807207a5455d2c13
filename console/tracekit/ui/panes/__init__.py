"""What the right-hand side shows of one scenario, cause or run: text built from the fold, never painted here."""
