"""Who owns a file of the frozen program: a distribution, the interpreter, or a package of the system."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path, PurePosixPath

_LICENCE_FILE = re.compile(r"(licen[cs]e|copying|notice|thirdpartynotices|patents)", re.IGNORECASE)
_MODULE_ENDING = re.compile(r"(/__init__)?(\.pyi?|(\.[A-Za-z0-9_-]+)?\.(so|pyd))$")
_MAGIC = (
    b"\x7fELF",
    b"MZ",
    b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
)
_FONTS = {".ttf", ".otf", ".pfb", ".pfa", ".woff", ".woff2"}
_LIBRARY_NAME = re.compile(r"\.(dll|dylib|pyd|so(\.[0-9A-Za-z.]+)?)$", re.IGNORECASE)


def is_code(path: Path) -> bool:
    """Whether a file holds machine code: by what it begins with, or by its name."""
    if _LIBRARY_NAME.search(path.name):
        return True
    with path.open("rb") as stream:
        start = stream.read(8)
    # A universal file of macOS begins like a class of Java, which has a version where it has a small count.
    universal = start[:4] == b"\xca\xfe\xba\xbe" and int.from_bytes(start[4:8], "big") < 20
    return universal or start.startswith(_MAGIC)


def is_font(path: Path) -> bool:
    """Whether a file is a font; those have licences of their own."""
    return path.suffix.lower() in _FONTS


def digest(path: Path) -> str:
    """The SHA-256 of a file in the form that a distribution's RECORD has it."""
    with path.open("rb") as stream:
        return base64.urlsafe_b64encode(hashlib.file_digest(stream, "sha256").digest()).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Owned:
    """A file of a distribution: which one's, and where it lies among the installed ones."""

    distribution: str
    place: str


class Environment:
    """What is installed where the program was frozen.

    Parameters
    ----------
    paths : list of str, optional
        Where distributions are looked for; the paths of the running interpreter if left out.
    prefixes : iterable of Path, optional
        The folders of the interpreter itself.
    """

    def __init__(self, paths: list[str] | None = None, prefixes: Iterable[Path] | None = None) -> None:
        self.distributions: dict[str, importlib.metadata.Distribution] = {}
        for found in importlib.metadata.distributions(path=sys.path if paths is None else paths):
            # Of two that bear one name, the first on the path is the one that Python imports.
            self.distributions.setdefault(_key(found.name), found)
        self.prefixes = [Path(sys.base_prefix)] if prefixes is None else list(prefixes)

    @cached_property
    def _records(self) -> tuple[dict[str, Owned], dict[str, Owned], dict[str, str]]:
        """Owners by place, by digest, and of modules by name."""
        by_place: dict[str, Owned] = {}
        by_digest: dict[str, Owned] = {}
        modules: dict[str, str] = {}
        for key, distribution in self.distributions.items():
            for file in distribution.files or []:
                place = file.as_posix()
                owned = Owned(key, place)
                by_place.setdefault(place, owned)
                # Small files, such as empty ones, are alike by chance.
                if file.hash is not None and (file.size or 0) > 1000:
                    by_digest.setdefault(file.hash.value, owned)
                if _MODULE_ENDING.search(place):
                    modules.setdefault(_MODULE_ENDING.sub("", place).replace("/", "."), key)
        return by_place, by_digest, modules

    def owner_of(self, place: str, path: Path) -> Owned | None:
        """The distribution that brought a file, by its place or else by its content."""
        by_place, by_digest, _ = self._records
        return by_place.get(place) or by_digest.get(digest(path))

    def owner_of_place(self, place: str) -> Owned | None:
        """The distribution that has a file at this place."""
        return self._records[0].get(place)

    def owner_of_module(self, name: str) -> str | None:
        """The distribution that brought a module."""
        return self._records[2].get(name)

    def has_modules_below(self, name: str) -> bool:
        """Whether any distribution has modules in this package."""
        return any(other.startswith(f"{name}.") for other in self._records[2])

    def texts_of(self, key: str) -> dict[str, str]:
        """The licence texts that a distribution carries, by their file names."""
        distribution = self.distributions[key]
        texts = {}
        for file in distribution.files or []:
            if _LICENCE_FILE.search(file.name) and file.suffix.lower() in {
                "",
                ".txt",
                ".md",
                ".rst",
                ".apache",
                ".bsd",
            }:
                path = Path(str(distribution.locate_file(file)))
                if path.is_file():
                    texts[_short(file)] = path.read_text("utf-8", errors="replace")
        return texts

    @cached_property
    def _interpreter_files(self) -> dict[str, str]:
        """Digests of the interpreter's own libraries and extension modules, with their names."""
        return {digest(path): path.name for path in self._interpreter_libraries()}

    def _interpreter_libraries(self) -> Iterator[Path]:
        for prefix in self.prefixes:
            for pattern in (
                "*.dll",
                "DLLs/*",
                "lib/libpython*",
                "lib/python3*/lib-dynload/*",
                "Python",
                "lib/*.dylib",
            ):
                yield from (path for path in prefix.glob(pattern) if path.is_file())

    def is_interpreters(self, place: str, path: Path) -> bool:
        """Whether a file is part of Python itself.

        The content decides; for libpython, which the build strips, and on macOS, which signs anew, the name.
        """
        if sys.platform == "darwin" or path.name.startswith("libpython3"):
            return path.name in self._interpreter_files.values() or "lib-dynload/" in place
        return digest(path) in self._interpreter_files

    def interpreter_text(self) -> str | None:
        """The licence text of Python itself."""
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        places = [
            Path(prefix) / name
            for prefix in self.prefixes
            for name in (f"lib/{version}/LICENSE.txt", "LICENSE.txt")
        ]
        places.append(Path(f"/usr/share/doc/{version}/copyright"))
        return next((place.read_text("utf-8", errors="replace") for place in places if place.is_file()), None)


