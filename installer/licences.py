"""The licence gate: run on a frozen folder, it writes the third-party notices into it or refuses the build.

    python installer/licences.py dist/brainseg-desktop

is run with the interpreter that froze it. It ends with 1 and says why, one sentence a line, where a part is
under the GPL or AGPL, under a licence nobody has allowed, without a licence or its text, or has no owner.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inventory import Inventory, Part, frozen_modules, read_table, read_texts, take_inventory
from notices import write_notices
from owners import Environment
from spdx import choose, identifiers

# Texts that go along whatever the part brings: those that a copyleft licence asks for in full.
_STANDARD_TEXTS = {
    "LGPL-3.0-only": ["LGPL-3.0.txt", "GPL-3.0.txt"],
    "LGPL-3.0-or-later": ["LGPL-3.0.txt", "GPL-3.0.txt"],
    "LGPL-2.1-only": ["LGPL-2.1.txt"],
    "LGPL-2.1-or-later": ["LGPL-2.1.txt"],
    "LGPL-2.0-or-later": ["LGPL-2.0.txt"],
    "GPL-3.0-or-later": ["GPL-3.0.txt"],
    "MPL-1.1": ["MPL-1.1.txt"],
    "MPL-2.0": ["MPL-2.0.txt"],
    "Apache-2.0": ["Apache-2.0.txt"],
}


_TABLE = "installer/third_party/parts.toml"


class RefusedError(Exception):
    """The frozen folder holds something that may not be shipped; one sentence for each in `problems`."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def judge(inventory: Inventory, table: dict[str, Any]) -> list[Part]:
    """Choose a licence for each part and gather its texts; the parts that the user may replace come back.

    Raises
    ------
    RefusedError
        Where any part may not be shipped; all of them are named, not only the first.
    """
    problems, replaceable = list(inventory.problems), []
    for part in inventory.parts:
        problem = _judge_part(part, table["allowed"])
        if problem is not None:
            problems.append(problem)
        elif any(name in table["allowed"]["replaceable"] for name in identifiers(part.licence or "")):
            replaceable.append(part)
    if problems:
        raise RefusedError(problems)
    return replaceable


def _judge_part(part: Part, allowed: dict[str, Any]) -> str | None:
    """What is wrong with a part, or None; the licence that was chosen is set, its texts are added."""
    named = f"{part.name} {part.version}".strip() + (f" ({_some(part.files)})" if part.files else "")
    if part.licence is None:
        return f"{named} has no known licence. Look at its text and write it into {_TABLE}."
    names = {
        *allowed["permissive"],
        *allowed["replaceable"],
        *(one["licence"] for one in allowed["exception"]),
    }
    try:
        chosen = choose(part.licence, names.__contains__)
    except ValueError as error:
        return f"{named} states a licence that cannot be read: {error}."
    if chosen is None:
        if "GPL-" in part.licence.replace("LGPL-", ""):
            return f"{named} is under {part.licence}, which may not be shipped. Leave it out of the build."
        return f"{named} is under {part.licence}, which nobody has allowed in {_TABLE}."
    part.licence = chosen
    for name in identifiers(chosen):
        if name != "Apache-2.0" or not part.texts:
            part.texts.update(read_texts(_STANDARD_TEXTS.get(name, [])))
    if not part.texts and "LicenseRef-Microsoft-Redistributable" not in chosen:
        return f"{named} comes without its licence text. Put it beside {_TABLE} and name it there."
    return None


def _some(files: list[str]) -> str:
    return ", ".join(files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")


def notices_folder(bundle: Path) -> Path:
    """Where the program looks for its notices: beside its other resources."""
    for contents in (bundle / "Contents" / "Resources", bundle / "_internal"):
        if contents.is_dir():
            return contents / "resources" / "licences"
    return bundle / "resources" / "licences"


def check(
    bundle: Path,
    environment: Environment,
    version: str,
    modules: list[str] | None = None,
    **finder: Callable[..., Any],
) -> list[Part]:
    """Take the inventory of a frozen folder, judge it, and write the notices into it.

    Raises
    ------
    RefusedError
        Where something in it may not be shipped; nothing is written then.
    """
    table = read_table()
    inventory = take_inventory(
        bundle, environment, table, frozen_modules(bundle) if modules is None else modules, **finder
    )
    replaceable = judge(inventory, table)
    write_notices(inventory.parts, replaceable, notices_folder(bundle), version)
    return inventory.parts


def main() -> None:
    """Check the folder named on the command line."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from brainseg_desktop import __version__

    parser = argparse.ArgumentParser(
        description="Write the third-party notices of a frozen folder, or refuse it."
    )
    parser.add_argument("bundle", type=Path, help="the folder that PyInstaller made")
    bundle = parser.parse_args().bundle
    try:
        parts = check(bundle, Environment(), __version__)
    except RefusedError as refusal:
        print(*refusal.problems, sep="\n", file=sys.stderr)
        print(f"{len(refusal.problems)} reasons not to ship {bundle}.", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        sys.exit(f"{bundle} could not be checked: {error}.")
    print(
        f"{len(parts)} parts of others in {bundle}, all under licences that may be shipped; notices written."
    )


if __name__ == "__main__":
    main()
