"""Benchmarks: not tests."""