@dataclass(frozen=True, slots=True)
class Package:
    """A package of Debian or its kin."""

    name: str
    version: str
    text: str


@cache
def _libraries_of_system() -> dict[str, list[Path]]:
    """Where the dynamic linker would find each library."""
    ldconfig = shutil.which("ldconfig") or "/sbin/ldconfig"
    if not Path(ldconfig).exists():
        return {}
    lines = subprocess.run([ldconfig, "-p"], capture_output=True, text=True, check=True).stdout.splitlines()
    found: dict[str, list[Path]] = {}
    for line in lines:
        if " => " in line:
            path = Path(line.rpartition(" => ")[2])
            found.setdefault(path.name, []).append(path)
    return found


def package_of(path: Path) -> Package | None:
    """The package of the system that a library was copied from: the same name and the same content."""
    if not shutil.which("dpkg-query"):
        return None
    for candidate in _libraries_of_system().get(path.name, []):
        if not candidate.exists() or digest(candidate) != digest(path):
            continue
        # /lib is a link to /usr/lib, and packages know their files under either name.
        real = candidate.resolve()
        names = {str(candidate), str(real), str(real).removeprefix("/usr"), f"/usr{candidate}"}
        for name in sorted(names):
            said = subprocess.run(["dpkg-query", "-S", name], capture_output=True, text=True, check=False)
            if said.returncode == 0:
                return _package(said.stdout.partition(": ")[0].partition(",")[0])
    return None


def _package(name: str) -> Package:
    shown = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package}\t${Version}", name], capture_output=True, text=True, check=True
    )
    plain, _, version = shown.stdout.partition("\t")
    copyright_file = Path("/usr/share/doc") / plain / "copyright"
    text = copyright_file.read_text("utf-8", errors="replace") if copyright_file.is_file() else ""
    return Package(plain, version, text)


def _key(name: str) -> str:
    """The name of a distribution as all spell it alike."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _short(file: PurePosixPath) -> str:
    """A licence file's name without the folder that all of them lie in."""
    return re.sub(r"^[^/]+\.dist-info/(licenses/)?", "", file.as_posix())
