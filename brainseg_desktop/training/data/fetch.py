"""Download of the LGG set through Kaggle's own client; no half or foreign file is taken for the set."""

from __future__ import annotations

import contextlib
import io
import json
import os
import secrets
import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.io.atomic import sync_folder, write_error
from brainseg_desktop.training.data.lgg import SLICE

DATASET = "mateuszbuda/lgg-mri-segmentation"
NAME = "lgg-mri-segmentation"
TOKEN = "kaggle.json"
# The set has 7,860 files of 0.2 MB at most, and holds everything twice: 2 GB.
MOST_FILES = 50_000
LARGEST_FILE_BYTES = 64 << 20
LARGEST_TOTAL_BYTES = 8 << 30
# What the client reads from the environment to print requests with their headers, and so the key.
TALKATIVE = ("VERBOSE", "VERBOSE_OUTPUT")

Download = Callable[[str, Path, Path], None]


def fetch_lgg(
    folder: Path,
    *,
    unpack: bool = True,
    tell: Callable[[str], None],
    download: Download | None = None,
) -> Path:
    """Download the LGG set into a folder, check it, and unpack it.

    What is there already is not fetched again; a download that was interrupted is carried on.

    Parameters
    ----------
    folder : Path
        Gets ``lgg-mri-segmentation.zip`` and, unpacked, ``lgg-mri-segmentation``.
    unpack : bool
    tell : function
        Gets a line of text for each step.
    download : function
        Data set, folder of the token, folder to write into; Kaggle's client if not given.

    Returns
    -------
    Path
        The unpacked folder, or the zip.

    Raises
    ------
    UserError
        ``kaggle_token_missing``, ``kaggle_token_exposed``, ``kaggle_token_broken``, ``kaggle_refused``,
        ``download_failed``, ``archive_broken``, ``archive_unsafe``, ``archive_unexpected``, ``disk_full``,
        ``no_permission``, ``write_failed``.
    """
    zipped, unpacked = folder / f"{NAME}.zip", folder / NAME
    if unpack and unpacked.is_dir():
        # It got its name only when it was whole.
        tell(f"{unpacked} is there already.")
        return unpacked
    with _told(folder):
        folder.mkdir(parents=True, exist_ok=True)
    if not zipped.is_file():
        token = find_token()
        # The client gives a part its final name; here only what was checked has it.
        part = folder / f".{NAME}.download"
        with _told(part):
            part.mkdir(exist_ok=True)
        tell(f"Downloading {DATASET} from Kaggle.")
        (download or kaggle_download)(DATASET, token.parent, part)
        arrived = part / f"{NAME}.zip"
        try:
            check_archive(arrived)
        except UserError:
            # The next attempt must not go on from a file that is wrong.
            shutil.rmtree(part, ignore_errors=True)
            raise
        with _told(zipped):
            arrived.replace(zipped)
            sync_folder(folder)
        shutil.rmtree(part, ignore_errors=True)
    else:
        tell(f"{zipped} is there already.")
        check_archive(zipped)
    if not unpack:
        return zipped
    tell(f"Unpacking {zipped}.")
    unpack_archive(zipped, unpacked)
    return unpacked


def find_token() -> Path:
    """The file with the user's Kaggle token, which nobody else may be able to read.

    Raises
    ------
    UserError
        ``kaggle_token_missing``, ``kaggle_token_exposed`` or ``kaggle_token_broken`` (params ``path``).
    """
    given = os.environ.get("KAGGLE_CONFIG_DIR")
    usual = Path.home() / ".kaggle"
    newer = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "kaggle"
    places = [Path(given)] if given else [usual, newer]
    token = next((place / TOKEN for place in places if (place / TOKEN).is_file()), None)
    if token is None:
        raise UserError("kaggle_token_missing", path=places[0] / TOKEN)
    if os.name == "posix" and stat.S_IMODE(token.stat().st_mode) & 0o077:
        raise UserError("kaggle_token_exposed", path=token)
    try:
        content = json.loads(token.read_text(encoding="utf-8"))
        whole = all(isinstance(content[key], str) and content[key] for key in ("username", "key"))
    except (OSError, ValueError, KeyError, TypeError):
        whole = False
    if not whole:
        # Raised out here: a JSON error carries the text that it could not read.
        raise UserError("kaggle_token_broken", path=token)
    return token


