"""What goes out to addresses that others name: signed, and never into our own network."""
