"""Trino's SQL, which Athena speaks: its types, what it refuses, and the same in DuckDB's SQL."""
