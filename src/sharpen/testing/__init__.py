"""Contract suites for those who write targets, assertions, strategies or stores of their own."""
