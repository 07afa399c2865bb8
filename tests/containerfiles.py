"""Reads a Dockerfile as far as ours go, and lays out what its last stage would hold, so that its commands run as they stand."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.portions import link_packages
from tests.test_imports import ROOT

FOLDER = ROOT / "containers"


@dataclass
class Image:
    """The last stage of a Dockerfile, and what the first one copies and installs. args: defaults of its build arguments."""

    instructions: list[tuple[str, str]] = field(default_factory=list)
    args: dict[str, str] = field(default_factory=dict)

    @property
    def last(self) -> list[tuple[str, str]]:
        """Instructions of the last stage."""
        starts = [n for n, (word, _) in enumerate(self.instructions) if word == "FROM"]
        return self.instructions[starts[-1] :]

    def value(self, word: str) -> str:
        """What the last instruction of that name says."""
        return [rest for name, rest in self.last if name == word][-1]

    @property
    def command(self) -> list[str]:
        """ENTRYPOINT and CMD, which must be in exec form."""
        return [*json.loads(self.value("ENTRYPOINT")), *json.loads(self.value("CMD"))]

    @property
    def health(self) -> list[str]:
        """The command of HEALTHCHECK, which must be in exec form."""
        words: list[str] = json.loads(self.value("HEALTHCHECK").partition("CMD ")[2])
        return words

    @property
    def env(self) -> dict[str, str]:
        """ENV of the last stage."""
        pairs = (pair.partition("=") for word, rest in self.last if word == "ENV" for pair in shlex.split(rest))
        return {name: value for name, _, value in pairs}

    @property
    def copied(self) -> list[str]:
        """What is copied from the project, as patterns."""
        rows = [rest.split() for word, rest in self.instructions if word == "COPY" and not rest.startswith("--from")]
        return [name for row in rows for name in row[:-1]]

    @property
    def lists(self) -> list[str]:
        """The lists of requirements that pip installs, with the defaults of the build arguments."""
        (line,) = (rest for word, rest in self.instructions if word == "RUN" and "pip install" in rest)
        for name, value in self.args.items():
            line = line.replace(f"${{{name}}}", value)
        return re.findall(r"-r (\S+)", line)


def read_image(name: str) -> Image:
    """containers/NAME.Dockerfile."""
    text = re.sub(r"\\\n\s*", "", re.sub(r"(?m)^\s*#.*\n", "", (FOLDER / f"{name}.Dockerfile").read_text(encoding="utf-8")))
    image = Image()
    for line in filter(None, map(str.strip, text.splitlines())):
        word, _, rest = line.partition(" ")
        image.instructions.append((word, rest.strip()))
        if word == "ARG":
            name, _, value = rest.partition("=")
            image.args[name] = "".join(shlex.split(value)) if value else ""
    return image


def lay_out(image: Image, folder: Path) -> tuple[Path, dict[str, str]]:
    """(the folder that is the image's WORKDIR, its environment) below `folder`, which stands for the root of a container.

    Files are copied from the project as the image does. `python` runs this Python with the image's lists of requirements and nothing
    else. Paths of ENV are those below `folder`.
    """
    home = folder / "srv" / "lab"
    home.mkdir(parents=True)
    for pattern in image.copied:
        for path in ROOT.glob(pattern):
            if path.is_dir():
                shutil.copytree(path, home / path.name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(path, home / path.name)
    packages = link_packages(folder / "opt" / "lab" / "site-packages", *image.lists)
    (bin := folder / "opt" / "lab" / "bin").mkdir()
    (bin / "python").write_text(f'#!/bin/sh\nPYTHONPATH="{packages}" exec "{sys.executable}" -S "$@"\n')
    (bin / "python").chmod(0o755)
    for name in ("data", "tmp"):
        (folder / name).mkdir(exist_ok=True)
    env = {name: re.sub(r"(^|:)/(?=data|tmp|opt)", rf"\1{folder}/", value) for name, value in image.env.items()}
    env["PATH"] = env["PATH"].replace("$PATH", os.environ["PATH"])
    return home, env
