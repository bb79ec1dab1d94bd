"""Hostile inputs, each made from a valid one, and what the command line must answer. Run by ``nox -s hostile``."""
