"""Commands that a person runs against a deployed lake, on AWS or on the laptop stack."""
