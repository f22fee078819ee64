"""Conditions: a change that is made only to what its maker knows."""

__all__ = ["UnfitError"]


class UnfitError(Exception):
    """It is not as whoever is to change it thinks that it is; it was looked at under the lock of the change."""
