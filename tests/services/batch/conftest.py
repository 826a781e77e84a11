"""Small cases, a small network, and a Dask cluster in a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nibabel
import numpy as np
import pytest

from brainseg_desktop.services.paths import user_models_dir
from tests.conftest import ROOT, SEQUENCES
from tests.inference.tiny import write_tiny

BRAINSEG = [sys.executable, "-m", "brainseg_desktop"]


def interruptible(command: list[str]) -> subprocess.Popen[str]:
    """Start a program that Ctrl-C ends, even where the tests themselves run in the background of a shell.

    There interrupts are ignored, which a program inherits from its parent.
    """
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


@pytest.fixture(scope="session")
def make_cases(sample_dir: Path) -> object:
    """Makes a folder of so many cases, each another cut of the sample."""
    images = {s: nibabel.load(sample_dir / f"sample_{s}.nii.gz") for s in SEQUENCES}
    arrays = {s: np.asarray(image.dataobj) for s, image in images.items()}

    def make(folder: Path, count: int) -> Path:
        for number in range(count):
            case = folder / f"P{number:02d}"
            case.mkdir(parents=True)
            for name, array in arrays.items():
                cut = array[:, :, 50 + number : 54 + number]
                nibabel.save(
                    nibabel.Nifti1Image(cut, images[name].affine), case / f"{case.name}_{name}.nii.gz"
                )
        return folder

    return make


@pytest.fixture
def tiny(own_home: Path) -> str:
    """The name of a network that takes no time."""
    write_tiny(user_models_dir() / "tiny", name="tiny")
    return "tiny"


class Cluster:
    """Two Dask workers with one thread each, and their scheduler, in a process of their own."""

    def __init__(self, *arguments: str) -> None:
        script = Path(__file__).with_name("local_cluster.py")
        self.process = subprocess.Popen(
            [sys.executable, str(script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self.address = self._read()["address"]

    def pids(self) -> list[int]:
        """Of the workers, as they are now."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self._read()["pids"]

    def close(self) -> None:
        """End it all."""
        self.process.communicate()

    def _read(self) -> dict:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A sound cluster."""
    made = Cluster()
    yield made
    made.close()
