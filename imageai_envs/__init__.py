"""imageai-env: working ImageAI + TensorFlow environments.

The package is a command-line tool first. The library underneath never prints and never exits: it returns
frozen values and raises the errors of :mod:`imageai_envs.base.errors`; :mod:`imageai_envs.cli` renders both.
"""

__version__ = "0.1.0"
