"""The command line: a contract with other programs. Nothing but click is loaded until one runs."""

from brainseg_desktop.cli.entry import Front, run, run_windowed

__all__ = ["Front", "run", "run_windowed"]
