"""Runs the cases and measures. Owns ``RunExecutionResult``."""
