"""Writes brainseg.pot, the list of all texts of the window; `make translations` runs it.

Texts are found where they are handed to `tr`, `tr_in`, `tr_many` and `mark`, and in the tables of `tables`,
whose lines are looked up when they are shown. Babel could do the first; it would be one more package to keep.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import brainseg_desktop

HERE = Path(__file__).resolve().parent
POT = HERE / "brainseg.pot"
PACKAGE = Path(brainseg_desktop.__file__).resolve().parent
HEAD = """\
# Texts of BrainSeg Desktop. How to translate them stands in README.md beside this file.
# Made by extract.py; do not edit.
msgid ""
msgstr ""
"Project-Id-Version: brainseg\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=UTF-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: nplurals=INTEGER; plural=EXPRESSION;\\n"
"""


@dataclass(frozen=True, order=True, slots=True)
class Text:
    """One entry of the catalogue; `many` is empty where the text has no plural form."""

    text: str
    many: str = ""
    context: str = ""


class NotALiteralError(ValueError):
    """A text that is put together before it is looked up, so that no catalogue can hold it."""


def texts_of(source: str) -> Iterator[Text]:
    """The texts that the calls in a source file look up."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        name = node.func.id
        if name not in ("tr", "mark", "tr_many", "tr_in"):
            continue
        given = [list(_literals(argument)) for argument in node.args[:2]]
        if name in ("tr", "mark"):
            yield from (Text(text) for text in given[0])
        elif name == "tr_many":
            yield from (Text(one, many) for one, many in zip(given[0], given[1], strict=True))
        elif name == "tr_in":
            yield from (Text(text, context=context) for context in given[0] for text in given[1])


def _literals(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _literals(node.body)
        yield from _literals(node.orelse)
    elif isinstance(node, ast.JoinedStr):
        raise NotALiteralError(f"line {node.lineno}: {ast.unparse(node)}")


def tables() -> Iterator[tuple[str, str]]:
    """Texts of tables, with the file each stands in."""
    from brainseg_desktop.core.case import RaterKind
    from brainseg_desktop.core.histogram import WINDOW_SHARES
    from brainseg_desktop.core.palettes import Vision
    from brainseg_desktop.gui.actions import ACTIONS, MOUSE
    from brainseg_desktop.services import messages, models, pair_tables
    from brainseg_desktop.services.compare import DEFINITIONS
    from brainseg_desktop.services.consensus import TITLES
    from brainseg_desktop.services.exporting.forms import FORMS
    from brainseg_desktop.services.pair_report import KAPPA_RULE
    from brainseg_desktop.services.studies.results import MEASURES
    from brainseg_desktop.services.studies.study import FLAGS

    for action in ACTIONS:
        yield from ((text, "gui/actions.py") for text in (action.text, action.tip, action.group))
    yield from ((text, "gui/actions.py") for line in MOUSE for text in line)
    yield from ((text, "services/messages.py") for text in messages.SENTENCES.values())
    said = (messages.THE_FILE, messages.UNKNOWN, messages.NONE, messages.SOMETHING_WRONG)
    yield from ((text, "services/messages.py") for text in said)
    yield from ((text, "services/models.py") for text in models.KIND_NAMES.values())
    yield from ((text, "services/pair_tables.py") for text in pair_tables.LESION_COLUMNS)
    for column in pair_tables.COLUMNS:
        yield from ((text, "services/pair_tables.py") for text in (column.heading, column.name))
    yield from ((text, "services/compare.py") for text in DEFINITIONS.values())
    yield KAPPA_RULE, "services/pair_report.py"
    yield from ((text, "services/consensus.py") for text in TITLES.values())
    yield from ((text, "services/studies/study.py") for text in FLAGS.values())
    yield from ((text, "core/palettes.py") for text in (vision.value for vision in Vision))
    yield from ((text, "core/case.py") for text in (kind.value for kind in RaterKind))
    yield from ((text, "services/exporting/forms.py") for text in (form.says for form in FORMS))
    yield from ((text, "services/studies/results.py") for text in (measure.title for measure in MEASURES))
    for share in WINDOW_SHARES:
        yield from ((text, "core/histogram.py") for text in (share.title, share.purpose))


def collect() -> dict[Text, set[str]]:
    """All texts of the package, with the files each stands in."""
    found: dict[Text, set[str]] = defaultdict(set)
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).as_posix()
        for text in texts_of(path.read_text(encoding="utf-8")):
            found[text].add(place)
    for line, place in tables():
        found[Text(line)].add(place)
    # A text with and without a plural form is one entry to gettext.
    plural = {text.text for text in found if text.many}
    for text in [text for text in found if text.text in plural and not text.many and not text.context]:
        del found[text]
    return {text: places for text, places in found.items() if text.text}


def template(found: dict[Text, set[str]]) -> str:
    """The .pot file; without line numbers and dates, so that it changes only where a text does."""
    parts = [HEAD]
    for text, places in sorted(found.items(), key=lambda item: (min(item[1]), item[0])):
        lines = [f"#: brainseg_desktop/{place}" for place in sorted(places)]
        if "{" in text.text:
            lines.append("#, python-brace-format")
        if text.context:
            lines.append(f"msgctxt {_quoted(text.context)}")
        lines.append(f"msgid {_quoted(text.text)}")
        if text.many:
            lines += [f"msgid_plural {_quoted(text.many)}", 'msgstr[0] ""', 'msgstr[1] ""']
        else:
            lines.append('msgstr ""')
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    first, *rest = (part for part in escaped.splitlines(keepends=True))
    if not rest:
        return f'"{escaped}"'.replace("\n", "\\n")
    return "\n".join(['""', *(f'"{part}"'.replace("\n", "\\n") for part in (first, *rest))])


if __name__ == "__main__":
    every = collect()
    POT.write_text(template(every), encoding="utf-8")
    print(f"{POT}: {len(every)} texts")
