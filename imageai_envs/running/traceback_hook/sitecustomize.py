"""Write the traceback that ends this Python to a file, for the process that started it.

Runs inside environments, first thing after `site` (Python 3.6 syntax): its directory is first on PYTHONPATH and is
taken away from there again at once, so that the program and its children see what they would see without us. A
sitecustomize of the user's is then loaded as usual.
"""

import os
import sys


def _keep(target):
    before, process = sys.excepthook, os.getpid()

    def hook(kind, value, trace):
        before(kind, value, trace)
        # Not of a child that was forked off. After Ctrl-C Python ends itself by the signal, unless code is run here.
        if os.getpid() == process and not issubclass(kind, KeyboardInterrupt):
            try:
                import traceback

                text = "".join(traceback.format_exception(kind, value, trace))
                with open(target, "ab") as stream:
                    stream.write(text.encode("utf-8", "replace"))
            except Exception:
                pass  # it was printed; an explanation is all that is lost

    sys.excepthook = hook


def _withdraw():
    here = os.path.dirname(os.path.abspath(__file__))
    before = os.environ.pop("_IMAGEAI_ENV_PYTHONPATH", "")
    if before:
        os.environ["PYTHONPATH"] = before
    else:
        os.environ.pop("PYTHONPATH", None)
    sys.path[:] = [entry for entry in sys.path if entry != here]
    ours = sys.modules.pop("sitecustomize", None)
    try:
        import sitecustomize  # noqa: F401
    except ImportError as error:
        if error.name != "sitecustomize":
            raise
    finally:
        if "sitecustomize" not in sys.modules and ours is not None:
            sys.modules["sitecustomize"] = ours  # the import system looks for what it is loading


_target = os.environ.pop("_IMAGEAI_ENV_TRACEBACK", None)
if _target:
    _keep(_target)
_withdraw()
