"""A history of searches by strategy, recorded once with the embedded model, for the replay of ``recommend.py``."""
