"""Archives to talk to: a real Orthanc, and servers that misbehave on purpose."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .orthanc import Orthanc, is_installed


@pytest.fixture(scope="session")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """One archive for all tests of a worker; each test brings studies of its own."""
    if not is_installed():
        pytest.skip("needs Debian's packages orthanc and orthanc-dicomweb")
    archive = Orthanc(tmp_path_factory.mktemp("orthanc"))
    archive.start()
    yield archive
    archive.stop()
