"""The command group, and how an end becomes an exit code: 0 done, 2 the user can mend it, 1 a bug."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from brainseg_desktop import __version__
from brainseg_desktop.cli.cases import check_command, models_command, open_command, segment_command
from brainseg_desktop.cli.data import data_command
from brainseg_desktop.cli.masks import compare_command, export_command
from brainseg_desktop.cli.pacs import pacs_command
from brainseg_desktop.cli.programs import (
    bench_command,
    evaluate_command,
    measure_command,
    register_command,
    selftest_command,
    train_command,
    worker_command,
)
from brainseg_desktop.cli.readers import agreement_command, audit_command
from brainseg_desktop.cli.studies import study_command
from brainseg_desktop.core.errors import UserError

DONE, BUG, MENDABLE, INTERRUPTED = 0, 1, 2, 130


@dataclass(frozen=True, slots=True)
class Front:
    """What only the window can do; handed in, since the command line does not know the window.

    Parameters
    ----------
    open_window : function
        Takes the folders and files to open, perhaps none; returns an exit code when the window closes.
    measure_window : function
        Takes a case folder and a part (``"start"`` or ``"all"``), prints lists of numbers by the keys of
        `services.bench.WINDOW_BUDGETS` as JSON, returns an exit code.
    """

    open_window: Callable[[tuple[Path, ...]], int]
    measure_window: Callable[[Path, str], int]


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Without a command the window opens. Research use only: not a medical device.",
)
@click.version_option(__version__, prog_name="brainseg")
@click.option("--debug", is_flag=True, expose_value=False, help="Show a traceback if something goes wrong.")
def commands() -> None:
    """Segment, correct and measure brain tumour masks in multimodal MRI."""


for _command in (
    open_command,
    segment_command,
    models_command,
    compare_command,
    agreement_command,
    study_command,
    pacs_command,
    audit_command,
    export_command,
    check_command,
    data_command,
    train_command,
    evaluate_command,
    bench_command,
    selftest_command,
    worker_command,
    measure_command,
    register_command,
):
    commands.add_command(_command)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="brainseg-desktop")
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.pass_context
def windowed(context: click.Context, files: tuple[str, ...]) -> int:
    """Open the window, with FILEs if given: a case folder, images or masks, a DICOM slice.

    Several files are one case if they are sequences of one exam. Research use only: not a medical device.
    """
    return int(context.invoke(open_command, case=files, output=None))


def run(arguments: Sequence[str], front: Front) -> int:
    """Run one command line.

    Returns
    -------
    int
        Exit code. Everything that went wrong has been said on stderr by then.
    """
    return _run(commands, "brainseg", arguments, front)


def run_windowed(arguments: Sequence[str], front: Front) -> int:
    """Run ``brainseg-desktop``: what it is given are files, as a desktop hands them over.

    Returns
    -------
    int
        Exit code.
    """
    # Some versions of macOS add the number of the process to the files.
    return _run(windowed, "brainseg-desktop", [a for a in arguments if not a.startswith("-psn_")], front)


def _run(command: click.Command, name: str, arguments: Sequence[str], front: Front) -> int:
    debug = "--debug" in arguments
    rest = [a for a in arguments if a != "--debug"]
    try:
        code = command.main(args=rest, prog_name=name, standalone_mode=False, obj=front)
    except click.ClickException as error:
        error.show()
        return MENDABLE
    except (click.exceptions.Abort, KeyboardInterrupt):
        _say("Stopped.")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output left early (head, less); Python would complain once more at its exit.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except UserError as error:
        if debug:
            raise
        from brainseg_desktop.services.messages import words

        _say(words(error))
        return MENDABLE
    except Exception as error:
        if debug:
            raise
        _say(f"This is a bug: {type(error).__name__}: {error}. Run again with --debug and report it.")
        return BUG
    return int(code or DONE)


def _say(sentence: str) -> None:
    click.echo(f"brainseg: {' '.join(sentence.split())}", err=True)
