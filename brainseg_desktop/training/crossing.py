"""The training side as networks of a cross-validation see it, each patient by one that has not met it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.training.architectures import build_network
from brainseg_desktop.training.calibration import Views
from brainseg_desktop.training.checkpoint import load_weights
from brainseg_desktop.training.config import Recipe
from brainseg_desktop.training.data.splits import part_of, patient_key
from brainseg_desktop.training.evaluate import network_views
from brainseg_desktop.training.exams import PreparedExam
from brainseg_desktop.training.targets import output_count

Tell = Callable[[str], None]


def crossed_views(recipe: Recipe, train: Sequence[PreparedExam], tell: Tell) -> Views:
    """What networks of a cross-validation say of exams that they have not met (`EvaluationConfig.parts`).

    Each exam is looked at once; its logits are kept in half precision.

    Parameters
    ----------
    train : sequence of PreparedExam
        The training side, all of it: the parts follow from who is on it.

    Raises
    ------
    UserError
        ``checkpoint_missing`` or ``checkpoint_unfit`` (params ``path``, ``reason``).
    """
    part = part_of((exam.patient for exam in train), len(recipe.evaluation.parts))
    networks = []
    for path in recipe.evaluation.parts:
        network = build_network(recipe.network, recipe.preparation.input_channels, output_count(recipe))
        load_weights(network, Path(path))
        networks.append(network_views(network.eval(), recipe))
    kept: dict[str, list[NDArray[np.float16]]] = {}

    def views(exam: PreparedExam) -> list[NDArray[np.float32]]:
        if exam.name not in kept:
            tell(f"{exam.name} as a network sees it that has not met it")
            kept[exam.name] = [v.astype(np.float16) for v in networks[part[patient_key(exam.patient)]](exam)]
        return [logits.astype(np.float32) for logits in kept[exam.name]]

    return views
