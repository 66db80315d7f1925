"""Durable runs, results, prompts, versions and decisions behind one URL."""
