"""Maps of other systems' files to events."""
