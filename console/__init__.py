"""The operator's view: what runs, what flows, what was found, on one page."""
