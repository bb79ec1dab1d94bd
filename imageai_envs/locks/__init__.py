"""The lock as a file: pins, header, what it depends on, those that were proved with a template."""
