"""One case of many: outlined and written, or found to be done already. Runs wherever its process runs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from brainseg_desktop import __version__
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.volume import ImageChoice, Sequence
from brainseg_desktop.io.layouts import CaseFiles
from brainseg_desktop.io.schemes import sidecar_path
from brainseg_desktop.services.batch.cases import CaseRef, from_ref, input_files, output_of
from brainseg_desktop.services.batch.look import hash_of, network_key
from brainseg_desktop.services.batch.record import Line, hashes, is_as_written, sha256_of
from brainseg_desktop.services.headless import Segmented, segment_cases
from brainseg_desktop.services.models import find_network

# Errors that say nothing of the case: with more memory, or another process, it may be done.
PASSING = ("worker_died", "worker_hung", "worker_garbled", "out_of_memory")


@dataclass(frozen=True, slots=True)
class SegmentOptions:
    """How cases are outlined; see `headless.segment_cases`."""

    folder: str
    model: str | None = None
    device: str = "auto"
    scheme: str | None = None
    uncertainty: bool = False
    align: str = "headers"
    reference: Sequence | None = None
    volume: int | None = None
    spacing_mm: tuple[float, float, float] | None = None

    @property
    def choice(self) -> ImageChoice | None:
        if self.volume is None and self.spacing_mm is None:
            return None
        return ImageChoice(self.volume, self.spacing_mm)


class SegmentJob(msgspec.Struct, frozen=True):
    """A case for another process; `kept` is what the record says of it, if that shall be believed."""

    case: CaseRef
    options: SegmentOptions
    kept: Line | None = None


class Finished(msgspec.Struct, frozen=True):
    """What became of a case.

    Parameters
    ----------
    entry : dict
        `Segmented.to_dict`; of a case that was kept empty.
    line : Line or None
        For the record; None if the case failed.
    kept : bool
        Whether it had been done before.
    code : str or None
        Of the error.
    """

    entry: dict[str, Any]
    line: Line | None = None
    kept: bool = False
    code: str | None = None


class CaseSegmenter:
    """Outlines cases one after the other with one network; close it at the end.

    Parameters
    ----------
    options : SegmentOptions
    threads : int, optional
        For the network.
    """

    def __init__(self, options: SegmentOptions, threads: int | None = None) -> None:
        self._options = options
        self._folder = Path(options.folder)
        self._stack = ExitStack()
        self._segment = self._stack.enter_context(
            segment_cases(
                self._folder,
                options.model,
                options.device,
                options.scheme,
                uncertainty=options.uncertainty,
                align=options.align,
                reference=options.reference,
                choice=options.choice,
                threads=threads,
            )
        )
        self._network = ""

    def fits(self, options: SegmentOptions) -> bool:
        """Whether it outlines in this way."""
        return options == self._options

    def close(self) -> None:
        """End the network's process."""
        self._stack.close()

    def do(self, job: SegmentJob) -> Finished:
        """A case that another process refers to."""
        try:
            files = from_ref(job.case)
        except UserError as error:
            return _failed(job.case.name, error)
        return self.outline(files, job.kept)

    def outline(
        self,
        files: CaseFiles,
        kept: Line | None = None,
        progress: Callable[[float], None] = lambda _: None,
        *,
        recorded: bool = True,
    ) -> Finished:
        """Outline a case, unless it is done already; faults of the case are told in the result.

        Parameters
        ----------
        kept : Line or None
            What the record says.
        recorded : bool
            Whether a line for the record is wanted, which takes reading all inputs once more.
        """
        key = ""
        if recorded:
            try:
                key = self._key(files)
            except OSError as error:
                path = Path(str(error.filename or files.name))
                reason = error.strerror or str(error)
                return _failed(files.name, UserError("file_unreadable", path=path, reason=reason))
            if kept is not None and kept.key == key and is_as_written(self._folder, kept):
                return Finished({}, kept, kept=True)
        done = self._segment(files, progress)
        entry = done.to_dict()
        if done.error is not None or done.output is None:
            return Finished(entry, code=done.code)
        if not recorded:
            return Finished(entry)
        return Finished(entry, self._line(key, done))

    def _line(self, key: str, done: Segmented) -> Line:
        assert done.output is not None
        output, sidecar = done.output, sidecar_path(done.output)
        slices = sorted(output.glob("*_mask.tif")) if output.is_dir() else []
        written = [*(slices or [output]), sidecar]
        maps = [done.uncertainty] if done.uncertainty is not None else []
        entry = done.to_dict()
        return Line(
            output.name,
            key,
            hashes(self._folder, [*written, *maps]),
            entry["seconds"],
            done.scheme,
            done.model,
            done.device,
            entry["volumes_ml"],
            None if done.uncertainty is None else done.uncertainty.name,
        )

    def _key(self, files: CaseFiles) -> str:
        """Hash of all that a case's output follows from: program, network, options and inputs."""
        if not self._network:
            self._network = network_key(find_network(self._options.model))
        output = output_of(self._folder, files)
        inputs = {
            what: [sha256_of(path) for path in paths]
            for what, paths in input_files(files, [output, sidecar_path(output)]).items()
        }
        about = msgspec.to_builtins(self._options) | {"folder": None, "model": None}
        return hash_of([__version__, self._network, about, files.name, files.kind.value, inputs])


def _failed(name: str, error: UserError) -> Finished:
    failed = Segmented.failed(name, error)
    return Finished(failed.to_dict(), code=failed.code)
