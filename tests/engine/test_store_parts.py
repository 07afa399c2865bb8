"""The parts of the store: each knows the abstract Database alone, and what is one database's alone stands in a file of its own."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

from engine.store import Store, postgres, sqlite
from engine.store.database import Database, Part

PARTS = [one for one in Store.__mro__ if issubclass(one, Part) and one not in (Store, Part)]
OWN = ("sqlite.py", "postgres.py", "listening.py")
FILES = sorted(path for path in Path(inspect.getfile(sqlite)).parent.glob("*.py") if path.name not in OWN)
ONLY_SQLITE = re.compile(
    r"pragma|sqlite_master|begin immediate|alter table|autoincrement(?!=)|rowid|vacuum|\blocked\b|wal_"
    r"|json_extract|json_object|json_each|\bsubstr\b|\binstr\b|\bifnull\b|group_concat|\bglob\b|dialects|sqlite3|(?-i:\btext\()",
    re.IGNORECASE,
)
ONLY_POSTGRES = re.compile(
    r"advisory|jsonb|psycopg(?![\"'])|sqlstate|search_path|pg_catalog|clock_timestamp|\bnotify\b|\blisten\b|\bvacuum\b",
    re.IGNORECASE,
)
VERBS = Database.__abstractmethods__ | set(Database.__annotations__)


def attributes(tree: ast.AST, *owners: str) -> set[str]:
    """X of every `owner.X`, as it is written."""
    found = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and ast.unparse(node.value) in owners)
    return {node.attr for node in found}


def without_docstrings(tree: ast.Module) -> str:
    for node in ast.walk(tree):
        if isinstance(body := getattr(node, "body", None), list):
            node.body = [s for s in body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))] or [ast.Pass()]
    return ast.unparse(tree)


def test_a_part_uses_its_database_and_itself_alone():
    assert len(PARTS) == len([path for path in FILES if "(Part):" in path.read_text()]) > 10
    for part in PARTS:
        assert part.__bases__ == (Part,), part
        tree = ast.parse(inspect.getsource(part))
        own = {name for name, value in vars(part).items() if inspect.isfunction(value)} - {"__init__"}
        state = {
            target.attr
            for method in ast.walk(tree)
            if isinstance(method, ast.FunctionDef) and method.name == "__init__"
            for target in ast.walk(method)
            if isinstance(target, ast.Attribute) and isinstance(target.ctx, ast.Store)
        }
        assert attributes(tree, "self") <= {"database"} | own | state, part


def test_no_verb_is_in_two_parts():
    names = [name for part in PARTS for name in vars(part) if not name.startswith("_")]
    assert len(names) == len(set(names)) > 50


def test_what_parts_ask_of_a_database_is_abstract():
    for path in FILES:
        tree = ast.parse(path.read_text())
        assert attributes(tree, "self.database", "database", "self._database", "request.database") <= VERBS, path.name


def test_sql_of_one_database_alone_is_in_its_file():
    for module, its_own in ((sqlite, ONLY_SQLITE), (postgres, ONLY_POSTGRES)):
        assert len(its_own.findall(Path(inspect.getfile(module)).read_text())) > 15
        for path in FILES:
            code = without_docstrings(ast.parse(path.read_text()))
            assert not its_own.search(code), (path.name, its_own.search(code))
            importers = ("database.py",)  # `open_database`
            assert (module.__name__ in code) is (path.name in importers), path.name
