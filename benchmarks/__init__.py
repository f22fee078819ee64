"""Measurements of the real thing: each starts a server of its own and talks to it over HTTP."""
