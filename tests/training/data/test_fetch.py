from __future__ import annotations

import errno
import http.server
import io
import json
import os
import stat
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.services.messages import words
from brainseg_desktop.training.data import fetch
from brainseg_desktop.training.data.fetch import check_archive, fetch_lgg, find_token, unpack_archive

from .conftest import lgg_files, write_zip

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A token that only its owner can read, where the client looks for it."""
    folder = tmp_path / "config"
    folder.mkdir()
    path = folder / "kaggle.json"
    path.write_text(json.dumps({"username": "reader", "key": KEY}))
    path.chmod(0o600)
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(folder))
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return path


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    return write_zip(tmp_path / "kaggle-side.zip", lgg_files(1)).read_bytes()


def gives(content: bytes) -> Callable[[str, Path, Path], None]:
    """A client that writes this content."""

    def download(dataset: str, config: Path, folder: Path) -> None:
        assert dataset == "mateuszbuda/lgg-mri-segmentation"
        (folder / "lgg-mri-segmentation.zip").write_bytes(content)

    return download


def silent(line: str) -> None:
    pass


def refused(call: Callable[[], object], code: str) -> UserError:
    with pytest.raises(UserError) as error:
        call()
    assert error.value.code == code
    assert KEY not in words(error.value) + repr(error.value.__dict__) + repr(error.value.__context__)
    return error.value


def test_download_check_and_unpack(tmp_path, token, content):
    lines: list[str] = []
    out = tmp_path / "data"
    folder = fetch_lgg(out, tell=lines.append, download=gives(content))
    assert folder == out / "lgg-mri-segmentation"
    assert {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.tif")} == lgg_files(1)
    assert sorted(p.name for p in out.iterdir()) == ["lgg-mri-segmentation", "lgg-mri-segmentation.zip"]
    assert fetch_lgg(out, tell=silent, download=lambda *_: pytest.fail("fetched again")) == folder
    assert KEY not in "".join(lines)


def test_the_zip_alone_and_unpacked_later(tmp_path, token, content):
    out = tmp_path / "data"
    assert (
        fetch_lgg(out, unpack=False, tell=silent, download=gives(content)) == out / "lgg-mri-segmentation.zip"
    )
    assert len(list(out.iterdir())) == 1
    # The zip is there: neither the network nor the token is needed.
    token.unlink()
    assert fetch_lgg(out, tell=silent, download=lambda *_: pytest.fail("fetched again")).is_dir()


def test_without_a_token_it_says_how_to_get_one(tmp_path, token):
    token.unlink()
    error = refused(find_token, "kaggle_token_missing")
    assert str(token) in words(error)
    assert "kaggle.com/settings" in words(error)


def test_the_token_is_found_at_home(tmp_path, token, monkeypatch):
    monkeypatch.delenv("KAGGLE_CONFIG_DIR")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    for place in (".config/kaggle", ".kaggle"):
        (tmp_path / place).mkdir(parents=True)
        target = tmp_path / place / "kaggle.json"
        target.write_bytes(token.read_bytes())
        target.chmod(0o600)
        assert find_token() == target


@pytest.mark.skipif(sys.platform == "win32", reason="permissions as POSIX has them")
@pytest.mark.parametrize("mode", [0o604, 0o640, 0o644, 0o660])
def test_a_token_that_others_can_read_is_refused(token, mode):
    token.chmod(mode)
    assert f"chmod 600 {token}" in words(refused(find_token, "kaggle_token_exposed"))
    token.chmod(0o600)
    assert find_token() == token


@pytest.mark.parametrize(
    "text", ["", "{", f'{{"key": "{KEY}"', "[]", f'{{"key": "{KEY}"}}', '{"username": 1, "key": 2}']
)
def test_a_broken_token_is_told_without_its_text(token, text):
    token.write_text(text)
    refused(find_token, "kaggle_token_broken")


def hostile(name: str, mode: int = 0, content: bytes = b"x") -> bytes:
    """The LGG slices and one member more."""
    files = io.BytesIO()
    with zipfile.ZipFile(files, "w", zipfile.ZIP_DEFLATED) as archive:
        for good, data in lgg_files(1).items():
            archive.writestr(good, data)
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        archive.writestr(info, content)
    return files.getvalue()


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("/etc/passwd", 0),
        ("../outside.tif", 0),
        ("kaggle_3m/../../outside.tif", 0),
        ("C:/windows/outside.tif", 0),
        ("kaggle_3m\\..\\outside.tif", 0),
        ("kaggle_3m/link", stat.S_IFLNK | 0o777),
        ("kaggle_3m/pipe", stat.S_IFIFO | 0o666),
        ("KAGGLE_3M/tcga_aa_0001_19990101/tcga_aa_0001_19990101_1.TIF", 0),
    ],
)
def test_a_hostile_zip_writes_nothing(tmp_path, token, name, mode):
    out = tmp_path / "data"
    call = lambda: fetch_lgg(out, tell=silent, download=gives(hostile(name, mode)))  # noqa: E731
    refused(call, "archive_unsafe")
    assert list(out.iterdir()) == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["config", "data"]
    path = tmp_path / "hostile.zip"
    path.write_bytes(hostile(name, mode))
    refused(lambda: unpack_archive(path, out / "lgg"), "archive_unsafe")
    assert list(out.iterdir()) == []


def test_a_zip_bomb_is_refused_by_what_it_states(tmp_path, monkeypatch):
    path = tmp_path / "bomb.zip"
    path.write_bytes(hostile("kaggle_3m/big.tif", content=bytes(100_000)))
    check_archive(path)
    for limit, value in (("LARGEST_FILE_BYTES", 50_000), ("LARGEST_TOTAL_BYTES", 100_000), ("MOST_FILES", 5)):
        with monkeypatch.context() as patch:
            patch.setattr(fetch, limit, value)
            refused(lambda: check_archive(path), "archive_unsafe")


def test_a_damaged_download_is_thrown_away_and_fetched_anew(tmp_path, token, content):
    out = tmp_path / "data"
    flipped = bytearray(content)
    flipped[300] ^= 0xFF
    for damaged in (bytes(flipped), content[: len(content) // 2], b""):
        refused(lambda d=damaged: fetch_lgg(out, tell=silent, download=gives(d)), "archive_broken")
        assert list(out.iterdir()) == []
    assert fetch_lgg(out, tell=silent, download=gives(content)).is_dir()


def test_another_archive_is_not_the_set(tmp_path, token):
    other = write_zip(tmp_path / "other.zip", {"readme.txt": b"hello"}).read_bytes()
    refused(lambda: fetch_lgg(tmp_path / "data", tell=silent, download=gives(other)), "archive_unexpected")


def test_a_half_unpacked_folder_never_has_the_name(tmp_path, token, content, monkeypatch):
    out = tmp_path / "data"
    copied = []

    def full(source, file):
        copied.append(file)
        if len(copied) == 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        file.write(source.read())

    monkeypatch.setattr(fetch.shutil, "copyfileobj", full)
    refused(lambda: fetch_lgg(out, tell=silent, download=gives(content)), "disk_full")
    assert [p.name for p in out.iterdir()] == ["lgg-mri-segmentation.zip"]
    monkeypatch.undo()
    assert fetch_lgg(out, tell=silent, download=lambda *_: pytest.fail("fetched again")).is_dir()


def test_the_command_prints_where_it_is(tmp_path, token, content, monkeypatch, capsys):
    from brainseg_desktop.cli import Front, run

    front = Front(open_window=lambda case: 1, measure_window=lambda case, part: 1)
    monkeypatch.setattr(fetch, "kaggle_download", gives(content))
    assert run(["data", "fetch", "lgg", "-o", str(tmp_path / "d"), "--no-unpack"], front) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "d" / "lgg-mri-segmentation.zip")
    token.chmod(0o644)
    assert run(["data", "fetch", "lgg", "-o", str(tmp_path / "e")], front) == 2
    assert f"chmod 600 {token}" in capsys.readouterr().err


class Storage(http.server.BaseHTTPRequestHandler):
    """Kaggle as its client sees it: a request that leads to a file, which may be had in parts."""

    content = b""
    # Bytes after which the connection breaks off, and further requests get nothing; None for never.
    breaks_after: int | None = None
    status = 200
    seen: list[tuple[str, str | None, str | None]]
    broken = False

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.seen.append(("POST", self.headers.get("Authorization"), None))
        if self.status != 200:
            self.send_response(self.status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps({"code": self.status, "message": f"no {KEY}"}).encode())
            return
        self.send_response(302)
        self.send_header("Location", f"http://127.0.0.1:{self.server.server_address[1]}/file?signature={KEY}")
        self.end_headers()

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.seen.append(("GET", None, asked))
        if type(self).broken:
            return
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        body = self.content[start:]
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", '"version-1"')
        self.send_header("Last-Modified", "Mon, 06 May 2019 08:00:00 GMT")
        self.send_header("Content-Type", "application/zip")
        self.end_headers()
        if self.breaks_after is not None:
            type(self).broken = True
            body = body[: self.breaks_after]
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def kaggle(monkeypatch: pytest.MonkeyPatch, token: Path, content: bytes) -> Iterator[type[Storage]]:
    """The official client, talking to a server on this machine."""
    sdk = pytest.importorskip("kagglesdk.kaggle_env")
    handler = type("Handler", (Storage,), {"content": content, "seen": []})
    server = http.server.HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    monkeypatch.setitem(
        sdk._env_to_endpoint, sdk.KaggleEnv.PROD, f"http://127.0.0.1:{server.server_address[1]}"
    )
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HOME", str(token.parent.parent))
    # The client waits longer and longer before it tries again.
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    yield handler
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_official_client_downloads(tmp_path, kaggle, capsys):
    folder = fetch_lgg(tmp_path / "data", tell=silent)
    assert len(list(folder.rglob("*.tif"))) == 12
    assert kaggle.seen[0][1].startswith("Basic ")
    told = capsys.readouterr()
    assert KEY not in told.out + told.err


def test_the_official_client_goes_on_where_it_stopped(tmp_path, kaggle, caplog):
    out = tmp_path / "data"
    # The client writes 1 MiB at a time, and what it has of the next is lost.
    kaggle.content = content = hostile("kaggle_3m/big.tif", content=os.urandom(3 << 20))
    kaggle.breaks_after = 3 << 19
    error = refused(lambda: fetch_lgg(out, tell=silent), "download_failed")
    assert "goes on where it stopped" in words(error)
    part = out / ".lgg-mri-segmentation.download" / "lgg-mri-segmentation.zip"
    assert part.stat().st_size == 1 << 20
    kaggle.breaks_after, kaggle.broken = None, False
    kaggle.seen.clear()
    fetch_lgg(out, tell=silent)
    assert ("GET", None, "bytes=1048576-") in kaggle.seen
    assert (out / "lgg-mri-segmentation.zip").read_bytes() == content
    assert KEY not in caplog.text


@pytest.mark.parametrize("status", [401, 403, 404])
def test_the_official_client_is_refused(tmp_path, kaggle, status):
    kaggle.status = status
    error = refused(lambda: fetch_lgg(tmp_path / "data", tell=silent), "kaggle_refused")
    assert error.params == {"status": f"HTTP {status}"}


def test_a_talkative_client_is_silenced(tmp_path, kaggle, monkeypatch, capsys):
    """With VERBOSE set the client would print its requests, headers and all."""
    monkeypatch.setenv("VERBOSE", "true")
    monkeypatch.delitem(sys.modules, "kaggle.api.kaggle_api_extended", raising=False)
    fetch_lgg(tmp_path / "data", unpack=False, tell=silent)
    told = capsys.readouterr()
    assert "Authorization" not in told.out + told.err


@pytest.mark.parametrize("body", ["import sys; sys.exit(1)", f"raise OSError('{KEY}')", "raise ImportError"])
def test_a_client_that_ends_at_import(tmp_path, token, body, monkeypatch):
    """Some versions end the process when they are imported without a token that they like."""
    package = tmp_path / "fake" / "kaggle"
    (package / "api").mkdir(parents=True)
    (package / "__init__.py").write_text(body)
    (package / "api" / "__init__.py").write_text("")
    for name in [name for name in sys.modules if name.partition(".")[0] == "kaggle"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(package.parent)
    code = {"i": "kaggle_refused", "O": "download_failed", "I": "extra_missing"}
    expected = code[body[0]] if body[0] == "i" else code[body.split()[1][0]]
    refused(lambda: fetch_lgg(tmp_path / "data", tell=silent), expected)


def test_a_traceback_has_no_key(tmp_path, token):
    """Even with --debug: a traceback shows the errors that led to an error."""
    script = (
        "import sys; from pathlib import Path; from brainseg_desktop.training.data import fetch\n"
        "import types; module = types.ModuleType('kaggle.api.kaggle_api_extended')\n"
        "class KaggleApi:\n"
        "    def authenticate(self): pass\n"
        f"    def dataset_download_files(self, *a, **k): raise ValueError('Authorization: {KEY}'[:])\n"
        "module.KaggleApi = KaggleApi\n"
        "for n in ('kaggle', 'kaggle.api'): sys.modules[n] = types.ModuleType(n)\n"
        "sys.modules[module.__name__] = module\n"
        "fetch.fetch_lgg(Path(sys.argv[1]), tell=print)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "data")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "download_failed" in done.stderr
    assert KEY not in done.stderr + done.stdout
