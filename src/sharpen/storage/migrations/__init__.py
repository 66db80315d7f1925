"""How the schema came about: one file for each step, never changed after a release."""
