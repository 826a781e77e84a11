"""``python -m tests.fuzz --count 10000``: that many damaged files; exit code 1 if any reader fails."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.fuzz.runner import run
from tests.fuzz.targets import targets


def main() -> int:
    """Read the options, run, print what failed."""
    known = targets()
    options = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    options.add_argument("--count", type=int, default=10_000, help="files in all, shared among the targets")
    options.add_argument("--first", type=int, default=0, help="number of the first of each target")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument(
        "--target", action="append", choices=sorted(known), help="only this; may be repeated"
    )
    options.add_argument("--processes", type=int, default=2)
    options.add_argument("--keep", type=Path, help="write the files there instead of reading them")
    said = options.parse_args()
    names = said.target or list(known)
    each = -(-said.count // len(names))
    if said.keep is not None:
        for name in names:
            for number in range(said.first, said.first + each):
                for file, raw in known[name].inputs(said.seed, number).items():
                    path = said.keep / f"{name}-{number}" / file
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(raw)
        return 0
    started = time.monotonic()
    failures = run(names, said.seed, said.first, each, said.processes)
    for failure in failures:
        print(f"{failure.target} {failure.number}: {failure.reason}")
    print(f"{each * len(names)} files, {len(failures)} failures, {time.monotonic() - started:.0f} s")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
