"""One run of the extract function: which playlists are due, reading and storing them, resuming later."""
