"""What commands over many cases share: their options, how far they are, what they came to."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from brainseg_desktop.cli.console import number, print_table

if TYPE_CHECKING:
    from brainseg_desktop.services.batch.segment_summary import Summary
    from brainseg_desktop.services.batch.tally import Tally

Command = TypeVar("Command", bound=Callable[..., Any])

# Where nobody watches, a line now and then is enough.
_LINE_SECONDS = 30.0


class Jobs(click.ParamType):  # type: ignore[type-arg]  # generic only from click 8.2 on
    """A number of processes, or ``auto`` (0)."""

    name = "N|auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number; click says what is wrong with others."""
        if value == "auto":
            return 0
        try:
            count = int(value)
        except ValueError:
            count = 0
        if count < 1:
            self.fail(f"{value!r} is neither auto nor a number from 1", param, ctx)
        return count


def scheduler_option(command: Command) -> Command:
    """Add ``--scheduler`` to a command."""
    return click.option(
        "--scheduler",
        metavar="ADDRESS",
        help="Use the workers of a Dask cluster (tcp://host:8786, or tls:// as Dask is set up). They need "
        "this version of the program and must see the files under the same paths.",
    )(command)


@dataclass(frozen=True, slots=True)
class Measuring:
    """How a study is measured: processes (None: by the machine), whether kept numbers are used, a cluster."""

    jobs: int | None = None
    resume: bool = True
    scheduler: str | None = None


@contextmanager
def tally_bar(title: str) -> Iterator[Callable[[Tally], None]]:
    """How many cases are done, failed and left: a bar on a terminal, else a line now and then, on stderr."""
    if sys.stderr.isatty():
        from tqdm import tqdm

        with tqdm(total=1.0, desc=title, file=sys.stderr, bar_format="{desc} {bar}{postfix}") as bar:

            def move(tally: Tally) -> None:
                bar.set_postfix_str(_counted(tally), refresh=False)
                bar.update(max(0.0, tally.fraction - bar.n))

            yield move
        return
    last = time.monotonic()

    def say(tally: Tally) -> None:
        nonlocal last
        if time.monotonic() - last >= _LINE_SECONDS:
            last = time.monotonic()
            click.echo(f"{title}:{_counted(tally)}", err=True)

    yield say


def _counted(tally: Tally) -> str:
    counts = tally.counts
    parts = [f"{counts['done'] + counts['kept']} of {tally.total} done"]
    parts += [f"{counts['failed']} failed"] if counts["failed"] else []
    parts += [f"{tally.left} left"]
    seconds = tally.seconds_left()
    parts += [f"{_duration(seconds)} to go"] if seconds is not None and tally.left else []
    return f" {', '.join(parts)}"


def _duration(seconds: float) -> str:
    """A time in words.

    Examples
    --------
    >>> _duration(42), _duration(600), _duration(9000)
    ('42 s', '10 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def print_counts(run: Mapping[str, Any]) -> None:
    """How many cases were measured, as one small table."""
    cells = [str(run[name]) for name in ("cases", "done", "kept", "failed")]
    print_table(
        ["Cases", "Measured", "Measured before", "Failed", "In all"], [[*cells, _duration(run["seconds"])]]
    )


def print_summary(summary: Summary) -> None:
    """What a run came to, in two small tables and a line for each reason of failing."""
    counts = summary.counts
    print_table(
        ["Cases", "Done", "Done before", "Failed", "Seconds a case", "In all"],
        [
            [
                str(sum(counts.values())),
                str(counts["done"]),
                str(counts["kept"]),
                str(counts["failed"]),
                number(summary.seconds_median, 1),
                _duration(summary.seconds),
            ]
        ],
    )
    if summary.volumes_ml:
        rows = [
            [region, str(n), number(least, 1), number(median, 1), number(most, 1)]
            for region, (n, least, median, most) in summary.volumes_ml.items()
        ]
        print_table(["Volume mL", "n", "Least", "Median", "Most"], rows)
    for reason in summary.reasons:
        more = f" (and {reason.count - 1} more like this)" if reason.count > 1 else ""
        click.echo(f"Failed: {reason.example}{more}")
