"""A URL -> a whole video in its place."""
