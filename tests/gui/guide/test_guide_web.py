"""The guide as web pages: each page, valid, self-contained, links and pictures there, no scripts."""

from __future__ import annotations

import importlib.util
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest
from PySide6.QtWidgets import QApplication

from brainseg_desktop.gui.guide.names import names_of_table
from brainseg_desktop.gui.guide.pages import guide_dir, read_contents

_VOID = {"meta", "link", "img", "br", "hr"}


class Checked(HTMLParser):
    """Notes tags and targets; an end without its start is an error."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.targets: list[str] = []
        self.alts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        values = dict(attrs)
        assert len(values) == len(attrs), f"<{tag}> names an attribute twice"
        self.targets += [value for name in ("href", "src") if (value := values.get(name))]
        if tag == "img":
            self.alts.append(values.get("alt") or "")
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            assert self.open, f"</{tag}> closes nothing"
            assert self.open.pop() == tag


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_web", guide_dir() / "make_web.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def web(qapp: QApplication, tmp_path: Path) -> Path:
    _script().render(guide_dir(), tmp_path / "web", names_of_table())
    return tmp_path / "web"


def test_pages_are_valid_and_whole(web: Path) -> None:
    pages = sorted(web.glob("*.html"))
    assert len(pages) == len(read_contents(guide_dir())) + 1
    for page in pages:
        text = page.read_text(encoding="utf-8")
        checked = Checked()
        checked.feed(text)
        checked.close()
        assert checked.open == [], page.name
        assert text.startswith("<!DOCTYPE html>")
        for tag in ("html", "title", "nav", "main", "h1"):
            assert checked.tags.count(tag) == 1, f"{page.name}: {tag}"
        assert "script" not in checked.tags
        assert all(checked.alts)
        for target in checked.targets:
            assert (web / target).is_file(), f"{page.name} leads to {target}"
        assert "{key:" not in text
        assert "{menu:" not in text
    assert "prefers-color-scheme: dark" in (web / "style.css").read_text()


def test_keys_are_those_of_the_table(web: Path) -> None:
    text = (web / "brush.html").read_text(encoding="utf-8")
    assert "Press <code>P</code> and paint" in text
    assert "<strong>Case &gt; Export...</strong>" in (web / "export.html").read_text(encoding="utf-8")


def test_pages_lead_forth_and_back(web: Path) -> None:
    files = ["index.html", *(e.file.replace(".md", ".html") for e in read_contents(guide_dir()))]
    for before, after in pairwise(files):
        assert f'rel="next" href="{after}"' in (web / before).read_text(encoding="utf-8")
        assert f'rel="prev" href="{before}"' in (web / after).read_text(encoding="utf-8")
