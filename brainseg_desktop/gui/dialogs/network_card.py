"""A network's card on the screen: what it is for, what it learnt from, what was measured on whom."""

from __future__ import annotations

from html import escape
from pathlib import Path

from PySide6.QtWidgets import QDialog, QDialogButtonBox, QTextBrowser, QVBoxLayout, QWidget

from brainseg_desktop.inference.card import Figure, ModelCard, NetworkCard
from brainseg_desktop.services.models import KIND_NAMES

_COLUMNS = (
    "Data",
    "Side",
    "Region",
    "Patients",
    "Mean Dice",
    "95 % interval",
    "Median",
    "Lowest",
    "Dice by slice",
    "Empty slices marked",
)


class NetworkCardDialog(QDialog):
    """The card as a page that can be read and copied."""

    def __init__(self, card: ModelCard, folder: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"About the network {card.name}")
        self.resize(860, 560)
        page = QTextBrowser()
        page.setAccessibleName("Card of the network")
        page.setOpenLinks(False)
        page.setHtml(card_html(card, folder))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(page)
        layout.addWidget(buttons)


def card_html(card: ModelCard, folder: Path) -> str:
    """The page; every text of the card is escaped, since anyone may have written it."""
    parts = [
        f"<h2>{escape(card.name)} {escape(card.version)}</h2>",
        f"<p>{escape(card.title)}. <b>For research use only.</b><br>",
        f"Licence of the weights: {escape(card.licence)}. Place: {escape(str(folder))}</p>",
    ]
    for network in card.networks:
        parts.append(_network_html(network))
    return "".join(parts)


def _network_html(network: NetworkCard) -> str:
    kinds = " and ".join(KIND_NAMES[kind] for kind in network.kinds)
    preparation = network.preparation
    together = len(preparation.context)
    parts = [
        f"<h3>For {kinds}: {', '.join(network.regions)}</h3>",
        f"<p>{escape(network.architecture)}, {network.parameters:,} parameters; reads ",
        f"{escape(', '.join(preparation.channels))}",
        f", {together} slices at a time.</p>" if together > 1 else ".</p>",
    ]
    if network.figures:
        head = "".join(f"<th align='left'>{column}</th>" for column in _COLUMNS)
        rows = "".join(f"<tr>{_cells(figure)}</tr>" for figure in network.figures)
        parts.append(f"<table cellpadding='4' cellspacing='0'><tr>{head}</tr>{rows}</table>")
    else:
        parts.append("<p>Nothing was measured on held-out patients.</p>")
    for region, calibration in network.calibration.items():
        parts.append(
            f"<p>{escape(region)}: probabilities are off by {100 * calibration.ece_after:.1f} % on average "
            f"(expected calibration error; {100 * calibration.ece_before:.1f} % before calibration).</p>"
        )
    if network.training_data:
        items = "".join(f"<li>{escape(line)}</li>" for line in network.training_data)
        counts = f"{len(network.train)} patients for training, {len(network.validation)} for validation"
        parts.append(f"<p>Learnt from ({counts}, {len(network.test)} for the test):</p><ul>{items}</ul>")
    if network.note:
        parts.append(f"<p>{escape(network.note)}</p>")
    return "".join(parts)


def _cells(figure: Figure) -> str:
    # An interval of one patient says nothing.
    interval = f"{figure.low:.3f} to {figure.high:.3f}" if figure.n > 1 else "-"
    texts = (
        figure.data,
        figure.side,
        figure.region,
        str(figure.n),
        f"{figure.dice:.3f}",
        interval,
        f"{figure.median:.3f}",
        f"{figure.lowest:.3f}",
        f"{figure.slice_dice:.3f}",
        f"{100 * figure.false_slices:.1f} %",
    )
    return "".join(f"<td>{escape(text)}</td>" for text in texts)
