"""Texts are looked up in catalogues of gettext, and nothing that is wrong with one stops the program."""

from __future__ import annotations

import ast
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import brainseg_desktop
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.gui.phrases import listed, step_words
from brainseg_desktop.services.language import languages, tr, tr_in, tr_many, use_language
from brainseg_desktop.services.messages import words, words_without_folders
from brainseg_desktop.services.paths import user_languages_dir
from tests.catalogues import extractor, write_catalogue

GERMAN = {
    "Open...": "Öffnen...",
    "{path} does not exist. Check the path.": "{path} gibt es nicht. Prüfen Sie den Pfad.",
    "the file": "die Datei",
    "{count} case\0{count} cases": "{count} Fall\0{count} Fälle",
    "a date\x04From": "Von",
    "From": "Ab",
    "{name} is read only.": "{Name} ist schreibgeschützt.",
    "{rater} is read only.": "{0} ist schreibgeschützt.",
    "Brush": "Pinsel",
    "axial": "axial gesehen",
    "and": "und",
}


@pytest.fixture(autouse=True)
def english_again() -> Iterator[None]:
    yield
    use_language("en")


@pytest.fixture
def german(tmp_path: Path) -> Path:
    write_catalogue(tmp_path, "de", GERMAN)
    assert use_language("de", tmp_path) is None
    return tmp_path


def test_texts_come_from_the_catalogue(german: Path) -> None:
    assert tr("Open...") == "Öffnen..."
    assert tr("Close case") == "Close case"
    assert use_language("en", german) is None
    assert tr("Open...") == "Open..."


def test_plural_forms_and_contexts(german: Path) -> None:
    assert tr_many("{count} case", "{count} cases", 1) == "1 Fall"
    assert tr_many("{count} case", "{count} cases", 7) == "7 Fälle"
    assert tr_in("a date", "From") == "Von"
    assert tr("From") == "Ab"


def test_the_head_of_a_catalogue_is_no_text(german: Path) -> None:
    assert tr("") == ""


def test_a_name_in_braces_that_was_changed_gives_the_english_text(german: Path) -> None:
    assert tr("{name} is read only.", name="AI") == "AI is read only."
    assert tr("{rater} is read only.", rater="AI") == "AI is read only."


def test_a_wrong_name_in_the_program_is_still_an_error(german: Path) -> None:
    with pytest.raises(KeyError):
        tr("{nobody} is here.", name="AI")


def test_errors_are_told_in_the_language_but_not_in_files(german: Path) -> None:
    error = UserError("file_missing", path=Path("a/b.nii"))
    assert words(error) == "a/b.nii gibt es nicht. Prüfen Sie den Pfad."
    assert words(UserError("file_missing")) == "Die Datei gibt es nicht. Prüfen Sie den Pfad."
    assert words_without_folders(error) == "b.nii does not exist. Check the path."


def test_a_broken_sentence_of_an_error_is_said_in_english(tmp_path: Path) -> None:
    write_catalogue(tmp_path, "de", {"{path} does not exist. Check the path.": "{path gibt es nicht."})
    use_language("de", tmp_path)
    assert words(UserError("file_missing", path=Path("b.nii"))) == "b.nii does not exist. Check the path."


def test_steps_are_shown_in_the_language_label_and_number_as_they_are(german: Path) -> None:
    assert step_words("Brush, enhancing, axial 77") == "Pinsel, enhancing, axial gesehen 77"
    assert listed(["T1", "T2"]) == "T1 und T2"


def test_the_users_own_catalogues_are_found() -> None:
    assert "de" not in languages()
    path = write_catalogue(user_languages_dir(), "de", GERMAN)
    assert languages()["de"] == path
    assert use_language("de") is None
    assert tr("Open...") == "Öffnen..."


def test_only_english_is_shipped() -> None:
    assert languages() == {}


@pytest.mark.parametrize("code", ["xx", "../de", ""])
def test_a_language_without_catalogue_is_english_and_said(code: str, german: Path) -> None:
    problem = use_language(code, german)
    assert problem is not None
    assert problem.code == "language_missing"
    assert tr("Open...") == "Open..."


