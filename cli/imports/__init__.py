"""`import`: dumps of playlists become raw objects."""
