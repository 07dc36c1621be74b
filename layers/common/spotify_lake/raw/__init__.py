"""Raw objects, the record of what Spotify sent: their envelope, and the bucket."""
