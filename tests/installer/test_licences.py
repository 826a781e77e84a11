"""The licence gate: a clean build passes with its notices, and each kind of fault is refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.installer.frozen_folder import ELF, Build, clean_build

from inventory import read_table, stem_of  # isort: skip
from licences import RefusedError, check  # isort: skip
from owners import Package, is_code  # isort: skip
from spdx import choose  # isort: skip


@pytest.fixture
def build(tmp_path: Path) -> Build:
    return clean_build(tmp_path)


def run(build: Build) -> list[str]:
    """The reasons for which the build is refused; none where it passes."""
    try:
        check(build.bundle, build.environment, "1.2.3", build.modules, find_package=build.find_package)
    except RefusedError as refusal:
        return refusal.problems
    return []


def notices(build: Build) -> str:
    return (build.bundle / "_internal/resources/licences/THIRD-PARTY-NOTICES.txt").read_text("utf-8")


def test_clean_build_passes_and_names_every_part_with_licence_source_and_text(build: Build) -> None:
    assert run(build) == []
    table = json.loads((build.bundle / "_internal/resources/licences/third-party.json").read_text("utf-8"))
    parts = {part["name"]: part for part in table["parts"]}
    assert {name: part["licence"] for name, part in parts.items()} == {
        "imagecodecs": "BSD-3-Clause",
        "libtiff": "libtiff",
        "libxkbcommon0": "MIT",
        "pyinstaller": "GPL-2.0-or-later WITH Bootloader-exception",
        "PySide6-Essentials": "LGPL-3.0-only",
        "Python": "PSF-2.0",
        "Qt": "LGPL-3.0-only",
    }
    assert parts["Qt"]["files"] == [
        "_internal/PySide6/Qt/lib/libQt6Core.so.6",
        "_internal/PySide6/Qt/plugins/platforms/libqxcb.so",
    ]
    assert all(part["source"].startswith("https://") for part in parts.values())
    text = notices(build)
    assert text.startswith("BrainSeg Desktop 1.2.3 is under")
    for piece in (
        "Sam Leffler",
        "GNU LESSER GENERAL PUBLIC LICENSE",
        "PYTHON SOFTWARE FOUNDATION",
        "Copyright 2009",
    ):
        assert text.count(piece) >= 1
    # Qt and PySide6 share the text of the LGPL; it stands there once.
    assert text.count("GNU LESSER GENERAL PUBLIC LICENSE\n") == 1
    assert "\n  Qt 1.0: LGPL-3.0-only\n" in text


@pytest.mark.parametrize(
    ("metadata", "text", "licence"),
    [
        ("License-Expression: GPL-3.0-or-later", "MIT", "GPL-3.0-or-later"),
        (
            "Classifier: License :: OSI Approved :: GNU General Public License v3 (GPLv3)",
            "MIT",
            "GPL-3.0-only",
        ),
        ("License: AGPLv3", "MIT", "AGPL-3.0-only"),
        # Both are stated; which of them is meant is for a person to find out.
        (
            "License: Artistic License\nClassifier: License :: OSI Approved :: GNU General Public License v2",
            "Artistic",
            "GPL-2.0-only",
        ),
        # The metadata claim MIT, the text is another.
        ("License: MIT", "                    GNU GENERAL PUBLIC LICENSE\n  Version 3", "GPL-3.0-only"),
    ],
)
def test_module_of_a_gpl_distribution_is_refused(
    build: Build, metadata: str, text: str, licence: str
) -> None:
    build.install(
        "viral-tools", {"viral/__init__.py": b"", "viral/core.py": b""}, metadata=metadata, text=text
    )
    assert run(build) == []  # installed, but not frozen
    build.modules.append("viral.core")
    assert run(build) == [
        f"viral-tools 1.0 is under {licence}, which may not be shipped. Leave it out of the build."
    ]


def test_gpl_library_of_a_distribution_is_named_with_its_file(build: Build) -> None:
    build.install("viral", {"viral/_x.so": ELF + b"x" * 2000}, metadata="License-Expression: AGPL-3.0-only")
    build.freeze("viral/_x.so", ELF + b"x" * 2000)
    (problem,) = run(build)
    assert problem.startswith("viral 1.0 (_internal/viral/_x.so) is under AGPL-3.0-only")


def test_library_that_nobody_owns_is_refused_under_any_name(build: Build) -> None:
    build.freeze("libmystery.so.3", ELF + b"?")
    build.freeze("resources/picture.png", ELF + b"a library in disguise")
    problems = run(build)
    assert len(problems) == 2
    assert problems[0].startswith("Nobody owns _internal/libmystery.so.3: ")
    assert problems[1].startswith("Nobody owns _internal/resources/picture.png: ")


def test_font_needs_an_owner_like_a_library(build: Build) -> None:
    build.freeze("resources/guide/Fancy.ttf", b"\x00\x01\x00\x00")
    build.freeze("reportlab/fonts/DarkGardenMK.pfb", b"%!PS")
    problems = run(build)
    assert [problem.partition(" ")[0] for problem in problems] == [
        "_internal/reportlab/fonts/DarkGardenMK.pfb",
        "Nobody",
    ]
    assert "_internal/resources/guide/Fancy.ttf" in problems[1]


def test_works_of_others_among_our_resources_are_named_with_their_text(build: Build) -> None:
    build.freeze("resources/fonts/DejaVuSans.ttf", b"\x00\x01\x00\x00")
    (problem,) = run(build)
    assert problem.startswith("DejaVu Sans (subset) 2.37 comes without its licence text.")
    build.freeze("resources/fonts/LICENCE.txt", b"Bitstream Vera Fonts Copyright")
    assert run(build) == []
    assert "Bitstream Vera Fonts Copyright" in notices(build)


def test_module_that_nobody_owns_is_refused_once(build: Build) -> None:
    build.modules += ["stray", "stray.a", "stray.b"]
    assert run(build) == ["Nobody owns the module stray: no installed distribution has it."]


@pytest.mark.parametrize(
    ("place", "word"),
    [
        ("libreadline.so.8", "readline"),
        ("lib-dynload/readline.cpython-311-x86_64-linux-gnu.so", "readline"),
        ("lib-dynload/_gdbm.cpython-311-x86_64-linux-gnu.so", "gdbm"),
        ("PySide6/Qt/plugins/platforminputcontexts/libqtvirtualkeyboardplugin.so", "GPL or for money"),
        ("PySide6/plugins/platforminputcontexts/qtvirtualkeyboardplugin.dll", "GPL or for money"),
        ("PySide6/QtCharts.abi3.so", "GPL or for money"),
        ("PySide6/Qt6DataVisualization.dll", "GPL or for money"),
        ("PySide6/Qt/lib/libQt6WaylandCompositor.so.6", "GPL or for money"),
        ("imagecodecs.libs/libx265-0123abcd.so.209", "GPL"),
    ],
)
def test_known_gpl_file_is_refused_whoever_brings_it(build: Build, place: str, word: str) -> None:
    # Even where a permissive distribution claims the file.
    build.install("innocent", {place: ELF + b"g" * 2000})
    build.packages[place.rpartition("/")[2]] = Package("zlib1g", "1", "text")
    build.freeze(place, ELF + b"g" * 2000)
    (problem,) = run(build)
    assert problem.startswith(f"_internal/{place} may not be shipped: ")
    assert word in problem


@pytest.mark.parametrize(
    ("place", "part"),
    [
        ("PySide6/Qt/lib/QtGui.framework/Versions/A/QtGui", "Qt"),
        ("PySide6/Qt6Gui.dll", "Qt"),
        ("PySide6/plugins/platforms/qwindows.dll", "Qt"),
        ("PySide6/Qt/plugins/platforms/libqcocoa.dylib", "Qt"),
        ("PySide6/QtGui.pyd", "pyside6-essentials"),
        ("PySide6/QtGui.abi3.so", "pyside6-essentials"),
        ("PySide6/pyside6.abi3.dll", "pyside6-essentials"),
        ("PySide6/MSVCP140.dll", "Microsoft Visual C++ run-time libraries"),
    ],
)
def test_qt_is_told_from_its_bindings_on_every_system(build: Build, place: str, part: str) -> None:
    build.install(
        "pyside6-essentials", {place: ELF + b"p" * 2000}, metadata="License: LGPL-3.0-only", text=None
    )
    build.freeze(place, ELF + b"p" * 2000)
    for old in ("Qt/lib/libQt6Core.so.6", "QtCore.abi3.so", "Qt/plugins/platforms/libqxcb.so"):
        (build.bundle / "_internal/PySide6" / old).unlink()
    assert run(build) == []
    table = json.loads((build.bundle / "_internal/resources/licences/third-party.json").read_text("utf-8"))
    assert [one["name"] for one in table["parts"] if one["files"] == [f"_internal/{place}"]] == [part]


def test_new_module_of_qt_is_refused_until_it_is_looked_at(build: Build) -> None:
    build.install("pyside6-essentials", {"PySide6/Qt/lib/libQt6Brandnew.so.6": ELF + b"n" * 2000}, text=None)
    build.freeze("PySide6/Qt/lib/libQt6Brandnew.so.6", ELF + b"n" * 2000)
    assert any("libQt6Brandnew.so.6" in problem and "no known licence" in problem for problem in run(build))


def test_unknown_library_inside_a_wheel_is_refused_though_the_wheel_is_known(build: Build) -> None:
    build.install("wheel-of-fortune", {"wheel_of_fortune.libs/libsecret-0123abcd.so.1": ELF + b"s" * 2000})
    build.freeze("wheel_of_fortune.libs/libsecret-0123abcd.so.1", ELF + b"s" * 2000)
    (problem,) = run(build)
    assert "libsecret in wheel-of-fortune 1.0" in problem
    assert "no known licence" in problem


def test_library_moved_by_the_freezer_is_known_by_its_content(build: Build) -> None:
    moved = build.bundle / "_internal/imagecodecs.libs/libtiff-d78e088c.so.6.2.0"
    moved.rename(build.bundle / "_internal" / moved.name)
    assert run(build) == []


def test_python_is_known_after_its_symbols_were_stripped(build: Build) -> None:
    build.freeze("libpython3.11.so.1.0", ELF + b"stripped")
    assert run(build) == []
    build.freeze("libpython3.99.so.1.0", ELF + b"another")
    (problem,) = run(build)
    assert "libpython3.99" in problem


def test_changed_library_is_not_taken_for_the_systems(build: Build) -> None:
    del build.packages["libxkbcommon.so.0"]
    (problem,) = run(build)
    assert "libxkbcommon.so.0" in problem


def test_package_of_the_system_without_an_entry_is_refused(build: Build) -> None:
    build.freeze("libnew.so.1", ELF)
    build.packages["libnew.so.1"] = Package("libnew1", "2.0", "some text")
    (problem,) = run(build)
    assert problem.startswith("libnew1 2.0 (_internal/libnew.so.1) has no known licence.")


@pytest.mark.parametrize(
    ("metadata", "text", "reason"),
    [
        ("", "some words", "has no known licence"),
        ("License: see the file", "some words", "has no known licence"),
        ("License: BSD", None, "has no known licence"),
        ("License-Expression: MIT", None, "comes without its licence text"),
        ("License-Expression: SSPL-1.0", "text", "which nobody has allowed"),
        ("License-Expression: MIT AND (", "text", "cannot be read"),
    ],
)
def test_distribution_without_a_licence_or_its_text_is_refused(
    build: Build, metadata: str, text: str | None, reason: str
) -> None:
    build.install("vague", {"vague.py": b""}, metadata=metadata, text=text)
    build.modules.append("vague")
    (problem,) = run(build)
    assert problem.startswith("vague 1.0 ")
    assert reason in problem


def test_refused_build_gets_no_notices(build: Build) -> None:
    build.freeze("libmystery.so.3", ELF)
    assert run(build)
    assert not (build.bundle / "_internal/resources/licences").exists()


@pytest.mark.parametrize(
    ("expression", "allowed", "chosen"),
    [
        ("MIT", {"MIT"}, "MIT"),
        ("GPL-2.0-only OR LGPL-3.0-only", {"LGPL-3.0-only"}, "LGPL-3.0-only"),
        ("MIT AND GPL-3.0-only", {"MIT"}, None),
        ("MIT AND (GPL-3.0-only OR Zlib)", {"MIT", "Zlib"}, "MIT AND Zlib"),
        ("GPL-3.0-or-later", {"GPL-3.0-or-later WITH GCC-exception-3.1"}, None),
        ("GPL-3.0-or-later WITH GCC-exception-3.1", {"GPL-3.0-or-later"}, None),
        ("MIT OR GPL-3.0-only AND Zlib", {"Zlib", "GPL-3.0-only"}, "GPL-3.0-only AND Zlib"),
    ],
)
def test_choice_among_alternatives(expression: str, allowed: set[str], chosen: str | None) -> None:
    assert choose(expression, allowed.__contains__) == chosen


@pytest.mark.parametrize(
    "expression", ["", "MIT AND", "(MIT", "MIT)", "MIT Zlib", "AND", "see the file!", "MIT, Zlib"]
)
def test_what_is_no_expression_is_not_guessed_at(expression: str) -> None:
    with pytest.raises(ValueError, match="SPDX"):
        choose(expression, lambda name: True)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("libtiff-d78e088c.so.6.2.0", "libtiff"),
        ("libquadmath-96973f99-934c22de.so.0.0.0", "libquadmath"),
        ("libcrypto-5409cd36.so.1.1.1k", "libcrypto"),
        ("libscipy_openblas64_-32a4b2a6.so", "libscipy_openblas64_"),
        ("libjpeg.62.4.0.dylib", "libjpeg"),
        ("libcrypto-3.dll", "libcrypto"),
        ("msvcp140-263139962577ecda4cd9469ca360a746.dll", "msvcp140"),
        ("VCRUNTIME140_1.dll", "VCRUNTIME140_1"),
        ("liblzokay-c-f8c30da9.so", "liblzokay-c"),
    ],
)
def test_name_of_a_library_without_its_version(name: str, stem: str) -> None:
    assert stem_of(name) == stem


def test_table_allows_what_it_names() -> None:
    table = read_table()
    allowed = {
        *table["allowed"]["permissive"],
        *table["allowed"]["replaceable"],
        *(one["licence"] for one in table["allowed"]["exception"]),
    }
    stated = [one["licence"] for one in table["library"]] + list(table["debian"].values())
    stated += [one["licence"] for one in table["distribution"].values()]
    assert {name for name in stated if choose(name, allowed.__contains__) is None} == set()
    assert all(one["why"] for one in table["allowed"]["exception"])
    assert "GPL-3.0-only" not in allowed


def test_code_is_known_by_what_it_begins_with(tmp_path: Path) -> None:
    for name, start, code in (
        ("a", b"\x7fELF", True),
        ("b.png", b"MZ\x90", True),
        ("c", b"\xca\xfe\xba\xbe\x00\x00\x00\x02", True),
        ("D.class", b"\xca\xfe\xba\xbe\x00\x00\x00\x34", False),
        ("e.txt", b"text", False),
        ("f.so.1", b"text", True),
    ):
        path = tmp_path / name
        path.write_bytes(start)
        assert is_code(path) is code


def test_bundle_of_macos_is_read_and_gets_its_notices(build: Build) -> None:
    contents = build.bundle / "Contents"
    (contents / "MacOS").mkdir(parents=True)
    (build.bundle / "brainseg").rename(contents / "MacOS" / "brainseg")
    (build.bundle / "_internal").rename(contents / "Frameworks")
    (contents / "Resources").mkdir()
    (contents / "Frameworks" / "resources").rename(contents / "Resources" / "resources")
    (contents / "Frameworks" / "resources").symlink_to("../Resources/resources")
    assert run(build) == []
    table = json.loads((contents / "Resources/resources/licences/third-party.json").read_text("utf-8"))
    assert {part["name"] for part in table["parts"]} > {"Qt", "Python", "libtiff"}
    (contents / "Frameworks" / "libmystery.dylib").write_bytes(b"\xcf\xfa\xed\xfe")
    (problem,) = run(build)
    assert "Contents/Frameworks/libmystery.dylib" in problem
