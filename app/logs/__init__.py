"""What is logged: lines of JSON for machines or of text for a terminal, and never what clients sent."""
