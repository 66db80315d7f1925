"""Analyses, decides, improves and proves."""
