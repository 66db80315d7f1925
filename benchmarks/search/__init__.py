"""Searches for a prompt, replayed on recorded answers of the embedded model: how good a prompt for how many calls."""
