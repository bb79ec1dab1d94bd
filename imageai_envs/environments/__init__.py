"""Environments on disk: their marker and state, the store, which are ours, their replacement as one transaction."""
