"""Reads test plans. Owns ``RunManifest``."""
