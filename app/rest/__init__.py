"""The REST API: translates HTTP to the use cases and back."""
