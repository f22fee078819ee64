"""What Partwise does for its users, whichever way they come in."""
