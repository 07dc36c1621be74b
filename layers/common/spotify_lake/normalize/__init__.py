"""Pure: a decoded raw object to checked rows."""
