"""Scripts that run *inside* environments: standard library and what the environment has, Python 3.6 syntax.

They are executed by path, never imported. Each prints one line ``@@imageai-env@@`` + JSON on standard output.
"""
