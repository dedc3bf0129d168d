"""Record generator: KDG templates, rates, scenarios and sinks."""
