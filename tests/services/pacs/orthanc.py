"""A real archive for the tests: Debian's Orthanc on free ports of 127.0.0.1, ended by its process id."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from brainseg_desktop.services.pacs.nodes import PacsNode

HERE = "127.0.0.1"
TITLE, OURS = "ORTHANC", "BRAINSEG"
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
USER, PASSWORD = "reader", "s3cret-Pa55"


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens at now."""
    held = [socket.create_server((HERE, 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in held]
    for each in held:
        each.close()
    return ports


@dataclass
class Orthanc:
    """One running archive.

    Parameters
    ----------
    web_port, dicom_port, our_port : int
        The last is where it sends to us for a C-MOVE.
    """

    folder: Path
    web_port: int = 0
    dicom_port: int = 0
    our_port: int = 0
    process: subprocess.Popen[bytes] = field(init=False)

    @property
    def node(self) -> PacsNode:
        """Spoken to by DIMSE, retrieving by C-MOVE."""
        return PacsNode(
            key="dimse",
            title="Orthanc",
            host=HERE,
            port=self.dicom_port,
            ae_title=TITLE,
            own_title=OURS,
            receive_address=HERE,
            receive_port=self.our_port,
        )

    @property
    def web(self) -> PacsNode:
        """Spoken to by DICOMweb."""
        return PacsNode(
            key="web",
            title="Orthanc web",
            kind="web",
            url=f"http://{HERE}:{self.web_port}/dicom-web",
            login="password",
        )

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.web_port, self.dicom_port, self.our_port = free_ports(3)
        config = {
            "Name": "test",
            "StorageDirectory": str(self.folder / "store"),
            "IndexDirectory": str(self.folder / "store"),
            "HttpPort": self.web_port,
            "DicomPort": self.dicom_port,
            "DicomAet": TITLE,
            "DicomCheckCalledAet": True,
            "DicomAlwaysAllowFind": False,
            "DicomAlwaysAllowStore": False,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": True,
            "RegisteredUsers": {USER: PASSWORD},
            "DicomModalities": {
                "us": {
                    "AET": OURS,
                    "Host": HERE,
                    "Port": self.our_port,
                    "AllowGet": True,
                    "AllowFind": True,
                    "AllowMove": True,
                    "AllowStore": True,
                }
            },
            "UnknownSopClassAccepted": True,
            "OverwriteInstances": True,
            "DicomScuTimeout": 10,
            "Plugins": [str(PLUGIN)],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "EnableWado": False},
        }
        file = self.folder / "orthanc.json"
        file.write_text(json.dumps(config))
        program = shutil.which("Orthanc") or "/usr/sbin/Orthanc"
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen([program, str(file)], stdout=log, stderr=log, cwd=self.folder)
        end = time.monotonic() + 30
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                pytest.fail((self.folder / "log").read_text(errors="replace")[-2000:])
            time.sleep(0.05)

    def stop(self) -> None:
        """End this very process."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)

    def _answers(self) -> bool:
        try:
            with socket.create_connection((HERE, self.dicom_port), 0.5):
                pass
            urllib.request.urlopen(f"http://{HERE}:{self.web_port}/system", timeout=1)
        except urllib.error.HTTPError as error:
            return error.code == 401
        except OSError:
            return False
        return True


def is_installed() -> bool:
    """Whether Debian's packages are there."""
    return bool(shutil.which("Orthanc") or Path("/usr/sbin/Orthanc").is_file()) and PLUGIN.exists()
