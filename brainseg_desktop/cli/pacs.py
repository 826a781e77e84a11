"""pacs: test an archive, find studies in it, fetch and send, take what is sent to this computer."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from brainseg_desktop.cli.console import print_json, print_table, progress_bar

if TYPE_CHECKING:
    from brainseg_desktop.services.pacs.credentials import Credentials
    from brainseg_desktop.services.pacs.nodes import PacsNode
    from brainseg_desktop.services.pacs.records import Query, Retrieved, StudyEntry

FILE = click.Path(path_type=Path)
DAY = click.DateTime(["%Y-%m-%d"])
DONE, MENDABLE = 0, 2
NODE = click.argument("name", metavar="NODE")
JSON = click.option("--json", "as_json", is_flag=True, help="Print results as JSON.")
LOGIN = click.option(
    "--login",
    type=click.Choice(["none", "password", "token"]),
    default=None,
    help="What a DICOMweb URL wants; asked for without being shown.",
)
TITLE = click.option("--own-title", metavar="AET", help="Our AE title for host:port/AETITLE.")
RECEIVE = click.option(
    "--receive-port", type=click.IntRange(0, 65535), help="Retrieve by C-MOVE to this port; 0: by C-GET."
)


@click.group("pacs", epilog="NODE: an archive set up in the window, host:port/AETITLE, or a DICOMweb URL.")
def pacs_command() -> None:
    """Archives: find, fetch and send exams by DICOM or DICOMweb."""


@pacs_command.command("test")
@NODE
@LOGIN
@TITLE
@JSON
def test_command(name: str, login: str | None, own_title: str | None, as_json: bool) -> int:
    """Ask NODE whether it is there."""
    from brainseg_desktop.services.pacs.client import check_node

    node = _node(name, login=login, own_title=own_title)
    seconds = check_node(node, _login(node))
    if as_json:
        print_json({"node": node.title, "ms": round(1000 * seconds, 1)})
    else:
        click.echo(f"{node.title} answered in {1000 * seconds:.0f} ms.")
    return DONE


def _asked(command: Callable[..., int]) -> Callable[..., int]:
    """The options of a query."""
    for option in (
        click.option("--name", "patient_name", default="", metavar="TEXT", help="Patient's name begins so."),
        click.option("--id", "patient_id", default="", metavar="TEXT", help="Patient ID."),
        click.option("--accession", default="", metavar="TEXT", help="Accession number."),
        click.option("--from", "first", type=DAY, help="Studies of this day or later."),
        click.option("--to", "last", type=DAY, help="Studies of this day or earlier."),
        click.option("--modality", default="", metavar="MR"),
    ):
        command = option(command)
    return command


@pacs_command.command("find")
@NODE
@_asked
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True)
@click.option("--names", is_flag=True, help="Print names and IDs of patients too.")
@LOGIN
@TITLE
@JSON
def find_command(
    name: str, names: bool, login: str | None, own_title: str | None, as_json: bool, **asked: Any
) -> int:
    """List studies of NODE, newest first."""
    from brainseg_desktop.services.pacs.client import find

    node = _node(name, login=login, own_title=own_title)
    studies = find(node, _query(asked), _login(node))
    rows = [_study(study, names) for study in studies]
    if as_json:
        print_json({"node": node.title, "studies": rows})
    else:
        head = [
            "Date",
            *(["Name", "ID"] if names else []),
            "Description",
            "Modalities",
            "Series",
            "Study UID",
        ]
        print_table(head, [[_cell(v) for k, v in row.items() if k != "images"] for row in rows])
    return DONE


@pacs_command.command("fetch")
@NODE
@click.argument("folder", type=FILE, metavar="DIR")
@click.option("--study", "study_uid", metavar="UID", help="As find prints it.")
@click.option("--series", "series_uid", metavar="UID", help="Only this series of it.")
@_asked
@LOGIN
@TITLE
@RECEIVE
@JSON
def fetch_command(
    name: str,
    folder: Path,
    study_uid: str | None,
    series_uid: str | None,
    login: str | None,
    own_title: str | None,
    receive_port: int | None,
    as_json: bool,
    **asked: Any,
) -> int:
    """Bring a study of NODE into the folder DIR: the one with this UID, or the only one that is found."""
    from brainseg_desktop.services.pacs.client import find, retrieve
    from brainseg_desktop.services.pacs.records import SeriesEntry, StudyEntry

    node = _node(name, login=login, own_title=own_title, receive_port=receive_port)
    credentials = _login(node)
    if study_uid is None:
        found = find(node, _query({"limit": 2, **asked}), credentials)
        if len(found) != 1:
            raise click.UsageError(
                f"{'No study' if not found else 'More than one study'} fits: give --study."
            )
        study_uid = found[0].uid
    wanted = SeriesEntry(study_uid, series_uid) if series_uid else StudyEntry(study_uid)
    with progress_bar("Fetching") as bar:
        came = retrieve(
            node,
            wanted,
            folder,
            lambda done, total: bar(done / total if total else 0),
            credentials=credentials,
        )
    return _tell_retrieved(came, as_json)


@pacs_command.command("send")
@NODE
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="FILE...")
@LOGIN
@TITLE
@JSON
def send_command(
    name: str, files: tuple[Path, ...], login: str | None, own_title: str | None, as_json: bool
) -> int:
    """Send DICOM files, and those in folders, to NODE."""
    from brainseg_desktop.services.messages import words
    from brainseg_desktop.services.pacs.client import send

    node = _node(name, login=login, own_title=own_title)
    every = [p for given in files for p in (_files_in(given) if given.is_dir() else [given])]
    with progress_bar("Sending") as bar:
        sent = send(node, every, lambda done, total: bar(done / (total or 1)), credentials=_login(node))
    if as_json:
        print_json({"node": node.title, "sent": sent.sent, "failed": sent.failed})
    else:
        click.echo(f"{sent.sent} of {len(every)} files sent to {node.title}.")
    if sent.problem is not None:
        click.echo(f"brainseg: {words(sent.problem)}", err=True)
    return MENDABLE if sent.problem is not None else DONE


@pacs_command.command("receive")
@click.argument("folder", type=FILE, metavar="DIR")
@click.option("--address", metavar="IP", help="To listen at; that of the inbox if left out.")
@click.option("--port", type=click.IntRange(1, 65535), help="To listen at; that of the inbox if left out.")
@click.option("--own-title", metavar="AET", help="That of the inbox if left out.")
@click.option("--from", "callers", multiple=True, metavar="AET", help="Only this sender; once for each.")
@click.option("--images", type=click.IntRange(min=1), help="Stop after so many.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="Stop after so long.")
@JSON
def receive_command(
    folder: Path, images: int | None, seconds: float | None, as_json: bool, **given: Any
) -> int:
    """Take what is sent to this computer into DIR, a folder for each study, until Ctrl+C."""
    import msgspec

    from brainseg_desktop.services.messages import words
    from brainseg_desktop.services.pacs.client import receive
    from brainseg_desktop.services.pacs.instances import InstanceFolder
    from brainseg_desktop.services.pacs.nodes import load_pacs

    settings = msgspec.structs.replace(load_pacs()[0].inbox, **{k: v for k, v in given.items() if v})
    store = InstanceFolder(folder, by_study=True)
    end = time.monotonic() + seconds if seconds is not None else None
    with receive(settings, store):
        click.echo(f"Listening at {settings.address}:{settings.port} as {settings.own_title}.", err=True)
        try:
            while (end is None or time.monotonic() < end) and not (
                images is not None and sum(store.counts.values()) >= images
            ):
                time.sleep(0.1)
        except KeyboardInterrupt:
            click.echo("Stopped.", err=True)
    counts = {outcome.value: count for outcome, count in store.counts.items()}
    if as_json:
        print_json({"folder": str(folder), **counts, "refused": store.refused})
    else:
        click.echo(f"{sum(counts.values())} images received into {folder}.")
    if store.problem is not None:
        click.echo(f"brainseg: {words(store.problem)}", err=True)
    return DONE


def _node(name: str, **changes: Any) -> PacsNode:
    import msgspec

    from brainseg_desktop.services.messages import words
    from brainseg_desktop.services.pacs.nodes import checked, load_pacs, node_named

    settings, problem = load_pacs()
    if problem is not None:
        click.echo(f"brainseg: {words(problem)}", err=True)
    node = node_named(settings, name)
    return checked(msgspec.structs.replace(node, **{k: v for k, v in changes.items() if v is not None}))


def _login(node: PacsNode) -> Credentials | None:
    """From the keyring, or asked for where someone sits there; never from the command line."""
    if node.login == "none":
        return None
    from brainseg_desktop.services.pacs.credentials import Credentials, saved_credentials

    saved = saved_credentials(node)
    if saved is not None or not sys.stdin.isatty():
        return saved
    user = click.prompt("User", err=True) if node.login == "password" else ""
    what = "Password" if node.login == "password" else "Token"
    return Credentials(user, click.prompt(what, hide_input=True, err=True))


def _query(asked: dict[str, Any]) -> Query:
    from brainseg_desktop.services.pacs.records import Query

    plain: dict[str, Any] = {k: v.date() if isinstance(v, datetime) else v for k, v in asked.items()}
    return Query(**plain)


def _study(study: StudyEntry, names: bool) -> dict[str, Any]:
    who = {"name": study.patient_name, "id": study.patient_id} if names else {}
    return {
        "date": study.day.isoformat() if study.day is not None else None,
        **who,
        "description": study.description,
        "modalities": list(study.modalities),
        "series": study.series,
        "images": study.instances,
        "uid": study.uid,
    }


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(value) or "-"
    return "-" if value in (None, "") else str(value)


def _files_in(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file())


def _tell_retrieved(came: Retrieved, as_json: bool) -> int:
    from brainseg_desktop.services.messages import words

    if as_json:
        counts = {"new": came.new, "replaced": came.replaced, "duplicates": came.duplicates}
        print_json({"folder": str(came.folder), **counts, "failed": came.failed})
    else:
        click.echo(f"{came.files} images in {came.folder}.")
    if came.problem is not None:
        click.echo(f"brainseg: {words(came.problem)}", err=True)
    return DONE if came.problem is None else MENDABLE
