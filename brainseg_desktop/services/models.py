"""The networks that can be chosen: those of the program, and those that a user has put into a folder."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.inference.card import Model, ModelCard, NetworkCard
from brainseg_desktop.inference.preprocess import CHANNELS
from brainseg_desktop.inference.registry import CARD_FILE, PICKLED, list_models, read_model
from brainseg_desktop.io.resources import models_dir
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.paths import user_models_dir

DEFAULT_MODEL = "glioma-unet"
KIND_NAMES = {"whole_head": "whole heads", "skull_stripped": "skull-stripped brains"}
_WEIGHTS = (".onnx", *PICKLED)


@dataclass(frozen=True, slots=True)
class Offer:
    """A network that may be chosen, or something that looks like one and cannot be used.

    Parameters
    ----------
    name : str
        Of its folder; what ``--model`` takes.
    folder : Path
    is_own : bool
        Whether the user has put it there.
    card : ModelCard or None
    problem : UserError or None
        Why it cannot be used.
    """

    name: str
    folder: Path
    is_own: bool
    card: ModelCard | None = None
    problem: UserError | None = None

    def to_dict(self) -> dict[str, Any]:
        """One entry of the JSON of ``brainseg models``."""
        card = self.card
        networks = card.networks if card is not None else ()
        return {
            "name": self.name,
            "version": card.version if card is not None else None,
            "title": card.title if card is not None else None,
            "licence": card.licence if card is not None else None,
            "folder": str(self.folder),
            "own": self.is_own,
            "problem": None if self.problem is None else words(self.problem),
            "networks": [
                {
                    "kinds": list(network.kinds),
                    "regions": list(network.regions),
                    "channels": list(network.preparation.channels),
                    "architecture": network.architecture,
                    "parameters": network.parameters,
                    "figures": [msgspec.to_builtins(figure) for figure in network.figures],
                }
                for network in networks
            ],
        }


def measured(network: NetworkCard) -> str:
    """The held-out means of a card in one line: of the test side where there is one, else of validation.

    Examples
    --------
    >>> measured(NetworkCard(kinds=(), weights="", sha256="", architecture="", parameters=0, regions=()))
    '-'
    """
    side = "test" if any(f.side == "test" for f in network.figures) else "validation"
    said = [f"{f.region} {f.dice:.3f} ({f.data} {side}, n={f.n})" for f in network.figures if f.side == side]
    return ", ".join(said) or "-"


def default_model_dir() -> Path:
    """Folder of the bundled network."""
    return models_dir() / DEFAULT_MODEL


def list_offers() -> list[Offer]:
    """All networks, the bundled ones first; each is checked as if it were to be used."""
    bundled = [_offer(models_dir() / name, is_own=False) for name in list_models(models_dir())]
    taken = {offer.name for offer in bundled}
    own = [_offer(place, is_own=True, taken=taken) for place in _own_places()]
    bundled.sort(key=lambda offer: (offer.name != DEFAULT_MODEL, offer.name))
    return bundled + own


def find_network(name: str | None) -> Path:
    """Folder of a network: the bundled one, another by its name, or any folder.

    Raises
    ------
    UserError
        ``model_unknown``, ``model_for_pictures`` and those of `registry.read_model`: told before work begins,
        not by the worker.
    """
    if name is None:
        return _usable(default_model_dir()).folder
    if (Path(name) / CARD_FILE).is_file():
        return _usable(Path(name)).folder
    roots = (models_dir(), user_models_dir())
    for root in roots:
        if name in list_models(root):
            return _usable(root / name).folder
    known = sorted({known for root in roots for known in list_models(root)})
    raise UserError("model_unknown", name=name, known=known, path=user_models_dir())


def _own_places() -> list[Path]:
    """What in the user's folder is a network or seems to be meant as one."""
    root = user_models_dir()
    try:
        places = sorted(place for place in root.iterdir() if not place.name.startswith("."))
    except OSError:
        return []
    return [place for place in places if place.is_dir() or place.suffix.lower() in _WEIGHTS]


def _offer(place: Path, *, is_own: bool, taken: Collection[str] = ()) -> Offer:
    try:
        if place.name in taken:
            raise UserError("model_name_taken", path=place, name=place.name)
        return Offer(place.name, place, is_own, card=_usable(place).card)
    except UserError as error:
        return Offer(place.name, place, is_own, problem=error)


def _usable(folder: Path) -> Model:
    """The model in a folder, if it is one for MRI sequences."""
    if not folder.is_dir() and folder.suffix.lower() in PICKLED:
        raise UserError("model_pickled", path=folder)
    if folder.is_file():
        raise UserError("model_not_in_folder", path=folder)
    pickled = [p for p in sorted(folder.glob("*")) if p.suffix.lower() in PICKLED]
    if pickled and not (folder / CARD_FILE).is_file():
        raise UserError("model_pickled", path=pickled[0])
    model = read_model(folder)
    for network in model.card.networks:
        if not set(network.preparation.channels) <= {str(s.value) for s in CHANNELS}:
            channels = list(network.preparation.channels)
            raise UserError("model_for_pictures", name=model.card.name, channels=channels)
    return model
