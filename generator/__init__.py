"""Record generator: KDG templates, rates, and the senders of the three labs."""
