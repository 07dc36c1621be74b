"""The commands, one module each: `cli.app` finds them by their file names."""
