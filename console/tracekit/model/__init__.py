"""What a run is: journal lines folded into state, causes, selections. It never does I/O."""
