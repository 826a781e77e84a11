"""The bundled network outlines a case: a new rating of kind model, never in the place of another."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.case import Case, RaterKind, Rating
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.core.labels import LabelScheme, Tissue
from brainseg_desktop.core.volume import Sequence, Volume
from brainseg_desktop.inference.card import ModelCard, Postprocess
from brainseg_desktop.inference.registry import read_card
from brainseg_desktop.inference.scope import is_hopeless, outside_scope
from brainseg_desktop.io.dicom.header import DicomHeader
from brainseg_desktop.io.schemes import scheme_named
from brainseg_desktop.services.alignment.placing import alignment_record, network_volumes
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.models import default_model_dir
from brainseg_desktop.services.opening import default_scheme, unique_name
from brainseg_desktop.services.worker_client import OnProgress, OnSlice, WorkerClient
from brainseg_desktop.services.worker_messages import Segmentation


def predict_case(
    case: Case,
    client: WorkerClient,
    model: Path | None = None,
    *,
    device: str = "auto",
    first_slice: int | None = None,
    on_slice: OnSlice | None = None,
    on_progress: OnProgress | None = None,
    cancel: threading.Event | None = None,
) -> Rating:
    """Segment a case in the worker; blocks, so it is meant for an executor's thread.

    Parameters
    ----------
    case : Case
        Only read; adding the rating is the caller's business. Sequences on other grids are resampled onto
        the masks' grid if they were placed (`Case.place`), else left out.
    client : WorkerClient
    model : Path, optional
        Folder of a model; the bundled one if not given.
    device : {"auto", "cpu", "cuda"}
    first_slice : int, optional
        Axial slice to begin with.
    on_slice : callable, optional
        Gets z and the tissues (X, Y) of each slice as it comes.
    on_progress : callable, optional
        Gets the slices done, of how many, and the seconds left.
    cancel : threading.Event, optional
        Set it to end the job at once.

    Returns
    -------
    Rating
        Kind model, named ``"AI (<model>)"`` or the next free name, with probabilities, uncertainty and, in
        its details, where it came from.

    Raises
    ------
    UserError
        ``outside_hopeless``, ``sequence_unusable``, ``model_missing``, ``card_invalid``,
        ``network_inputs_off_grid`` (the network needs a sequence that lies on another grid), and those of
        `WorkerClient.segment`.
    """
    folder = model if model is not None else default_model_dir()
    card = read_card(folder)
    grid = case.grid
    inputs = usable_inputs(network_volumes(case))
    outside = check_scope(case, inputs)
    try:
        found = client.segment(
            folder,
            inputs,
            (grid.spacing_mm[0], grid.spacing_mm[1]) if grid.spacing_known else None,
            device=device,
            first_slice=first_slice,
            on_slice=on_slice,
            on_progress=on_progress,
            cancel=cancel,
        )
    except UserError as error:
        if (off_grid := _wanted_off_grid(error, case)) is None:
            raise
        raise UserError(
            "network_inputs_off_grid", wanted=error.params["wanted"], off_grid=off_grid
        ) from error
    return Rating(
        unique_name(case, f"AI ({card.name})"),
        RaterKind.MODEL,
        LabelMap(found.labels),
        scheme_for(case, found.labels),
        probabilities=found.probabilities,
        uncertainty=found.uncertainty,
        details={**_origin(case, found, card), "outside": outside},
    )


def check_scope(case: Case, inputs: Mapping[Sequence, NDArray[Any]]) -> list[str]:
    """Sentences on what puts an exam outside of what the networks know.

    Raises
    ------
    UserError
        ``outside_hopeless`` (param ``reason``) if a mask would mean nothing.
    """
    headers = {s: case.volumes[s].source.header for s in inputs}
    modalities = {s: h.modality for s, h in headers.items() if isinstance(h, DicomHeader)}
    remarks = outside_scope(inputs, case.grid, modalities)
    if is_hopeless(remarks, inputs):
        raise UserError("outside_hopeless", reason=words(remarks[0]))
    return [words(remark) for remark in remarks]


def _wanted_off_grid(error: UserError, case: Case) -> list[str] | None:
    """What the network misses although the exam has it, on another grid; None for any other error."""
    wanted = error.params.get("wanted")
    if error.code != "network_inputs_missing" or not isinstance(wanted, list):
        return None
    left_out = [s for s in case.off_grid if s not in case.placements]
    return [s.value for s in left_out if s.value in wanted] or None


def usable_inputs(volumes: Mapping[Sequence, Volume]) -> dict[Sequence, NDArray[Any]]:
    """The arrays of the sequences.

    Raises
    ------
    UserError
        ``sequence_unusable`` for one whose voxels are all the same or none a number: the network would take
        it for a measured one. Single voxels that are not finite are background to it, as to the viewer.
    """
    for sequence, volume in volumes.items():
        data = volume.data
        # For float, fmin and fmax pass over NaN; infinities are told apart by the finite sample below.
        low, high = np.fmin.reduce(data, axis=None), np.fmax.reduce(data, axis=None)
        if not (np.isfinite(low) and np.isfinite(high)):
            finite = data[np.isfinite(data)]
            low, high = (finite.min(), finite.max()) if finite.size else (0, 0)
        if low == high:
            raise UserError("sequence_unusable", path=volume.source.path, sequence=sequence.value)
    return {sequence: volume.data for sequence, volume in volumes.items()}


def scheme_for(case: Case, labels: NDArray[np.uint8]) -> LabelScheme:
    """The scheme to write a prediction with: the case's own where it can tell these tissues apart."""
    # By planes: counting the whole array at once would take 8 bytes for each of its voxels.
    tissues = {Tissue(int(t)) for plane in labels if plane.any() for t in np.unique(plane)}
    tissues.discard(Tissue.BACKGROUND)
    own = default_scheme(case)
    if tissues <= set(own.tissues):
        return own
    return scheme_named("lgg" if Tissue.TUMOUR in tissues else "brats2021")


def mean_uncertainty(labels: NDArray[np.uint8], uncertainty: NDArray[np.uint8]) -> float | None:
    """Mean uncertainty of the outlined voxels in bits; None if nothing is outlined."""
    inside = uncertainty[labels != 0]
    return float(inside.mean()) / 255 if inside.size else None


def _origin(case: Case, found: Segmentation, card: ModelCard) -> dict[str, Any]:
    """What the sidecar says of a prediction."""
    network = card.network_for(found.kind)
    doubt = mean_uncertainty(found.labels, found.uncertainty)
    return {
        "model": found.model,
        "version": found.version,
        "sha256": network.sha256 if network is not None else None,
        "exam_kind": found.kind,
        "regions": list(found.regions),
        "sequences_used": list(found.present),
        "sequences_off_grid": {s.value: r for s, r in case.off_grid.items() if s not in case.placements},
        "alignment": alignment_record(case),
        "device": found.device,
        "seconds": found.seconds,
        "postprocess": None if network is None else _cleaning(network.postprocess),
        "mean_uncertainty_bits": None if doubt is None else round(doubt, 4),
    }


def _cleaning(made: Postprocess) -> dict[str, Any]:
    """How the network's probabilities became labels, for whoever moves a threshold later."""
    return {
        "thresholds": dict(made.thresholds),
        "speck_share": made.speck_share,
        "speck_voxels": made.speck_voxels if math.isfinite(made.speck_voxels) else None,
        "fill_holes": made.fill_holes,
    }