def kaggle_download(dataset: str, config: Path, folder: Path) -> None:
    """Download with Kaggle's official client, which goes on from a part that belongs to the same version.

    Parameters
    ----------
    dataset : str
    config : Path
        Folder of ``kaggle.json``.
    folder : Path

    Raises
    ------
    UserError
        ``extra_missing``, ``kaggle_refused`` (params ``status``), ``download_failed`` (params ``reason``),
        ``disk_full``. None of them has the key or the address, which is signed, in it.
    """
    failure: UserError
    with _quiet(config):
        try:
            # The import already looks for a token, and without one some versions end the process.
            from kaggle.api.kaggle_api_extended import KaggleApi

            client = KaggleApi()
            # The class took its folder when it was first imported.
            client.config_dir, client.config = str(config), str(config / TOKEN)
            client.authenticate()
            client.dataset_download_files(dataset, path=str(folder), force=False, quiet=True, unzip=False)
            return
        except ImportError:
            failure = UserError("extra_missing", package="kaggle", extra="train")
        except SystemExit:
            failure = UserError("kaggle_refused", status="no valid token")
        except Exception as error:
            status = getattr(getattr(error, "response", None), "status_code", None)
            cause = write_error(error, folder) if isinstance(error, OSError) else None
            if status in (401, 403, 404):
                failure = UserError("kaggle_refused", status=f"HTTP {status}")
            elif cause is not None and cause.code in ("disk_full", "no_permission"):
                failure = cause
            else:
                told = f"HTTP {status}" if status else type(error).__name__
                failure = UserError("download_failed", reason=told)
    # Raised out here, where the client's error is not its context: its text may hold what is secret.
    raise failure


def check_archive(path: Path) -> None:
    """Check a zip: every byte by its checksum, no name that leads elsewhere, the set's own layout.

    Raises
    ------
    UserError
        ``archive_broken``, ``archive_unsafe`` (params ``name``, ``reason``) or ``archive_unexpected``.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _check_members(path, members)
            broken = archive.testzip()
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise UserError("archive_broken", path=path, reason=str(error) or type(error).__name__) from error
    except Exception as error:  # zlib and lzma have errors of their own
        if isinstance(error, UserError):
            raise
        raise UserError("archive_broken", path=path, reason=str(error) or type(error).__name__) from error
    if broken is not None:
        raise UserError("archive_broken", path=path, reason=f"{broken} is damaged")
    if not any(SLICE.search(member.filename) for member in members):
        raise UserError("archive_unexpected", path=path)


def unpack_archive(path: Path, folder: Path) -> None:
    """Unpack a checked zip beside its place and rename it into it, so that a folder that exists is whole.

    Raises
    ------
    UserError
        ``archive_unsafe``, ``archive_broken``, ``disk_full``, ``no_permission``, ``write_failed``.
    """
    new = folder.parent / f".{folder.name}-{secrets.token_hex(6)}"
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _check_members(path, members)
            for member in members:
                target = new / PurePosixPath(member.filename)
                if member.is_dir():
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as source, target.open("xb") as file:
                    shutil.copyfileobj(source, file)
        new.rename(folder)
        sync_folder(folder.parent)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise UserError("archive_broken", path=path, reason=str(error)) from error
    except OSError as error:
        raise write_error(error, folder) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _check_members(path: Path, members: list[zipfile.ZipInfo]) -> None:
    """Refuse a zip that would write elsewhere, write links, or fill the disk; sizes are those it states.

    The library never reads more of a member than it states, so stated sizes may be trusted.
    """
    if len(members) > MOST_FILES:
        raise UserError("archive_unsafe", path=path, name=path.name, reason=f"{len(members)} files")
    if sum(member.file_size for member in members) > LARGEST_TOTAL_BYTES:
        raise UserError("archive_unsafe", path=path, name=path.name, reason="it unpacks to more than 8 GB")
    seen: set[str] = set()
    for member in members:
        reason = _unsafe(member)
        # Names that differ in case only are one file on some systems.
        key = member.filename.rstrip("/").casefold()
        if key in seen:
            reason = "it is there twice"
        seen.add(key)
        if reason:
            raise UserError("archive_unsafe", path=path, name=member.filename, reason=reason)


def _unsafe(member: zipfile.ZipInfo) -> str | None:
    name, mode = member.orig_filename, member.external_attr >> 16
    parts = PurePosixPath(name).parts
    if not parts or "\\" in name or "\0" in name or name.startswith("/") or PureWindowsPath(name).drive:
        return "its name is not a relative path"
    if ".." in parts:
        return "its name leads out of the folder"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "it is no plain file"
    if member.file_size > LARGEST_FILE_BYTES:
        return "it is larger than any slice"
    if member.flag_bits & 1:
        return "it is encrypted"
    return None


@contextlib.contextmanager
def _quiet(config: Path) -> Iterator[None]:
    """Let the client find the token, and keep what it prints from the screen: it may print its requests."""
    before = {name: os.environ.get(name) for name in ("KAGGLE_CONFIG_DIR", *TALKATIVE)}
    os.environ["KAGGLE_CONFIG_DIR"] = str(config)
    for name in TALKATIVE:
        os.environ.pop(name, None)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise write_error(error, path) from error
