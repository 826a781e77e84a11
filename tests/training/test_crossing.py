from __future__ import annotations

import numpy as np
import pytest
import torch

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.training.checkpoint import CHECKPOINT, save_checkpoint
from brainseg_desktop.training.crossing import crossed_views
from brainseg_desktop.training.data.splits import part_of
from brainseg_desktop.training.loop import start_state
from tests.training.miniature import make_dataset, make_recipe


def test_each_exam_is_seen_by_the_network_that_has_not_met_it(tmp_path):
    exams = make_dataset(7).train
    for part in range(3):
        recipe = make_recipe(tmp_path)
        state = start_state(recipe, torch.device("cpu"), str)
        with torch.no_grad():
            # Says its number, whatever it sees.
            state.network.head.weight.zero_()
            state.network.head.bias.fill_(part)
        save_checkpoint(state, tmp_path / f"part{part}")
    parts = [str(tmp_path / f"part{part}" / CHECKPOINT) for part in range(3)]
    recipe = make_recipe(tmp_path, evaluation={"parts": parts, "mirrored": True})
    lines: list[str] = []
    views = crossed_views(recipe, exams, lines.append)
    part = part_of((exam.patient for exam in exams), 3)
    for exam in [*exams, *exams]:
        found = views(exam)
        assert len(found) == 2
        for view in found:
            assert view.dtype == np.float32
            assert (view == part[exam.patient.upper().replace("-", "_")]).all()
    assert len(lines) == 7


def test_a_part_that_is_missing_is_told(tmp_path):
    recipe = make_recipe(tmp_path, evaluation={"parts": [str(tmp_path / "none.safetensors")]})
    with pytest.raises(UserError) as caught:
        crossed_views(recipe, make_dataset().train, str)
    assert caught.value.code == "checkpoint_missing"
