"""Applications that are made on the page: drafts, versions and checks. Nothing here runs them or imports Flink."""
