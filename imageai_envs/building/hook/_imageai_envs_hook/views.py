"""How ImageAI is given something: its modules import through us, and get views of the modules that a row is about.

Python 3.6 syntax.
"""

import contextlib
import functools
import sys

from . import shims


def before_tensorflow():
    """Do what rows want done before TensorFlow is imported."""
    for shim in _here():
        if shim.before is not None:
            with contextlib.suppress(Exception):  # a hook must not break an import that would work
                shim.before()


def spec_of(name, path, target, ours):
    """Return the spec of ImageAI's module ``name`` with our loader; None where no row acts, or there is no module.

    ``ours`` is the finder that asks.
    """
    if not _views().names:
        return None
    for finder in sys.meta_path:
        find = None if finder is ours else getattr(finder, "find_spec", None)
        spec = find(name, path, target) if find else None
        if spec is not None:
            if hasattr(spec.loader, "exec_module"):
                spec.loader = _Loader(spec.loader)
            return spec
    return None


class _Loader:
    """The real loader; it executes the module with builtins whose ``__import__`` is ours.

    CPython takes ``__import__`` from the ``__builtins__`` in a module's globals, for its functions too.
    """

    def __init__(self, loader):
        self._loader = loader

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        module.__loader__ = module.__spec__.loader = self._loader  # tools that look for sources find what they expect
        builtins = dict(sys.modules["builtins"].__dict__)
        builtins["__import__"] = _views().import_
        module.__dict__["__builtins__"] = builtins
        self._loader.exec_module(module)


class _Views:
    """What ImageAI's modules see: the rows that this environment needs, and the views that were handed out."""

    def __init__(self, shims):
        self.names = {name: shim.gets for shim in shims for name in shim.sees}
        self._tops = frozenset(name.partition(".")[0] for name in self.names)
        self._above = frozenset(
            ".".join(parts[:length])
            for parts in (name.split(".") for name in self.names)
            for length in range(1, len(parts))
        )
        self._views = {}

    def import_(self, name, globals=None, locals=None, fromlist=(), level=0):  # noqa: A002 - as the builtin's
        """Do what ``__import__`` does; answer with a view where a row is about what is imported."""
        real = sys.modules["builtins"].__import__
        if level or name.partition(".")[0] not in self._tops:
            return real(name, globals, locals, fromlist, level)
        # Names that a row gives are not asked of the real module, which may lack them or load something large for them.
        asked = tuple(one for one in fromlist or () if name + "." + one not in self.names)
        module = real(self._real(name), globals, locals, asked or ("__name__",), 0)
        if fromlist:
            return self.seen(name, module)
        top = name.partition(".")[0]
        return self.seen(top, sys.modules[self._real(top)])

    def _real(self, name):
        """Return the name of the module that ``name`` means."""
        parts = name.split(".")
        for length in range(len(parts), 0, -1):
            gets = self.names.get(".".join(parts[:length]))
            if gets:
                return ".".join([gets, *parts[length:]])
        return name

    def seen(self, name, value):
        """Return what ImageAI sees under a dotted name: ``value``, or a view of it if a row is about a part of it."""
        if name not in self._above:
            return value
        view = self._views.get(name)
        if view is None or view.__dict__["_module"] is not value:
            view = self._views[name] = _View(self, name, value)
        return view

    def given(self, name):
        """Return what the row for a dotted name gives; raise AttributeError when it is not there after all."""
        gets = self.names[name]
        if not gets:
            return _no_decorator
        parts = gets.split(".")
        if gets.startswith("tensorflow.keras."):  # itself as ImageAI sees it
            parts = self._real("tensorflow.keras").split(".") + parts[2:]
        value = __import__(parts[0])
        for length in range(1, len(parts)):
            try:
                value = getattr(value, parts[length])
            except AttributeError:  # noqa: PERF203 - three rounds
                __import__(".".join(parts[: length + 1]))
                value = getattr(value, parts[length])
        return value


class _View:
    """A module with some attributes replaced, for ImageAI; the module itself stays as it is."""

    def __init__(self, views, name, module):
        self.__dict__.update(_views=views, _name=name, _module=module)

    def __getattr__(self, name):
        own = self.__dict__
        views, path = own["_views"], own["_name"] + "." + name
        if name == "__all__":  # `from module import *` would look into our own __dict__
            return getattr(own["_module"], name, [one for one in dir(own["_module"]) if not one.startswith("_")])
        if path in views.names:
            try:
                value = views.seen(path, views.given(path))
            except (AttributeError, ImportError):
                return getattr(own["_module"], name)
            own[name] = value
            return value
        return views.seen(path, getattr(own["_module"], name))

    def __setattr__(self, name, value):
        setattr(self._module, name, value)

    def __dir__(self):
        return dir(self._module)


def _no_decorator(*arguments, **options):  # noqa: ARG001 - as matplotlib's
    """Return a decorator that returns what it is given."""
    return lambda decorated: decorated


@functools.lru_cache(maxsize=None)
def _here():
    """Return the rows that this environment needs; its directory is read once."""
    return shims.needed(shims.versions_here())


@functools.lru_cache(maxsize=None)
def _views():
    """Return what ImageAI sees here."""
    return _Views(_here())
