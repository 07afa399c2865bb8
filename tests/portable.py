"""Which names of the standard library every desktop system has, and how a test hides the others from our modules."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import mypy

STUBS = Path(mypy.__file__).parent / "typeshed" / "stdlib"
TYPING = ("typing", "typing_extensions", "_typeshed", "collections.abc", "types", "builtins")
"""What stubs import for their annotations."""
SYSTEMS = ("linux", "darwin", "win32")


def _holds(test: ast.expr, system: str) -> bool:
    """Whether a condition of a stub holds on a system, with this Python."""
    code = compile(ast.Expression(test), "stub", "eval")
    here = type("sys", (), {"platform": system, "version_info": sys.version_info[:3]})
    return bool(eval(code, {"sys": here, "TYPE_CHECKING": True}))


def _names(body: Iterable[ast.stmt], system: str) -> Iterator[str]:
    for node in body:
        match node:
            case ast.If():
                yield from _names(node.body if _holds(node.test, system) else node.orelse, system)
            case ast.FunctionDef() | ast.ClassDef() | ast.AsyncFunctionDef():
                yield node.name
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case ast.Assign(targets=targets):
                yield from (target.id for target in targets if isinstance(target, ast.Name))
            case ast.ImportFrom(module=module, names=names) if module not in TYPING:
                yield from (alias.asname or alias.name for alias in names)


@cache
def not_everywhere(module: str) -> frozenset[str] | None:
    """Public names of a module of the standard library that some system of SYSTEMS lacks; None where one lacks all of it.

    By the stubs of the type checker. Empty for modules of others.
    """
    stub = next((p for p in (STUBS / f"{module}.pyi", STUBS / module / "__init__.pyi") if p.is_file()), None)
    if stub is None:
        return frozenset()
    body = ast.parse(stub.read_text(encoding="utf-8")).body
    public = [{name for name in _names(body, system) if not name.startswith("_")} for system in SYSTEMS]
    if any(public) and not all(public):
        return None
    return frozenset(set.union(*public) - set.intersection(*public))


HIDING = """
import builtins, json, types
HIDDEN = json.loads({names!r})
real = builtins.__import__

def _without(module, hidden):
    shown = types.ModuleType(module.__name__)
    shown.__dict__.update((name, value) for name, value in vars(module).items() if name not in hidden)
    return shown

def _no_library(name, *rest, **more):
    if name is None:
        raise TypeError("a library has a name")
    import ctypes
    return ctypes.CDLL(name, *rest, **more)

def hide(name, globals=None, locals=None, fromlist=(), level=0):
    module = real(name, globals, locals, fromlist, level)
    importer = str((globals or {{}}).get("__name__", "")).partition(".")[0]
    if level or importer not in ("engine", "app") or name not in HIDDEN:
        return module
    if HIDDEN[name] is None:
        raise ImportError(f"No module named {{name!r}}")
    shown = _without(module, HIDDEN[name])
    if name == "ctypes":
        shown.CDLL = _no_library
    return shown

builtins.__import__ = hide
"""


def write_hiding(folder: Path) -> None:
    """Write a `sitecustomize.py`: Python processes with `folder` first on PYTHONPATH hide from modules of engine and app the names
    that not every system has.
    """
    modules = ("os", "signal", "socket", "subprocess", "select", "fcntl", "resource", "pwd", "grp", "termios", "ctypes")
    names = {module: None if (lacking := not_everywhere(module)) is None else sorted(lacking) for module in modules}
    (folder / "sitecustomize.py").write_text(HIDING.format(names=json.dumps(names)), encoding="utf-8")
