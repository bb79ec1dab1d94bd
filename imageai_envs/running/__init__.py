"""The user's program or shell in an environment."""
