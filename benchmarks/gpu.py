"""What a card does of this project's work, against the card's own matrix products: one command, 8 minutes in all.

    python -m benchmarks.gpu [--cifar FILE.npz] [--minutes 8] [--only keel resnet ...] [--dry]
    python -m benchmarks.gpu --write-cifar FILE.npz

Needs torch, numpy and scikit-learn. KEEL and Adult are read where LAB_DATA has their files, else tables of the same sizes are made. The
second command writes the 12,406 rows of CIFAR-10 at 100:1 with 1,000 validation and 1,000 test rows, where the machine has CIFAR-10; the
first reads them, or makes images. Each part stops at its share of the time and says what it reached; one that fails is reported, and
the others go on. Prints a Markdown table for docs/measured.md: seconds, operations a second (counted from the sizes of layers), their
share of the bound (products of large matrices in that precision, measured in the same run), the most memory, and the difference from the
CPU: of short runs in float64, or of EOS samples in float32, with what is allowed.

Without a card, or with --dry, everything runs at toy size on a pretend device; its times mean nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import torch

from benchmarks._gpu_parts import PARTS, TOY as SMALL, Bench, Line, Part, Share, Size  # isort: skip

TOY = ("--dry",)
SHOWS = (
    "| part |", "dry run", "share of the bound", "KEEL, 2 sets x 5 methods", "Adult", "EOS", "ResNet-32", "DOS", "t-SNE",
    "10 of 10 runs", "products of these shapes alone are", "equal bits", "1 of 1 epochs", "1 of 1 rounds", "0.0e+00 <= 1e-06",
)  # fmt: skip
HEAD = (
    "part",
    "reached",
    "seconds",
    "GFLOP",
    "GFLOP/s",
    "bound, GFLOP/s",
    "share of the bound",
    "peak MiB",
    "from the CPU",
    "",
)


def run_parts(
    parts: Sequence[Part],
    seconds: float,
    make: Callable[[Share], Bench],
    now: Callable[[], float] = time.monotonic,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[list[Line], dict[str, float], list[str]]:
    """Every part in its share of the seconds; what one leaves, the others have. (lines, bounds by precision, sentences on what failed)."""
    lines: list[Line] = []
    failed: list[str] = []
    bounds: dict[str, float] = {}
    end = now() + seconds
    for number, part in enumerate(parts):
        weights = sum(other.weight for other in parts[number:])
        bench = make(Share(max(0.0, end - now()) * part.weight / weights, now))
        bench.bounds = bounds
        say(f"{part.name}: at most {bench.share.seconds:.0f} s")
        try:
            found = part.run(bench)
        except Exception as error:  # whatever it is, the other parts go on
            traceback.print_exc(file=sys.stderr)
            failed.append(f"{part.name} failed: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
            continue
        lines += found
        failed += [
            f"{line.what}: differs by {line.difference:.1e}, more than {line.allowed:g}"
            for line in found
            if line.difference is not None and not line.difference <= line.allowed
        ]
    return lines, bounds, failed


def write_table(lines: Sequence[Line], bounds: dict[str, float]) -> str:
    """The lines as a Markdown table."""
    rows = [HEAD, ("---",) * len(HEAD)]
    for line in lines:
        rate = None if not line.flop or not line.seconds else line.flop / line.seconds
        bound = bounds.get(line.precision) if rate else None
        compared = "" if line.difference is None else f"{line.difference:.1e} <= {line.allowed:g}"
        if line.difference is not None and not line.difference <= line.allowed:
            compared = f"**{line.difference:.1e} > {line.allowed:g}**"
        rows.append(
            (
                line.what,
                line.reached,
                f"{line.seconds:.3g}" if line.seconds else "",
                "" if line.flop is None else f"{line.flop / 1e9:,.4g}",
                "" if rate is None else f"{rate / 1e9:,.4g}",
                "" if bound is None else f"{bound / 1e9:,.4g} ({line.precision})",
                "" if rate is None or bound is None else f"{rate / bound:.2%}",
                "" if line.peak is None else f"{line.peak:,.0f}",
                compared,
                line.said,
            )
        )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def write_heading(device: str, seconds: float) -> str:
    """Where, when, and by which command."""
    where = (
        f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}"
        if device == "cuda"
        else "no card: dry run on a pretend device"
    )
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    command = " ".join(["python -m benchmarks.gpu", *sys.argv[1:]])
    return f"`{command}`, {datetime.now(UTC):%Y-%m-%d}, {where}, {machine}, torch {torch.__version__}, {seconds:.0f} s in all, n = 1."


def write_cifar(file: Path) -> None:
    """CIFAR-10 at 100:1 as an npz: 12,406 training rows, 100 validation rows a class of the others, 100 test rows a class."""
    import numpy as np

    from benchmarks._made import count_rows
    from engine.data.sources import load
    from engine.seeds import numpy_stream

    dataset = load("cifar10")
    assert dataset.images is not None and dataset.official_test is not None
    rng = numpy_stream(0, "benchmark")
    is_test = np.zeros(len(dataset.y), bool)
    is_test[dataset.official_test] = True
    chosen: list[np.ndarray] = []
    parts: list[np.ndarray] = []
    for c, count in enumerate(count_rows(5000)):
        own, test = (rng.permutation(np.flatnonzero((dataset.y == c) & (is_test == of))) for of in (False, True))
        # the largest class has no other rows: its validation rows are test rows that the test part does not take
        valid = own[count : count + 100] if len(own) >= count + 100 else test[100:200]
        for number, rows in enumerate((own[:count], valid, test[:100])):
            chosen.append(rows)
            parts.append(np.full(len(rows), number))
    rows = np.concatenate(chosen)
    np.savez_compressed(file, images=dataset.images[rows], y=dataset.y[rows], part=np.concatenate(parts))
    print(f"{file}: {sum(count_rows(5000)):,} training rows, {len(rows):,} in all, {file.stat().st_size >> 20} MiB")


def main() -> int:
    """Measures and prints; 1 where a part failed or differs from the CPU."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cifar", type=Path, help="images of --write-cifar")
    parser.add_argument("--write-cifar", type=Path, metavar="FILE", help="write them, and end")
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--only", nargs="+", choices=[part.name for part in PARTS], help="these parts, beside the bounds")
    parser.add_argument("--dry", action="store_true", help="at toy size on a pretend device, also where there is a card")
    asked = parser.parse_args()
    if asked.write_cifar is not None:
        write_cifar(asked.write_cifar)
        return 0
    within: AbstractContextManager[object] = contextlib.nullcontext()
    device, size = "cuda", Size()
    if asked.dry or not torch.cuda.is_available():
        # its import makes torch know the device, which must happen before autograd has run
        from tests.pretend.device import NAME, pretend

        if not asked.dry:
            print("There is no CUDA device here, so this is a dry run at toy size on a pretend one: its times mean nothing.\n")
        device, size, within = NAME, SMALL, pretend()
    parts = [part for part in PARTS if not asked.only or part.name in (*asked.only, "bounds")]
    began = time.monotonic()
    with within:
        lines, bounds, failed = run_parts(
            parts,
            60 * asked.minutes,
            lambda share: Bench(device, size, share, cifar=asked.cifar if size is not SMALL else None),
            say=lambda text: print(text, file=sys.stderr, flush=True),
        )
    print(write_heading(device, time.monotonic() - began) + "\n")
    print(write_table(lines, bounds))
    for sentence in failed:
        print(f"\n{sentence}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
