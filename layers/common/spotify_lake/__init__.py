"""Spotify playlists to a queryable lake: everything that is not an AWS entry point."""
