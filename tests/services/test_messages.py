"""Every code that is raised anywhere has its sentence, and every sentence is fit to be read."""

from __future__ import annotations

import ast
import string
from collections import defaultdict
from pathlib import Path

import pytest

import brainseg_desktop
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.services.messages import SENTENCES, words

PACKAGE = Path(brainseg_desktop.__file__).parent


def codes_in_use() -> dict[str, set[str]]:
    """Codes given to `UserError`, with the names of the parameters of each."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            code = node.args[0]
            if name == "UserError" and isinstance(code, ast.Constant):
                found[code.value] |= {k.arg for k in node.keywords if k.arg is not None}
    return found


CODES = codes_in_use()


def test_every_code_has_a_sentence() -> None:
    assert set(CODES) <= set(SENTENCES)


@pytest.mark.parametrize("code", sorted(CODES))
def test_a_sentence_names_only_what_the_error_knows(code: str) -> None:
    # A path may be added by whoever knows the file.
    named = {field for _, field, _, _ in string.Formatter().parse(SENTENCES[code]) if field}
    assert named <= CODES[code] | {"path"}


@pytest.mark.parametrize("code", sorted(SENTENCES))
def test_a_sentence_ends_and_stays_on_one_line(code: str) -> None:
    sentence = SENTENCES[code]
    assert "\n" not in sentence
    assert sentence.endswith((".", "]'"))


def test_parameters_are_told_in_words() -> None:
    error = UserError("label_outside_scheme", path=Path("m.nii"), values=[3, 4], scheme="lgg")
    assert "3, 4" in words(error)
    assert "4 x 5 x 6 x 2" in words(UserError("image_4d", path=Path("m.nii"), shape=(4, 5, 6, 2)))


def test_an_error_without_its_file_still_makes_a_sentence() -> None:
    assert words(UserError("label_not_whole", low=0.5, high=9.0)).startswith("The file ")


def test_an_unknown_code_is_told_as_it_is() -> None:
    assert "never_heard_of" in words(UserError("never_heard_of", path="a"))
