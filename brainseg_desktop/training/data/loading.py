"""All exams of a recipe on their sides, as network slices."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.services.messages import words
from brainseg_desktop.training.config import Recipe, SplitConfig
from brainseg_desktop.training.data.entries import Entry
from brainseg_desktop.training.data.preparing import Cache
from brainseg_desktop.training.data.sources import find_all
from brainseg_desktop.training.data.splits import SIDES, split_entries
from brainseg_desktop.training.data.stripping import can_strip
from brainseg_desktop.training.exams import PreparedExam, Problem

# Of one code so many problems are told one by one, the others only counted.
TOLD_OF_A_CODE = 5
SECONDS_BETWEEN_NEWS = 10.0

resource: ModuleType | None
try:
    import resource
except ImportError:  # Windows, which does not count mapped files
    resource = None


@dataclass(slots=True, eq=False)
class Dataset:
    """What a network learns from and is measured on.

    Parameters
    ----------
    train, validation, test : list of PreparedExam
    stripped : list of PreparedExam
        Whole heads of the training side with their skull roughly removed (`SelectionConfig.stripped_too`).
    problems : list of Problem
        Whatever was left out, file by file.
    warnings : list of str
        Sentences about the split.
    """

    train: list[PreparedExam] = field(default_factory=list)
    validation: list[PreparedExam] = field(default_factory=list)
    test: list[PreparedExam] = field(default_factory=list)
    stripped: list[PreparedExam] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def side(self, name: str) -> list[PreparedExam]:
        """``train``, ``validation`` or ``test``."""
        return {"train": self.train, "validation": self.validation, "test": self.test}[name]

    def counts(self) -> list[list[str]]:
        """For each side: its name, patients, exams, slices, slices with tumour."""
        return [
            [
                side,
                str(len({exam.patient for exam in self.side(side)})),
                str(len(self.side(side))),
                str(sum(len(exam.kept) for exam in self.side(side))),
                str(sum(int(exam.targets.any(axis=(1, 2, 3)).sum()) for exam in self.side(side))),
            ]
            for side in SIDES
        ]


def load_data(recipe: Recipe, tell: Callable[[str], None]) -> Dataset:
    """Find, read, prepare and split the data of a recipe; what is cached is only mapped.

    One exam is in memory at a time.

    Parameters
    ----------
    tell : function
        Gets a line of text now and then: progress, warnings, what was left out.

    Raises
    ------
    UserError
        ``training_data_missing`` if nothing is left of the sources, ``split_empty`` (params ``side``) if
        nobody is left to learn from, ``stripping_impossible``, and those of `Cache.fetch`. An empty
        validation or test side is a problem and a warning.
    """
    if recipe.selection.stripped_too and not can_strip(recipe.preparation):
        raise UserError("stripping_impossible", name=recipe.name)
    data = Dataset()
    entries = [entry for _, found in find_all(recipe, data.problems) for entry in found]
    sides, data.warnings = split_entries(entries, recipe, data.problems)
    cache = Cache(recipe)
    work = [(side, entry) for side, found in sides.items() for entry in found]
    _allow_open_files(2 * len(work) + 256)
    news = _News(sum(not cache.has(entry) for _, entry in work), tell)
    for side, entry in work:
        fresh = not cache.has(entry)
        exam = cache.fetch(entry, data.problems)
        if fresh:
            news.step(entry.name)
        if exam is not None:
            _place(data, cache, side, entry, exam)
    if not any(data.side(side) for side in SIDES):
        names = [source.path for source in recipe.sources]
        raise UserError("training_data_missing", path=recipe.folder, names=names)
    if not data.train:
        raise UserError("split_empty", side="train")
    for side in _expected(recipe.split):
        if not data.side(side):
            data.problems.append(Problem("split_empty", side))
            data.warnings.append(words(UserError("split_empty", side=side)))
    for line in [*data.warnings, *problem_lines(data.problems)]:
        tell(line)
    return data


def problem_words(problem: Problem) -> str:
    """A problem as a sentence."""
    return words(UserError(problem.code, name=problem.name, side=problem.name, reason=problem.reason or "-"))


def problem_lines(problems: list[Problem], most: int = TOLD_OF_A_CODE) -> list[str]:
    """The problems as sentences, code by code; of many of one code the first, and how many more there are."""
    lines = []
    for code, count in sorted(Counter(problem.code for problem in problems).items()):
        told = [problem_words(problem) for problem in problems if problem.code == code][:most]
        lines += told
        if count > len(told):
            lines.append(f"... and {count - len(told)} more of this kind.")
    return lines


def _expected(split: SplitConfig) -> list[str]:
    """The held-out sides that a split means to fill."""
    if split.parts:
        return ["validation"]
    named = bool(split.train or split.validation or split.test)
    test = bool(split.test) if named else not split.folds and split.fractions[2] > 0
    return ["validation", "test"] if test else ["validation"]


def _place(data: Dataset, cache: Cache, side: str, entry: Entry, exam: PreparedExam) -> None:
    if side == "slices":
        for part in SIDES:
            cut = cache.fetch_part(entry, exam, part)
            if cut is not None:
                data.side(part).append(cut)
        return
    wanted = exam.kind in cache.recipe.kinds
    if wanted:
        data.side(side).append(exam)
    strips = cache.recipe.selection.stripped_too and exam.kind == "whole_head"
    # A network for stripped brains alone is also watched on heads that we stripped.
    if strips and (side == "train" or not wanted):
        stripped = cache.fetch_stripped(entry, exam)
        if stripped is not None:
            (data.stripped if side == "train" else data.side(side)).append(stripped)
    elif not wanted:
        data.problems.append(Problem("kind_not_wanted", entry.name, exam.kind))


@dataclass(slots=True)
class _News:
    """Tells how far the preparation is, every now and then."""

    total: int
    tell: Callable[[str], None]
    done: int = 0
    start: float = field(default_factory=time.monotonic)
    last: float = field(default_factory=time.monotonic)

    def step(self, name: str) -> None:
        self.done += 1
        now = time.monotonic()
        if now - self.last >= SECONDS_BETWEEN_NEWS:
            self.last = now
            left = (now - self.start) / self.done * (self.total - self.done)
            self.tell(f"prepared {self.done} of {self.total} exams ({name}), {left / 60:.1f} min left")


def _allow_open_files(count: int) -> None:
    """Each mapped exam keeps a file open; the usual limit of 1024 is less than a BraTS year has."""
    if resource is not None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = count if hard == resource.RLIM_INFINITY else min(count, hard)
        if most > soft != resource.RLIM_INFINITY:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
