"""A/B experiments, offline and online: assignment, always-valid evidence, verdicts. Pure."""
