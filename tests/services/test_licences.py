"""The licences shown: of the packages in a source tree, from the build's notices in an installed app."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from brainseg_desktop.services import licences
from brainseg_desktop.services.licences import read_licences


def test_a_source_tree_knows_the_licence_and_text_of_what_it_needs() -> None:
    found = read_licences()
    assert "Apache License" in found.own
    parts = {part.name.lower(): part for part in found.parts}
    for name in ("numpy", "scipy", "nibabel", "pyqtgraph", "onnxruntime", "pydicom", "python"):
        assert parts[name].version, name
        assert parts[name].licence, name
    assert "Redistribution and use" in parts["numpy"].text
    assert "sample case" in parts
    assert "dejavu fonts" in parts
    # What only developers need is not carried.
    assert "pytest" not in parts
    assert [part.name.lower() for part in found.parts] == sorted(parts)


LINE = "=" * 100


def write_notices(resources: Path) -> None:
    """Both files as the build writes them."""
    folder = resources / "licences"
    folder.mkdir(parents=True)
    table = {
        "format": 1,
        "program": {"name": "BrainSeg Desktop", "version": "1", "licence": "Apache-2.0"},
        "notices": "THIRD-PARTY-NOTICES.txt",
        "parts": [
            {"name": "zlib", "version": "", "kind": "library", "licence": "Zlib", "source": "-", "files": []},
            {
                "name": "numpy",
                "version": "2.4",
                "kind": "package",
                "licence": "BSD",
                "source": "-",
                "files": [],
            },
            {
                "name": "num",
                "version": "2.4",
                "kind": "package",
                "licence": "MIT",
                "source": "-",
                "files": [],
            },
        ],
    }
    (folder / "third-party.json").write_text(json.dumps(table))
    (folder / "THIRD-PARTY-NOTICES.txt").write_text(
        "What is carried\n\nAll parts\n---------\n"
        "zlib\n    Licence: Zlib\n    Source:  -\n    Texts:   none needed\n\n"
        "numpy 2.4\n    Licence: BSD\n    Source:  -\n    Texts:   [1], [2]\n\n"
        "num 2.4\n    Licence: MIT\n    Source:  -\n    Texts:   [2]\n\n"
        "Licence texts\n-------------\n"
        f"{LINE}\n[1] numpy, LICENSE\n{LINE}\n\nthe first text\nof two lines\n\n"
        f"{LINE}\n[2] numpy, COPYING; num, LICENSE\n{LINE}\n\nthe second text\n"
    )
    (folder / "LICENSE").write_text("our own")


def test_an_installed_app_shows_what_its_build_wrote_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_notices(tmp_path)
    monkeypatch.setattr(licences, "resources_dir", lambda: tmp_path)
    found = read_licences()
    assert found.own == "our own"
    assert licences.installed_version("zlib") == ""
    assert licences.installed_version("num") == "2.4"
    assert licences.installed_version("nothing of the kind") is None
    assert {part.name: part.text for part in found.parts} == {
        "num": "the second text",
        "numpy": "the first text\nof two lines\n\nthe second text",
        "zlib": "",
    }


@pytest.mark.parametrize("spoilt", ["third-party.json", "THIRD-PARTY-NOTICES.txt"])
def test_a_spoilt_file_of_notices_takes_nothing_else_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoilt: str
) -> None:
    write_notices(tmp_path)
    path = tmp_path / "licences" / spoilt
    path.write_bytes(path.read_bytes()[:40])
    monkeypatch.setattr(licences, "resources_dir", lambda: tmp_path)
    found = read_licences()
    assert found.own == "our own"
    assert "numpy" in {part.name for part in found.parts}
