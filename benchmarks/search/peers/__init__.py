"""What a search is measured against: plain procedures, and optimizers of other projects."""
