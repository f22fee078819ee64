"""Partwise: which client relationships to mend, which to part with, why, and what would change that."""

__version__ = "0.3.0"
