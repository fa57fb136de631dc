"""The whole river on one machine, by itself."""
