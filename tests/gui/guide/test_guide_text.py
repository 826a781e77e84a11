"""The text of the guide is true: names, keys, words of the program, links, pictures, figures."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtWidgets import QApplication

import brainseg_desktop
from brainseg_desktop.gui.actions import ACTIONS
from brainseg_desktop.gui.guide.guide_window import _PAGES
from brainseg_desktop.gui.guide.names import names_of_table
from brainseg_desktop.gui.guide.pages import (
    INDEX,
    LINK,
    MARK,
    PICTURE,
    fill,
    guide_dir,
    read_contents,
    title_of,
)
from brainseg_desktop.services.exporting.forms import FORMS

GUIDE = guide_dir()
ROOT = GUIDE.parents[1]
PAGES = sorted((GUIDE / "pages").glob("*.md"))
LIMIT_BYTES = 2_500_000
_BOLD = re.compile(r"\*\*([^*]+)\*\*")


def words_of_the_program() -> set[str]:
    """Every text constant of the package; a text with values in it by its parts."""
    found: set[str] = set()
    for path in Path(brainseg_desktop.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found | {spec.text.rstrip(".") for spec in ACTIONS}


@pytest.fixture(scope="module")
def program() -> set[str]:
    return words_of_the_program()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_names_keys_and_menu_places_exist(qapp: QApplication, page: Path) -> None:
    names = names_of_table()
    text = page.read_text(encoding="utf-8")
    for kind, name in MARK.findall(text):
        assert name in names.actions, name
        if kind == "menu":
            assert name in names.menus, f"{name} stands in no menu"
        if kind == "key":
            assert names.keys[name] or name in names.menus, f"{name} has neither key nor menu"
    filled = fill(text, names)
    assert not re.search(r"\{\w+:?\w*\}", filled), "a mark is misspelt"
    # Keys are written by marks only: written out, they would go stale.
    for spec in ACTIONS:
        for key in spec.keys:
            assert f"`{key}`" not in text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_bold_words_are_words_of_the_program(program: set[str], page: Path) -> None:
    sentences = "\n".join(text for text in program if " " in text)
    for bold in _BOLD.findall(page.read_text(encoding="utf-8")):
        assert bold in program or bold in sentences, f"the program does not say {bold!r}"


def test_each_page_is_listed_once_under_its_own_title() -> None:
    entries = read_contents(GUIDE)
    assert sorted(e.file for e in entries) == [p.name for p in PAGES if p.name != INDEX]
    for entry in entries:
        text = (GUIDE / "pages" / entry.file).read_text(encoding="utf-8")
        assert title_of(text) == entry.title
        assert PICTURE.search(text), f"{entry.file} has no picture"


def test_links_lead_to_pages() -> None:
    files = {page.name for page in PAGES}
    for page in PAGES:
        for _, target in LINK.findall(page.read_text(encoding="utf-8")):
            assert target in files, f"{page.name} leads to {target}"
    assert {*_PAGES.values(), "study.md"} <= files


def test_each_picture_exists_and_is_used() -> None:
    used = set()
    for page in PAGES:
        for words, name in PICTURE.findall(page.read_text(encoding="utf-8")):
            path = (page.parent / name).resolve()
            assert words.strip(), f"{name} on {page.name} has no words for who cannot see it"
            with Image.open(path) as picture:
                picture.verify()
            used.add(path)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    used |= {(ROOT / name).resolve() for _, name in PICTURE.findall(readme)}
    there = {p.resolve() for p in GUIDE.rglob("*.png")}
    assert there <= used, f"used nowhere: {there - used}"
    assert sum(p.stat().st_size for p in there) < LIMIT_BYTES


def test_every_form_of_export_is_named() -> None:
    text = (GUIDE / "pages" / "export.md").read_text(encoding="utf-8")
    for form in FORMS:
        assert f"**{form.title}**" in text


def test_figures_are_those_of_the_card() -> None:
    text = (GUIDE / "pages" / "limits.md").read_text(encoding="utf-8")
    card = (ROOT / "models" / "glioma-unet" / "README.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"\| (validation|test) \| (LGG|BraTS) \| (\w+) \| (\d+) \| ([\d.]+) \|.*?\| ([\d.]+) \|", card
    )
    assert len(rows) == 5
    said = re.findall(
        r"\| (LGG|BraTS), [^|]*?(validation|test) \| (\w+) \| ([\d.]+) \| ([\d.]+) \| (\d+) \|", text
    )
    held = {(data, side, region): (mean, n) for side, data, region, n, mean, _ in rows}
    assert {(d, s, r): (mean, n) for d, s, r, mean, _, n in said} == held


def test_the_picture_script_still_reaches_its_scenes(tmp_path: Path) -> None:
    """Scenes that need no network; the process is the real script."""
    done = subprocess.run(
        [sys.executable, str(GUIDE / "make_pictures.py"), "start", "keys", "--into", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | {"TMPDIR": str(tmp_path), "QT_QPA_PLATFORM": "offscreen"},
    )
    assert done.returncode == 0, done.stderr
    for name in ("start.png", "keys.png"):
        with Image.open(tmp_path / name) as picture, Image.open(GUIDE / "pictures" / name) as kept:
            assert picture.size == kept.size
            assert len(picture.convert("RGB").getcolors(1 << 20)) > 8