def damage(path: Path, how: str) -> None:
    whole = path.read_bytes()
    if how == "empty":
        path.write_bytes(b"")
    elif how == "short":
        path.write_bytes(whole[:90])
    elif how == "rubbish":
        path.write_bytes(b"no catalogue at all" * 20)
    elif how == "plural":
        path.write_bytes(whole.replace(b"plural=n != 1", b"plural=n !! 1"))
    elif how == "charset":
        path.write_bytes(whole.replace(b"charset=UTF-8", b"charset=UTF_9"))
    elif how == "letters":
        path.write_bytes(whole.replace("Ö".encode(), b"\xff\xff"))
    elif how == "folder":
        path.unlink()
        path.mkdir()


@pytest.mark.parametrize("how", ["empty", "short", "rubbish", "plural", "charset", "letters", "folder"])
def test_a_damaged_catalogue_is_english_and_said(how: str, tmp_path: Path) -> None:
    path = write_catalogue(tmp_path, "de", GERMAN)
    damage(path, how)
    problem = use_language("de", tmp_path)
    assert problem is not None
    assert problem.code == "language_broken"
    assert str(path) in words(problem)
    assert tr("Open...") == "Open..."
    assert tr_many("{count} case", "{count} cases", 7) == "7 cases"


def test_no_cut_of_a_catalogue_stops_the_program(tmp_path: Path) -> None:
    path = write_catalogue(tmp_path, "de", GERMAN)
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        problem = use_language("de", tmp_path)
        assert tr("Open...") == ("Open..." if problem is not None else "Öffnen...")


# The list of texts -----------------------------------------------------------------------------------


def test_the_list_of_texts_is_up_to_date() -> None:
    extract = extractor()
    assert extract.POT.read_text(encoding="utf-8") == extract.template(extract.collect()), (
        "run: make translations"
    )


def test_the_list_holds_each_kind_of_text() -> None:
    found = {(entry.text, entry.many, entry.context) for entry in extractor().collect()}
    assert ("Segment with AI", "", "") in found  # of the table of actions
    assert ("From", "", "a date") in found
    assert ("{count} study found.", "{count} studies found.", "") in found
    assert ("Filled and outline", "", "") in found  # marked in a table
    assert ("{path} does not exist. Check the path.", "", "") in found


def test_a_text_that_is_put_together_first_is_refused() -> None:
    extract = extractor()
    with pytest.raises(extract.NotALiteralError):
        list(extract.texts_of('tr(f"{count} cases")'))


def test_texts_of_the_program_are_quoted_as_gettext_reads_them(tmp_path: Path) -> None:
    msgfmt = shutil.which("msgfmt")
    if msgfmt is None:
        pytest.skip("needs msgfmt of GNU gettext")
    extract = extractor()
    # Filled in as a translator's editor does.
    pot = extract.POT.read_text(encoding="utf-8")
    po = tmp_path / "brainseg.po"
    po.write_text(pot.replace("nplurals=INTEGER; plural=EXPRESSION", "nplurals=2; plural=n != 1"), "utf-8")
    made = subprocess.run([msgfmt, "--check-format", "-o", str(tmp_path / "b.mo"), str(po)], check=False)
    assert made.returncode == 0


def test_nothing_is_looked_up_before_the_language_is_known() -> None:
    """At the import of a module `tr` would answer in English for ever: such texts are marked instead."""
    package = Path(brainseg_desktop.__file__).parent
    for path in package.rglob("*.py"):
        for name, line in _at_import(ast.parse(path.read_text(encoding="utf-8"))):
            raise AssertionError(f"{path.name}:{line} calls {name} at its import; use mark")


def _at_import(node: ast.AST) -> Iterator[tuple[str, int]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            for default in (*child.args.defaults, *(d for d in child.args.kw_defaults if d is not None)):
                yield from _at_import(ast.Expression(default))
            continue
        if isinstance(child, ast.Call) and getattr(child.func, "id", "") in ("tr", "tr_in", "tr_many"):
            yield getattr(child.func, "id", ""), child.lineno
        yield from _at_import(child)
