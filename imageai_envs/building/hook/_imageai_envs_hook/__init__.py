"""Runtime hook of imageai-env: lets ImageAI 2.1.6 run with packages that are newer than itself.

``shims.py`` says what: each row gives some modules of ImageAI, and nobody else, a name that is gone or means something
else today, or does something before TensorFlow is imported. A row acts only in an environment that has
the versions that need it. There is one mechanism, in ``views.py``: a module of ImageAI is executed with an
``__import__`` of its own, and gets views of the modules that a row is about. No file and no module is changed, and what
other code in the process imports is what it would be without us.

Here is only what every start of Python loads: a finder that looks at names. ``IMAGEAI_ENV_HOOK=0`` turns all of it off.
Python 3.6 syntax.
"""

import sys

__version__ = "2.0"

IMAGEAI = ("imageai", "keras_resnet")
"""ImageAI 2.1.6, and the distribution that only its RetinaNet uses: the modules for which the rows are."""


class _Finder:
    """Answers None to every import but those of ImageAI's modules; before TensorFlow's it does what rows want."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        """Return ImageAI's specs with a loader that serves the rows; for others None."""
        if name == "tensorflow":
            from . import views

            views.before_tensorflow()
        elif name.partition(".")[0] in IMAGEAI:
            from . import views

            return views.spec_of(name, path, target, _Finder)
        return None


def install():
    """Put the finder first, once."""
    if not any(finder is _Finder for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder)
