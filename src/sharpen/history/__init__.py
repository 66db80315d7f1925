"""What stored runs tell side by side and over time: comparisons, flakiness, trends. Pure; reads no store itself."""
