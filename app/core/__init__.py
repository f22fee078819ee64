"""The domain: what a client relationship is and how it is weighed.

Pure functions and frozen dataclasses. Nothing here reads a clock, draws a random number or does I/O, and nothing is
imported but the standard library and numeric or calendar libraries; `make architecture` holds this true.
"""
