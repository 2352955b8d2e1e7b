"""Faults of a file."""

from .fault import Fault, table

FILE_FAULTS: dict[str, Fault] = table()
