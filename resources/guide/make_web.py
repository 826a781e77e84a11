"""Renders the user guide as plain web pages, from the same text that the program shows.

    python resources/guide/make_web.py [--into build/guide]

No scripts, no fonts and nothing from elsewhere: the folder can be opened from a disk or put on any server.
"""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Sequence
from html import escape
from pathlib import Path

from markdown_it import MarkdownIt

from brainseg_desktop import __version__
from brainseg_desktop.gui.guide.names import names_of_table
from brainseg_desktop.gui.guide.pages import INDEX, PICTURE, Entry, Names, read_contents, read_page, title_of

GUIDE = Path(__file__).parent
STYLE = GUIDE / "style.css"
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="stylesheet" href="style.css">
</head>
<body>
<nav aria-label="Contents">
<p><a href="index.html">BrainSeg Desktop {version}</a></p>
{contents}
</nav>
<main>
{body}
{ways}
<footer>For research use only. Not a medical device; not for diagnosis or treatment.</footer>
</main>
</body>
</html>
"""


def main() -> None:
    """Render all pages into a folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--into", type=Path, default=Path("build/guide"))
    into = parser.parse_args().into
    # Menus are made of Qt's parts, which want an application but no display.
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtWidgets import QApplication

    app = QApplication.instance() or QApplication([])
    pages = render(GUIDE, into, names_of_table())
    del app
    print(f"{len(pages)} pages in {into}")


def render(folder: Path, into: Path, names: Names) -> list[Path]:
    """Write the pages, their pictures and the style sheet into a folder, and name the pages."""
    into.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(STYLE, into / STYLE.name)
    entries = read_contents(folder)
    written = []
    for file in (INDEX, *(entry.file for entry in entries)):
        text = read_page(folder, file, names)
        for _, name in PICTURE.findall(text):
            (into / "pictures").mkdir(exist_ok=True)
            shutil.copyfile(folder / "pages" / name, into / "pictures" / Path(name).name)
        path = into / _web(file)
        path.write_text(_page(file, text, entries), encoding="utf-8")
        written.append(path)
    return written


def _page(file: str, text: str, entries: Sequence[Entry]) -> str:
    title = title_of(text)
    return _PAGE.format(
        title=escape(title if file == INDEX else f"{title} - User guide"),
        version=escape(__version__),
        contents=_contents(file, entries),
        body=_body(text),
        ways=_ways(file, entries),
    )


def _body(text: str) -> str:
    reader = MarkdownIt("commonmark").enable("table")
    tokens = reader.parse(text)
    for token in tokens:
        for part in token.children or ():
            if part.type == "image":
                part.attrs["src"] = f"pictures/{Path(str(part.attrs['src'])).name}"
                part.attrs["loading"] = "lazy"
            elif part.type == "link_open":
                part.attrs["href"] = _web(str(part.attrs["href"]))
    return str(reader.renderer.render(tokens, reader.options, {})).strip()


def _contents(file: str, entries: Sequence[Entry]) -> str:
    parts, group = [], None
    for entry in entries:
        if entry.group != group:
            parts += ["</ul>"] if group is not None else []
            parts += [f"<h2>{escape(entry.group)}</h2>", "<ul>"]
            group = entry.group
        here = ' aria-current="page"' if entry.file == file else ""
        parts.append(f'<li><a href="{_web(entry.file)}"{here}>{escape(entry.title)}</a></li>')
    return "\n".join([*parts, "</ul>"])


def _ways(file: str, entries: Sequence[Entry]) -> str:
    files = [INDEX, *(entry.file for entry in entries)]
    titles = ["User guide", *(entry.title for entry in entries)]
    at = files.index(file)
    links = []
    if at:
        links.append(f'<a rel="prev" href="{_web(files[at - 1])}">Before: {escape(titles[at - 1])}</a>')
    if at + 1 < len(files):
        links.append(f'<a rel="next" href="{_web(files[at + 1])}">Next: {escape(titles[at + 1])}</a>')
    return f'<p class="ways">{" ".join(links)}</p>'


def _web(file: str) -> str:
    return f"{file.removesuffix('.md')}.html"


if __name__ == "__main__":
    main()
