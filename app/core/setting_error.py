"""Settings that cannot be, told by where they are."""

__all__ = ["SettingError"]


class SettingError(ValueError):
    """A setting has a value that it cannot have; `path` leads to it from the part of the policy that refuses it."""

    def __init__(self, detail: str, *path: str) -> None:
        """Name the setting."""
        super().__init__(detail)
        self.path = path
