"""A network's card on the screen: what it is for, what it learnt from, what was measured on whom."""

from __future__ import annotations

from html import escape
from pathlib import Path

from PySide6.QtWidgets import QDialog, QDialogButtonBox, QTextBrowser, QVBoxLayout, QWidget

from brainseg_desktop.gui.phrases import listed
from brainseg_desktop.inference.card import Figure, ModelCard, NetworkCard
from brainseg_desktop.services.language import mark, tr
from brainseg_desktop.services.models import KIND_NAMES

_COLUMNS = (
    mark("Data"),
    mark("Side"),
    mark("Region"),
    mark("Patients"),
    mark("Mean Dice"),
    mark("95 % interval"),
    mark("Median"),
    mark("Lowest"),
    mark("Dice by slice"),
    mark("Empty slices marked"),
)


class NetworkCardDialog(QDialog):
    """The card as a page that can be read and copied."""

    def __init__(self, card: ModelCard, folder: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("About the network {network}", network=card.name))
        self.resize(860, 560)
        page = QTextBrowser()
        page.setAccessibleName(tr("Card of the network"))
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
        f"<p>{escape(card.title)}. <b>{tr('For research use only.')}</b><br>",
        tr(
            "Licence of the weights: {licence}. Place: {folder}",
            licence=escape(card.licence),
            folder=escape(str(folder)),
        )
        + "</p>",
    ]
    for network in card.networks:
        parts.append(_network_html(network))
    return "".join(parts)


def _network_html(network: NetworkCard) -> str:
    kinds = listed([tr(KIND_NAMES[kind]) for kind in network.kinds])
    preparation = network.preparation
    together = len(preparation.context)
    parts = [
        f"<h3>{tr('For {kinds}: {regions}', kinds=kinds, regions=', '.join(network.regions))}</h3>",
        "<p>",
        tr(
            "{architecture}, {parameters:,} parameters; reads {channels}",
            architecture=escape(network.architecture),
            parameters=network.parameters,
            channels=escape(", ".join(preparation.channels)),
        ),
        tr(", {count} slices at a time.", count=together) if together > 1 else ".",
        "</p>",
    ]
    if network.figures:
        head = "".join(f"<th align='left'>{escape(tr(column))}</th>" for column in _COLUMNS)
        rows = "".join(f"<tr>{_cells(figure)}</tr>" for figure in network.figures)
        parts.append(f"<table cellpadding='4' cellspacing='0'><tr>{head}</tr>{rows}</table>")
    else:
        parts.append(f"<p>{tr('Nothing was measured on held-out patients.')}</p>")
    for region, calibration in network.calibration.items():
        parts.append(
            "<p>"
            + tr(
                "{region}: probabilities are off by {after:.1f} % on average (expected calibration error; "
                "{before:.1f} % before calibration).",
                region=escape(region),
                after=100 * calibration.ece_after,
                before=100 * calibration.ece_before,
            )
            + "</p>"
        )
    if network.training_data:
        items = "".join(f"<li>{escape(line)}</li>" for line in network.training_data)
        counts = tr(
            "Learnt from ({training} patients for training, {validation} for validation, {test} for the "
            "test):",
            training=len(network.train),
            validation=len(network.validation),
            test=len(network.test),
        )
        parts.append(f"<p>{counts}</p><ul>{items}</ul>")
    if network.note:
        parts.append(f"<p>{escape(network.note)}</p>")
    return "".join(parts)


def _cells(figure: Figure) -> str:
    # An interval of one patient says nothing.
    interval = tr("{low:.3f} to {high:.3f}", low=figure.low, high=figure.high) if figure.n > 1 else "-"
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
