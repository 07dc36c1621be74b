"""The tables as data. The catalog, the writers, the tests and the data dictionary follow them."""
