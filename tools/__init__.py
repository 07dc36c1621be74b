"""Generators that keep files in step with the code."""
