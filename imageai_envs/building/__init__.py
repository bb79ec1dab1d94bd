"""Building an environment: the lock installed, every file known, what it gets beside its lock."""
