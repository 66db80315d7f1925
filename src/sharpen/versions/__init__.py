"""Keeps every prompt version. Owns ``VersionManager``."""
