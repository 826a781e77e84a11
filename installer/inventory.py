"""Everything foreign in a frozen program: each part with its version, licence and texts."""

from __future__ import annotations

import fnmatch
import re
import sys
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from owners import Environment, Owned, Package, is_code, is_font, package_of
from statements import home_of, stated_licence

HERE = Path(__file__).resolve().parent / "third_party"
OUR_NAME = "brainseg-desktop"
OUR_PACKAGE = "brainseg_desktop"
# What PyInstaller puts in by itself; its run-time hooks come under the same names.
_FREEZERS_MODULE = re.compile(r"(pyi_rth_|pyimod0|pyiboot0|_pyi_rth_utils\b|struct$|_distutils_hack)")
_LIBRARY_FOLDER = re.compile(r"(^|/)([^/]+\.libs|\.dylibs)/")
_HASH = re.compile(r"-[0-9a-f]{8}(-[0-9a-f]{8})?$|-[0-9a-f]{32}$")


@dataclass(slots=True)
class Part:
    """One foreign part of the frozen program.

    Attributes
    ----------
    licence : str or None
        An SPDX expression as the part states it; None where nothing tells.
    files : list of str
        Its files of machine code, relative to the frozen folder.
    texts : dict of str to str
        Its licence texts by name.
    """

    name: str
    version: str
    kind: str
    licence: str | None
    source: str
    files: list[str] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Inventory:
    """The parts of a frozen program, and what nobody could be found for."""

    parts: list[Part] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read_table(path: Path = HERE / "parts.toml") -> dict[str, Any]:
    """What is known of parts: allowed licences, refused files, libraries inside wheels, Debian's packages."""
    with path.open("rb") as stream:
        return tomllib.load(stream)


def contents_of(bundle: Path) -> list[Path]:
    """The folders with the libraries and resources; a bundle of macOS has them apart, with links between."""
    places = ("_internal", "Contents/Frameworks", "Contents/Resources")
    return [bundle / place for place in places if (bundle / place).is_dir()] or [bundle]


def frozen_modules(bundle: Path) -> list[str]:
    """Names of the modules inside the frozen executables.

    Raises
    ------
    FileNotFoundError
        Where the folder holds no executable that PyInstaller made.
    """
    from PyInstaller.archive.readers import CArchiveReader, NotAnArchiveError

    names: set[str] = set()
    programs = bundle / "Contents" / "MacOS"
    for path in (programs if programs.is_dir() else bundle).iterdir():
        if not path.is_file():
            continue
        try:
            archive = CArchiveReader(str(path))
        except (NotAnArchiveError, ValueError):
            continue
        for name in archive.toc:
            if name.upper().endswith(".PYZ"):
                names.update(archive.open_embedded_archive(name).toc)
    if not names:
        raise FileNotFoundError(f"{bundle} holds no program that PyInstaller made")
    return sorted(names)


def take_inventory(
    bundle: Path,
    environment: Environment,
    table: dict[str, Any],
    modules: Iterable[str],
    find_package: Callable[[Path], Package | None] = package_of,
) -> Inventory:
    """Every distribution and every file of machine code in a frozen folder, each with its owner.

    Parameters
    ----------
    bundle : Path
        The folder that PyInstaller made.
    environment : Environment
        What it was frozen from.
    table : dict
        From `read_table`.
    modules : iterable of str
        From `frozen_modules`.
    find_package : callable
        Finds the package of the system that a library was copied from.
    """
    collector = _Collector(bundle, environment, table, find_package)
    for path in sorted(bundle.rglob("*")):
        if path.is_file() and not path.is_symlink():
            collector.add_file(path)
    for name in modules:
        collector.add_module(name)
    collector.result.parts = sorted(
        collector.parts.values(), key=lambda part: (part.name.lower(), part.version)
    )
    return collector.result


