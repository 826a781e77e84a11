"""Everything of a measured study as files: tables, report pages and the consensus of each case."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.io.atomic import write_error
from brainseg_desktop.services.report.document import write_report
from brainseg_desktop.services.report.study_pages import study_document
from brainseg_desktop.services.studies.anonymous import without_names
from brainseg_desktop.services.studies.blinding import check_write
from brainseg_desktop.services.studies.consensus import (
    METHODS,
    consensus_path,
    make_consensus,
    write_consensus,
)
from brainseg_desktop.services.studies.results import Material, StudyReport
from brainseg_desktop.services.studies.tables import write_tables

REPORTS = ("report.html", "report.pdf")
CONSENSUS = "consensus"


def write_study(
    folder: Path,
    material: Material,
    report: StudyReport,
    tell: Callable[[float], None] = lambda _: None,
    *,
    show_names: bool = False,
) -> tuple[Path, ...]:
    """Write tables, ``report.html``, ``report.pdf`` and a folder of consensus masks.

    Tables and masks call the cases by their names, so that other data can be joined; the report pages do so
    only with `show_names`. Cases that fewer than two readers have read have no consensus.

    Raises
    ------
    UserError
        ``inside_ratings``, ``output_is_file``, ``disk_full``, ``no_permission``, ``write_failed``,
        ``would_overwrite_input``.
    """
    check_write([folder / name for name in REPORTS])
    if folder.exists() and not folder.is_dir():
        raise UserError("output_is_file", path=folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(error, folder) from error
    written: list[Path] = list(write_tables(report, folder))
    document = study_document(report if show_names else without_names(report))
    for name in REPORTS:
        write_report(document, folder / name)
        written.append(folder / name)
    for number, case in enumerate(material.cases, start=1):
        for method in METHODS:
            try:
                consensus = make_consensus(material, case, method)
            except UserError as error:
                if error.code != "readers_too_few":
                    raise
                break
            written += write_consensus(consensus, consensus_path(folder / CONSENSUS, case, method))
        tell(number / len(material.cases))
    return tuple(written)
