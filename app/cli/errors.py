"""What a command tells its user when it cannot go on."""


class CommandError(Exception):
    """A command cannot do what was asked; the message is one line for the person who typed it."""
