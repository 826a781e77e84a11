"""Finds the models in a folder and refuses what is not what its card says."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.inference.card import Model, ModelCard, NetworkCard
from brainseg_desktop.inference.graph import FLOAT, End, read_ends
from brainseg_desktop.inference.kinds import KINDS
from brainseg_desktop.inference.weights import INPUT, OUTPUT

CARD_FILE = "model.toml"
# Forms that Python reads by running what is in them.
PICKLED = (".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin", ".joblib")
REGIONS = (("WT",), ("WT", "TC", "ET"))
# The networks halve a slice up to four times.
MULTIPLE = 16


def list_models(root: Path) -> list[str]:
    """Names of the models in a folder, sorted."""
    if not root.is_dir():
        return []
    return sorted(folder.name for folder in root.iterdir() if (folder / CARD_FILE).is_file())


def find_model(root: Path, name: str) -> Model:
    """The model of that name.

    Raises
    ------
    UserError
        ``model_unknown`` (params ``name``, ``known``, ``path``) or those of `read_model`.
    """
    known = list_models(root)
    if name not in known:
        raise UserError("model_unknown", name=name, known=known, path=root)
    return read_model(root / name)


def read_model(folder: Path) -> Model:
    """Read the card in a model's folder and check every weights file against it.

    Raises
    ------
    UserError
        ``model_missing`` where card or weights are absent, ``card_invalid`` (params ``path``, ``reason``),
        ``model_pickled``, ``model_corrupt`` for another sha256, ``weights_not_onnx`` (``path``, ``reason``),
        ``weights_unfit`` (``path``, ``reason``) if the graph is not the one the card describes.
    """
    card = read_card(folder)
    for network in card.networks:
        _check_weights(folder / network.weights, card, network)
    return Model(folder, card)


def read_card(folder: Path) -> ModelCard:
    """Read a card without looking at the weights.

    Raises
    ------
    UserError
        ``model_missing``, ``card_invalid``.
    """
    path = folder / CARD_FILE
    try:
        card = msgspec.toml.decode(path.read_bytes(), type=ModelCard)
    except OSError as error:
        raise UserError("model_missing", path=path, name=folder.name) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError("card_invalid", path=path, reason=str(error)) from error
    reason = contradiction(card)
    if reason is not None:
        raise UserError("card_invalid", path=path, reason=reason)
    return card


def contradiction(card: ModelCard) -> str | None:
    """What in a card cannot be, in words; None if nothing."""
    kinds = [kind for network in card.networks for kind in network.kinds]
    if not card.networks or not all(network.kinds for network in card.networks):
        return "each card needs a network, and each network a kind of exam"
    if unknown := sorted(set(kinds) - set(KINDS)):
        return f"there is no kind of exam {', '.join(unknown)}"
    if len(set(kinds)) < len(kinds):
        return "two networks for one kind of exam"
    for network in card.networks:
        preparation = network.preparation
        if network.regions not in REGIONS:
            return f"regions are WT, or WT, TC and ET, not {', '.join(network.regions) or 'none'}"
        if Path(network.weights).name != network.weights:
            return f"{network.weights} is not a file beside the card"
        if not preparation.channels or len(set(preparation.channels)) < len(preparation.channels):
            return "preparation.channels must name each sequence once"
        if 0 not in preparation.context:
            return "preparation.context must hold the slice itself, 0"
        if preparation.size is not None and any(n < MULTIPLE or n % MULTIPLE for n in preparation.size):
            return f"preparation.size must be multiples of {MULTIPLE}"
        if not preparation.spacing_mm > 0:
            return "preparation.spacing_mm must be above 0"
        if not all(0 < t < 1 for t in network.postprocess.thresholds.values()):
            return "thresholds lie between 0 and 1"
    return None


def _check_weights(path: Path, card: ModelCard, network: NetworkCard) -> None:
    if path.suffix.lower() in PICKLED:
        raise UserError("model_pickled", path=path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError("model_missing", path=path, name=card.name) from error
    if hashlib.sha256(content).hexdigest() != network.sha256:
        raise UserError("model_corrupt", path=path, name=card.name, reason="its sha256 differs")
    try:
        inputs, outputs = read_ends(content)
    except ValueError as error:
        raise UserError("weights_not_onnx", path=path, reason=str(error)) from error
    channels = network.preparation.input_channels
    for what, ends, name, count in (
        ("input", inputs, INPUT, channels),
        ("output", outputs, OUTPUT, len(network.regions)),
    ):
        if not _fits(ends, name, count):
            raise UserError(
                "weights_unfit",
                path=path,
                what=what,
                wanted=f"{name} with {count} channels",
                found=_told(ends),
            )


def _fits(ends: tuple[End, ...], name: str, channels: int) -> bool:
    """Whether there is this one end: floats (N, channels, H, W); a size left open is taken at its word."""
    if len(ends) != 1 or ends[0].name != name or ends[0].dtype != FLOAT:
        return False
    dims = ends[0].dims
    return len(dims) == 4 and dims[1] in (None, channels)


def _told(ends: tuple[End, ...]) -> str:
    return (
        ", ".join(f"{e.name} ({' x '.join('?' if d is None else str(d) for d in e.dims)})" for e in ends)
        or "none"
    )
