"""A few hundred damaged files in each run of the suite; ``python -m tests.fuzz`` reads thousands."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from brainseg_desktop.core.errors import UserError
from tests.fuzz import runner
from tests.fuzz.mutate import CHANGES, mutate
from tests.fuzz.targets import Target, targets
from tests.fuzz.worker import Watch, read_one

EACH = 30
# What was found by thousands of files and mended: target, seed and number of each.
FOUND = (
    *(("nifti-pair", 1, 151), ("tiff-stack", 1, 33), ("coco", 1, 240), ("settings", 1, 235)),
    *(("lgg-zip", 1, 79), ("lgg-zip", 1, 133), ("coco", 1, 357), ("mask-sidecar", 1, 602)),
    *(("nifti-pair", 2, 418), ("nifti", 2, 767), ("tiff-stack", 2, 760), ("tiff-stack", 2, 765)),
    *(("coco", 2, 312), ("nifti-packed", 2, 190), ("lgg-zip", 3, 246), ("coco", 4, 496), ("nrrd", 5, 792)),
)


@pytest.mark.parametrize("name", list(targets()))
def test_damaged_files_open_or_are_refused_in_words(name: str) -> None:
    assert runner.run_chunk(name, 0, 0, EACH) == []


@pytest.mark.parametrize(("name", "seed", "number"), FOUND)
def test_what_was_found_stays_mended(name: str, seed: int, number: int) -> None:
    assert runner.run_chunk(name, seed, number, 1) == []


def test_the_same_numbers_make_the_same_files() -> None:
    target = targets()["nrrd"]
    assert target.inputs(3, 5) == target.inputs(3, 5)
    assert target.inputs(3, 5) != target.inputs(3, 6)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_each_change_can_be_made_to_anything(change: object) -> None:
    for raw in (b"", b"x", bytes(range(256)) * 4, b'{"a": [1, 2.5]}'):
        for seed in range(20):
            change(bytearray(raw), random.Random(seed), [raw])  # type: ignore[operator]
    assert mutate(b"abc" * 100, random.Random(1), []) != b"abc" * 100


@pytest.mark.parametrize("name", [n for n in targets() if n != "lgg-zip"])
def test_sound_files_open(name: str, tmp_path: Path) -> None:
    """Else the readers would refuse all for another reason than the damage.

    Of the zips some must be refused; the numbers of a mask without a name may be read in several ways.
    """
    for file, raw in targets()[name].make()[0].items():
        (tmp_path / "in" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / file).write_bytes(raw)
    (tmp_path / "out").mkdir()
    try:
        targets()[name].read(tmp_path / "in", tmp_path / "out")
    except UserError as error:
        if error.code != "scheme_ambiguous":
            raise


@pytest.mark.parametrize(
    ("name", "expected"),
    [("stack", "MemoryError"), ("word", "no sentence for"), ("write", "wrote outside"), ("fine", None)],
)
def test_the_watch_sees_what_a_reader_may_not_do(tmp_path: Path, name: str, expected: str | None) -> None:
    import sys

    def read(folder: Path, out: Path) -> None:
        if name == "stack":
            raise MemoryError
        if name == "word":
            raise UserError("nobody_wrote_this")
        (out / "fine").write_bytes(b"")
        if name == "write":
            (folder.parent / "elsewhere").write_bytes(b"")
        raise UserError("file_missing", path=folder)

    watch = Watch((tmp_path / "out",))
    sys.addaudithook(watch)
    told = read_one(Target(name, list, read), {"a/b": b""}, tmp_path, watch)
    assert told is None if expected is None else expected in str(told)


def test_a_reader_that_hangs_or_dies_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(runner, "SECONDS", 0.5)
    package = tmp_path / "tests" / "fuzz"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").write_text("")
    monkeypatch.setattr(runner, "ROOT", tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    program = "import os, sys, time\nn = int(sys.argv[3])\nprint('begin', n, flush=True)\n"
    (package / "worker.py").write_text(program + "os.abort() if n % 2 else time.sleep(60)\n")
    told = runner.run_chunk("nifti", 0, 4, 2)
    assert [f.number for f in told] == [4, 5]
    assert "hangs" in told[0].reason
    assert f"ended with {-6 if os.name != 'nt' else 3}" in told[1].reason
