"""The web console: applications, their jobs, rows, charts and results on one page."""
