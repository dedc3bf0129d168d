"""Applications that are made on the page: drafts, versions, checks. Nothing of them runs here; Flink is not known."""
