"""Long experiments, run by ``nox -s chaos``; they write ``docs/reliability.md``."""
