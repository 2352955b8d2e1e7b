"""Faults of a task."""

from .fault import Fault, table

TASK_FAULTS: dict[str, Fault] = table()
