"""The constraints in words, for the views: a rule that is on must not be forgotten."""

from __future__ import annotations

from brainseg_desktop.core.constraints import Constraints
from brainseg_desktop.core.labels import TISSUE_NAMES


def rules_in_words(constraints: Constraints) -> list[str]:
    """A line for each rule that is on.

    Examples
    --------
    >>> rules_in_words(Constraints(keep_others=True))
    ['other labels kept']
    """
    lines = []
    if constraints.keep_others:
        lines.append("other labels kept")
    if constraints.only_inside is not None:
        lines.append(f"only inside {TISSUE_NAMES[constraints.only_inside].lower()}")
    if constraints.intensity is not None:
        rule = constraints.intensity
        decimals = 0 if rule.high - rule.low >= 20 else 2
        where = "outside" if rule.inverse else "only"
        lines.append(f"{where} {rule.sequence.value} {rule.low:.{decimals}f} to {rule.high:.{decimals}f}")
    if constraints.locked:
        names = ", ".join(sorted(TISSUE_NAMES[t].lower() for t in constraints.locked))
        lines.append(f"locked: {names}")
    return lines
