"""The macOS bundle: what its property lists say, and that its script is one that a shell can read."""

from __future__ import annotations

import plistlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parents[2] / "installer" / "macos"
sys.path.insert(0, str(HERE))

from info_plist import info_plist  # noqa: E402


def test_info_plist_survives_its_own_form() -> None:
    plist = info_plist("1.2.3")
    assert plistlib.loads(plistlib.dumps(plist)) == plist
    assert plist["CFBundleShortVersionString"] == "1.2.3"
    assert plist["NSHighResolutionCapable"] is True
    assert plist["CFBundleExecutable"] == "brainseg-desktop"


def test_every_kind_of_file_is_declared_and_taken_from_nobody() -> None:
    plist = info_plist("1.2.3")
    declared = {
        kind["UTTypeIdentifier"]: kind["UTTypeTagSpecification"]["public.filename-extension"]
        for kind in plist["UTImportedTypeDeclarations"]
    }
    opened = [name for document in plist["CFBundleDocumentTypes"] for name in document["LSItemContentTypes"]]
    assert sorted(opened) == sorted(declared)
    assert sorted(ending for endings in declared.values() for ending in endings) == ["dcm", "nii", "nii.gz"]
    assert {document["LSHandlerRank"] for document in plist["CFBundleDocumentTypes"]} == {"Alternate"}


def test_entitlements_are_those_two_and_no_more() -> None:
    entitlements = plistlib.loads((HERE / "entitlements.plist").read_bytes())
    assert entitlements == {
        "com.apple.security.cs.allow-unsigned-executable-memory": True,
        "com.apple.security.cs.disable-library-validation": True,
    }


@pytest.mark.skipif(shutil.which("plutil") is None, reason="plutil is macOS's")
def test_plutil_takes_the_entitlements() -> None:
    subprocess.run(["plutil", "-lint", str(HERE / "entitlements.plist")], check=True)


def test_shell_reads_the_script() -> None:
    subprocess.run(["bash", "-n", str(HERE / "make_dmg.sh")], check=True)


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="needs shellcheck: apt-get install shellcheck")
def test_shellcheck_has_nothing_to_say() -> None:
    said = subprocess.run(
        ["shellcheck", str(HERE / "make_dmg.sh")], capture_output=True, text=True, check=False
    )
    assert said.stdout == ""
    assert said.returncode == 0


@pytest.mark.parametrize("arguments", [[], ["no-such-bundle.app", "image.dmg"]])
def test_script_without_a_bundle_says_so_and_makes_nothing(tmp_path: Path, arguments: list[str]) -> None:
    said = subprocess.run(
        ["bash", str(HERE / "make_dmg.sh"), *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode != 0
    assert "bundle" in said.stderr
    assert list(tmp_path.iterdir()) == []
