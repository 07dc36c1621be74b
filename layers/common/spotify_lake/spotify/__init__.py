"""The Spotify Web API as it is since 2026: sign-in, client and response models."""
