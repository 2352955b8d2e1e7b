"""Faults of a get."""

from .fault import Fault, table

GET_FAULTS: dict[str, Fault] = table()
