"""The bulk data sets: files that arrive in staging, and the Glue jobs that load them."""
