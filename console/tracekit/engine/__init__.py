"""The dispatcher: plans, launches, reruns, cancels, attaches; folds the journals, once, on its own thread."""
