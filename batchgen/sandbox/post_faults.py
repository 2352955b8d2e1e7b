"""Faults of a post."""

from .fault import Fault, table

POST_FAULTS: dict[str, Fault] = table()
