"""One run of the transform function: from a raw object to Parquet objects."""
