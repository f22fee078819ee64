"""Traces by OpenTelemetry: set up by its own variables, and not even imported where these ask for none."""