class _Collector:
    """Gathers parts; one method for each kind of owner."""

    def __init__(
        self,
        bundle: Path,
        environment: Environment,
        table: dict[str, Any],
        find_package: Callable[[Path], Package | None],
    ) -> None:
        self.bundle, self.environment, self.table, self.find_package = (
            bundle,
            environment,
            table,
            find_package,
        )
        self.contents = contents_of(bundle)
        self.parts: dict[str, Part] = {}
        self.unowned: set[str] = set()
        self.result = Inventory()

    def add_file(self, path: Path) -> None:
        shown = path.relative_to(self.bundle).as_posix()
        around = next((folder for folder in self.contents if path.is_relative_to(folder)), None)
        inside = around is not None
        place = path.relative_to(around).as_posix() if around is not None else shown
        code = is_code(path)
        if not code and self._resource(place):
            return
        if not code and not is_font(path):
            owned = self.environment.owner_of_place(place)
            if owned is not None and owned.distribution != OUR_NAME:
                self._distribution(owned.distribution)
            return
        for refused in self.table["refused"]:
            if any(fnmatch.fnmatch(path.name.lower(), pattern) for pattern in refused["files"]):
                self.result.problems.append(
                    f"{shown} may not be shipped: {refused['why']}. Leave it out of the build."
                )
                return
        part = self._owner(path, place, inside)
        if part is None:
            self.result.problems.append(
                f"Nobody owns {shown}: no installed distribution, no package of the system and no entry of "
                "installer/third_party/parts.toml has it. Find out where it comes from before it is shipped."
            )
        else:
            part.files.append(shown)

    def _owner(self, path: Path, place: str, inside: bool) -> Part | None:
        if not inside:
            return (
                self._distribution("pyinstaller") if "pyinstaller" in self.environment.distributions else None
            )
        owned = self.environment.owner_of(place, path)
        if owned is not None:
            return self._distributions_library(owned) or self._distribution(owned.distribution)
        if self.environment.is_interpreters(place, path):
            return self._library("python", stem_of(path.name), "Python") or self._python()
        package = self.find_package(path)
        if package is not None:
            return self._package(package)
        return self._library("", stem_of(path.name), "")

    def add_module(self, name: str) -> None:
        top = name.partition(".")[0]
        if top == OUR_PACKAGE or _FREEZERS_MODULE.match(name):
            return
        key = self.environment.owner_of_module(name)
        if key is not None:
            self._distribution(key)
        elif top in sys.stdlib_module_names or top.startswith("_sysconfigdata"):
            self._python()
        # A folder without code of its own, such as `google`, is a module to PyInstaller too.
        elif not self.environment.has_modules_below(name) and top not in self.unowned:
            self.unowned.add(top)
            self.result.problems.append(f"Nobody owns the module {name}: no installed distribution has it.")

    def _distributions_library(self, owned: Owned) -> Part | None:
        """The foreign library that a wheel carries, or the Qt in PySide6's."""
        stem, key = stem_of(owned.place.rpartition("/")[2]), owned.distribution
        version = self.environment.distributions[key].version
        library = self._library(key, stem, f"in {key} {version}")
        if library is not None:
            return library
        if _LIBRARY_FOLDER.search(owned.place):
            return self._part(f"{stem} in {key}", version, "library", None, "")
        if key == "pyside6-essentials" and "/" in owned.place:
            return self._qt(owned.place, stem, version)
        return None

    def _qt(self, place: str, stem: str, version: str) -> Part | None:
        qt = self.table["qt"]
        plugin = re.search(r"/plugins/([^/]+)/", place)
        plain = stem.removeprefix("lib").removesuffix(".abi3")
        if plain.startswith("pyside6"):
            return None
        known = plugin[1] in qt["plugins"] if plugin else plain in qt["libraries"]
        if not known:
            return self._part(f"Qt's {place.rpartition('/')[2]}", version, "library", None, "")
        # PySide6's own modules lie beside its __init__; everything deeper, and Windows' Qt6Core.dll, is Qt.
        if place.count("/") == 1 and not plain.startswith("Qt6"):
            return None
        part = self._part("Qt", version, "library", qt["licence"], qt["source"])
        part.texts.update(read_texts(qt["texts"]))
        return part

    def _library(self, key: str, stem: str, version: str) -> Part | None:
        for entry in self.table["library"]:
            if stem.lower() in {name.lower() for name in entry["names"]} and key in entry.get("in", [key]):
                part = self._part(entry["title"], version, "library", entry["licence"], entry["source"])
                if not part.texts:
                    part.texts.update(self._library_texts(key, entry))
                return part
        return None

    def _library_texts(self, key: str, entry: dict[str, Any]) -> dict[str, str]:
        if "texts" in entry:
            return read_texts(entry["texts"])
        if key == "python":
            return self._python().texts
        if key not in self.environment.distributions:
            return {}
        texts = self.environment.texts_of(key)
        return {name: text for name, text in texts.items() if name.endswith(entry.get("text", ""))}

    def _distribution(self, key: str) -> Part:
        if f"{key} distribution" in self.parts:
            return self.parts[f"{key} distribution"]
        found = self.environment.distributions[key]
        entry = self.table["distribution"].get(key, {})
        texts = self.environment.texts_of(key)
        source = entry.get("source") or home_of(found.metadata)
        part = Part(found.name, found.version, "distribution", None, source, texts=texts)
        part.licence = entry.get("licence") or stated_licence(found.metadata, texts)
        part.texts.update(read_texts(entry.get("texts", [])))
        self.parts[f"{key} distribution"] = part
        return part

    def _resource(self, place: str) -> bool:
        """Take in the work of others that a file of our resources is; False where it is our own."""
        for entry in self.table["resource"]:
            if place.startswith(f"{entry['folder']}/"):
                part = self._part(
                    entry["title"], entry["version"], "resource", entry["licence"], entry["source"]
                )
                for text in (folder / entry["text"] for folder in self.contents):
                    if text.is_file():
                        part.texts["LICENCE"] = text.read_text("utf-8")
                return True
        return False

    def _python(self) -> Part:
        version = ".".join(map(str, sys.version_info[:3]))
        part = self._part(
            "Python", version, "interpreter", "PSF-2.0", "https://www.python.org/downloads/source/"
        )
        text = self.environment.interpreter_text()
        if text is not None:
            part.texts["LICENSE"] = text
        return part

    def _package(self, package: Package) -> Part:
        licence = self.table["debian"].get(package.name)
        source = f"https://snapshot.debian.org/binary/{package.name}/{package.version}/"
        part = self._part(package.name, package.version, "system", licence, source)
        if package.text:
            part.texts["copyright"] = package.text
        return part

    def _part(self, name: str, version: str, kind: str, licence: str | None, source: str) -> Part:
        return self.parts.setdefault(f"{name} {version}", Part(name, version, kind, licence, source))


def stem_of(name: str) -> str:
    """A library's name without version, hash and ending: ``libtiff-d78e088c.so.6.2.0`` is ``libtiff``."""
    stem = re.sub(r"(\.\d+)*\.(so|dll|dylib|pyd)(\.[0-9A-Za-z.]+)?$", "", name, flags=re.IGNORECASE)
    stem = re.sub(r"(\.\d+)+$", "", _HASH.sub("", stem))
    return re.sub(r"^(lib(?:ssl|crypto|ffi))-[\d_]+", r"\1", stem)


def read_texts(names: Iterable[str]) -> dict[str, str]:
    """Those of the licence texts kept here that exist, by name."""
    paths = [HERE / "texts" / name for name in names]
    return {path.stem: path.read_text("utf-8") for path in paths if path.is_file()}
