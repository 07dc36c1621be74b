"""Differences between two snapshots, and the events that report them."""
