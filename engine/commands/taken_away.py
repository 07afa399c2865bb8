"""The model and the code of one row of a comparison's leaderboard, written as files: `compare --model FILE --code FILE --of NAME`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.errors import BadParameter
from engine.report.comparison_code import write_row
from engine.report.leaderboard import sort_rows
from engine.spec.comparison import CompareSpec
from engine.spec.contest import IN_USE, INSTALLED, RENAMED, find_installed, list_rows, read_model
from engine.text import one_line


def add_taken_away(parser: argparse.ArgumentParser) -> None:
    """--model, --onnx, --code and --of"""
    parser.add_argument("--model", type=Path, metavar="out.zip", help="also write the model of one row, trained on all rows")
    parser.add_argument("--onnx", type=Path, metavar="out.onnx", help="also write that model for onnxruntime")
    parser.add_argument("--code", type=Path, metavar="out.py", help="also write Python that measures that method again")
    parser.add_argument(
        "--of", metavar="NAME", help="the method whose model and code are written (default: the first row that has them)"
    )


def check_taken_away(arguments: argparse.Namespace, spec: CompareSpec) -> str | None:
    """The name of the method asked for by --of, None for the first row. Raises BadParameter for what cannot be done, before anything
    is compared.
    """
    files = {"--model": arguments.model, "--onnx": arguments.onnx, "--code": arguments.code, "--report": arguments.report}
    wanted = {name: file for name, file in files.items() if file is not None}
    for name, file in wanted.items():
        if file.is_dir() or not file.parent.is_dir():
            raise BadParameter(f"{name} {one_line(file, 200)!r}: must be the name of a file in a folder that exists.")
        if file.resolve() == arguments.file.resolve():
            raise BadParameter(f"{name} {one_line(file, 200)!r}: that is the table itself, which is not written over.")
    if len({file.resolve() for file in wanted.values()}) < len(wanted):
        raise BadParameter(f"{' and '.join(wanted)}: must be different files.")
    if arguments.of is None:
        return None
    if arguments.model is None and arguments.code is None and arguments.onnx is None:
        raise BadParameter("--of says whose model or code is written: give --model, --onnx or --code too.")
    name = find_method(arguments.of, spec)
    option = "--model" if arguments.model is not None else "--onnx" if arguments.onnx is not None else None
    if option is not None and (why := _explain_no_file(name.split("+")[0])):
        raise BadParameter(f"{option}: {why}")
    return name


def _explain_no_file(model: str) -> str:
    """Why the rows of a model have no model file; '' where they may have one."""
    if model == IN_USE:
        return "the score in use is a column of the table and has no model file; --code writes Python that measures it."
    if model in INSTALLED:
        return f"{INSTALLED[model]} is not part of the engine and has no model file; --code writes Python that trains it."
    return ""


def find_method(asked: str, spec: CompareSpec) -> str:
    """The name of the method that `asked` means: its name or its title, in any case. Raises BadParameter."""
    from engine.methods import describe_methods

    rows = list_rows(spec, {"methods": describe_methods()}, installed=find_installed(), in_use=spec.score_column is not None)
    here = {row.name: row.title for row in rows}
    for name, title in (*here.items(), *((old, name) for old, name in RENAMED.items() if name in here)):
        if name in RENAMED:
            name, title = RENAMED[name], name
        if asked.strip().casefold() in (name.casefold(), title.casefold()):
            return name
    raise BadParameter(f"--of {one_line(asked, 80)!r}: is not compared here; there are: {', '.join(here)}.")


def write_taken_away(
    arguments: argparse.Namespace, comparison: Mapping[str, Any], artifacts: Mapping[str, bytes], name: str
) -> list[Path]:
    """Writes the model and the code of a row where they are asked for; returns the files. Raises BadParameter."""
    out = []
    if name not in {row["name"] for row in comparison["methods"]}:  # such as a score in use where there are many classes
        there = ", ".join(one_line(row["name"], 80) for row in comparison["methods"])
        raise BadParameter(f"--of {one_line(name, 80)!r}: took no part in this comparison; there are: {there}.")
    if arguments.model is not None:
        title = next(str(row["title"]) for row in comparison["methods"] if row["name"] == name)
        model = artifacts.get(f"model/{name}")
        if model is None:
            kept = [row["name"] for row in comparison["methods"] if f"model/{row['name']}" in artifacts]
            raise BadParameter(
                f"--model: no fitted model of {one_line(title, 80)} was kept; there are models of: {', '.join(kept) or 'none'}."
            )
        _write("--model", arguments.model, model)
        out.append(arguments.model)
    if arguments.onnx is not None:
        title = next(str(row["title"]) for row in comparison["methods"] if row["name"] == name)
        out += _write_onnx(arguments, artifacts.get(f"model/{name}"), title)
    if arguments.code is not None:
        _write("--code", arguments.code, write_row(comparison, name, str(arguments.file)).encode())
        out.append(arguments.code)
    return out


def _write_onnx(arguments: argparse.Namespace, model: bytes | None, title: str) -> list[Path]:
    """Writes the ONNX file, checked on all rows of the table, and beside it a script that scores with it."""
    from engine.errors import BadInput
    from engine.score.hand_out import hand_out_onnx

    if model is None:
        raise BadParameter(f"--onnx: no fitted model of {one_line(title, 80)} was kept.")
    onnx: Path = arguments.onnx
    try:
        data, script = hand_out_onnx(model, arguments.file.read_bytes(), arguments.file.name, onnx.name)
    except BadInput as error:
        raise BadParameter(f"--onnx: {error}") from error
    beside = onnx.with_name(f"{onnx.name}.py")
    _write("--onnx", onnx, data)
    _write("--onnx", beside, script.encode())
    return [onnx, beside]


def choose_row(
    comparison: Mapping[str, Any], asked: str | None, arguments: argparse.Namespace, artifacts: Mapping[str, bytes]
) -> str:
    """The name of the row that model and code are of: the one asked for, else the first of the leaderboard that has all that is asked for.
    Where none has, the first.
    """
    if asked is not None:
        return asked
    names = [str(row["name"]) for row in sort_rows(comparison)]
    if arguments.model is not None or arguments.onnx is not None:
        kept = [name for name in names if f"model/{name}" in artifacts]
        if arguments.onnx is not None:
            kept = [name for name in kept if _may_have_onnx(comparison, name)] or kept
        names = kept or names
    return names[0]


def _may_have_onnx(comparison: Mapping[str, Any], name: str) -> bool:
    """Whether nothing but time or size kept a row's ONNX file from being written with the comparison."""
    from engine.compare.onnx_files import NO_TIME, TOO_LARGE

    return (comparison.get("onnx") or {}).get(name, NO_TIME) in (NO_TIME, TOO_LARGE)


def explain_choice(comparison: Mapping[str, Any], asked: str | None, name: str) -> str:
    """A sentence where the files are not of the first row though no other was asked for; else ''."""
    first = sort_rows(comparison)[0]
    if asked is not None or first["name"] == name:
        return ""
    why = "is a column of the table" if read_model(first) == IN_USE else "has no such file"
    title = next(row["title"] for row in comparison["methods"] if row["name"] == name)
    return f"{one_line(first['title'], 80)} ranks first and {why}: the files are of {one_line(title, 80)}."


def _write(option: str, file: Path, data: bytes) -> None:
    try:
        file.write_bytes(data)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise BadParameter(f"{option} {one_line(file, 200)!r} cannot be written: {why}.") from error
