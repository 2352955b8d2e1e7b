"""Faults of a POST: refusals before acceptance, and what becomes of the answer after it."""

from .broken_answers import BROKEN
from .refusals import REFUSALS

POST_FAULTS = {**REFUSALS, **BROKEN}
