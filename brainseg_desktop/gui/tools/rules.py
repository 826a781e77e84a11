"""The constraints in words, for the views: a rule that is on must not be forgotten."""

from __future__ import annotations

from brainseg_desktop.core.constraints import Constraints
from brainseg_desktop.core.labels import TISSUE_NAMES
from brainseg_desktop.services.language import tr


def rules_in_words(constraints: Constraints) -> list[str]:
    """A line for each rule that is on.

    Examples
    --------
    >>> rules_in_words(Constraints(keep_others=True))
    ['other labels kept']
    """
    lines = []
    if constraints.keep_others:
        lines.append(tr("other labels kept"))
    if constraints.only_inside is not None:
        lines.append(tr("only inside {label}", label=TISSUE_NAMES[constraints.only_inside].lower()))
    if constraints.intensity is not None:
        rule = constraints.intensity
        decimals = 0 if rule.high - rule.low >= 20 else 2
        where = "outside" if rule.inverse else "only"
        lines.append(
            tr(
                "{where} {sequence} {low:.{decimals}f} to {high:.{decimals}f}",
                where=where,
                sequence=rule.sequence.value,
                low=rule.low,
                decimals=decimals,
                high=rule.high,
            )
        )
    if constraints.locked:
        names = ", ".join(sorted(TISSUE_NAMES[t].lower() for t in constraints.locked))
        lines.append(tr("locked: {names}", names=names))
    return lines
