"""How events are written down: CloudEvents in JSON, checked against the catalogue."""
