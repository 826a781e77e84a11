"""Finds the models in a folder and refuses weights that are not those of their card."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.inference.segmenter import Model, ModelCard

CARD_FILE = "model.toml"


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
    """Read the card in a model's folder and check the weights against it.

    Raises
    ------
    UserError
        ``model_missing`` where card or weights are absent, ``model_corrupt`` (params ``path``, ``reason``)
        where the card cannot be read or the weights have another sha256.
    """
    card = read_card(folder)
    weights = folder / card.weights
    if not weights.is_file():
        raise UserError("model_missing", path=weights, name=card.name)
    if sha256_of(weights) != card.sha256:
        raise UserError("model_corrupt", path=weights, name=card.name, reason="sha256")
    return Model(card, weights)


def read_card(folder: Path) -> ModelCard:
    """Read a card without looking at the weights."""
    path = folder / CARD_FILE
    try:
        return msgspec.toml.decode(path.read_bytes(), type=ModelCard)
    except OSError as error:
        raise UserError("model_missing", path=path, name=folder.name) from error
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError("model_corrupt", path=path, name=folder.name, reason=str(error)) from error


def sha256_of(path: Path) -> str:
    """Hexadecimal sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
