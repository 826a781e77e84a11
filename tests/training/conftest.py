"""Training is tested where torch is installed; `miniature` has the exams and the recipe."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")
