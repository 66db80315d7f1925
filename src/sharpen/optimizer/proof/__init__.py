"""The proof: group-sequential, exact, for clustered and repeated cases, with a memory of what was looked at."""
