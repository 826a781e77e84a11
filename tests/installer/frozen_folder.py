"""A frozen folder and the environment it came from, both made up, small and clean; tests then spoil them."""

from __future__ import annotations

import base64
import hashlib
import sys
from dataclasses import dataclass, field
from pathlib import Path

INSTALLER = Path(__file__).resolve().parents[2] / "installer"
sys.path.insert(0, str(INSTALLER))

from owners import Environment, Package  # noqa: E402

ELF = b"\x7fELF\x02\x01\x01"
MIT_TEXT = "MIT License\n\nPermission is hereby granted, free of charge, to any person ..."


@dataclass
class Build:
    """Where things are, and how to add to them."""

    bundle: Path
    site: Path
    prefix: Path
    modules: list[str] = field(
        default_factory=lambda: ["brainseg_desktop", "brainseg_desktop.core", "json", "pyi_rth_x"]
    )
    packages: dict[str, Package] = field(default_factory=dict)

    @property
    def environment(self) -> Environment:
        return Environment([str(self.site)], [self.prefix])

    def find_package(self, path: Path) -> Package | None:
        return self.packages.get(path.name)

    def install(
        self,
        name: str,
        files: dict[str, bytes],
        *,
        metadata: str = "License-Expression: MIT",
        text: str | None = MIT_TEXT,
    ) -> None:
        """Put a distribution into the environment."""
        folder = f"{name.replace('-', '_')}-1.0.dist-info"
        contents = dict(files)
        contents[f"{folder}/METADATA"] = (
            f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\n{metadata}\n".encode()
        )
        if text is not None:
            contents[f"{folder}/licenses/LICENSE"] = text.encode()
        record = []
        for place, content in contents.items():
            path = self.site / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
            record.append(f"{place},sha256={digest},{len(content)}")
        record.append(f"{folder}/RECORD,,")
        (self.site / folder / "RECORD").write_text("\n".join(record) + "\n")

    def freeze(self, place: str, content: bytes) -> Path:
        """Put a file into the frozen folder, below _internal."""
        path = self.bundle / "_internal" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path


def clean_build(folder: Path) -> Build:
    """A clean build: our own code, Python, the bootloader, a wheel with a library, Qt, a system library."""
    made = Build(folder / "dist" / "brainseg-desktop", folder / "site", folder / "python")
    made.site.mkdir()
    python = ELF + b"python" * 300
    (made.prefix / "lib").mkdir(parents=True)
    (made.prefix / "lib" / "libpython3.11.so.1.0").write_bytes(python)
    (made.prefix / "LICENSE.txt").write_text("PYTHON SOFTWARE FOUNDATION LICENSE VERSION 2")
    made.freeze("libpython3.11.so.1.0", python)
    made.freeze("resources/guide/guide.txt", b"no code")
    (made.bundle / "brainseg").write_bytes(ELF + b"bootloader")
    made.install("pyinstaller", {}, metadata="License: GPLv2-or-later with a special exception")

    image, tiff = ELF + b"image" * 300, ELF + b"tiff" * 400
    made.install(
        "imagecodecs",
        {
            "imagecodecs/__init__.py": b"",
            "imagecodecs/_tiff.abi3.so": image,
            "imagecodecs.libs/libtiff-d78e088c.so.6.2.0": tiff,
            "imagecodecs/licenses/LICENSE-libtiff": b"Copyright (c) Sam Leffler, Silicon Graphics",
        },
        metadata="License: BSD-3-Clause",
    )
    made.freeze("imagecodecs/_tiff.abi3.so", image)
    made.freeze("imagecodecs.libs/libtiff-d78e088c.so.6.2.0", tiff)
    made.modules.append("imagecodecs")

    qt = ELF + b"qt" * 600
    made.install(
        "PySide6-Essentials",
        {
            "PySide6/Qt/lib/libQt6Core.so.6": qt,
            "PySide6/QtCore.abi3.so": qt[:-1],
            "PySide6/Qt/plugins/platforms/libqxcb.so": qt[:-2],
        },
        metadata="License: LGPL-3.0-only OR GPL-2.0-only OR GPL-3.0-only",
        text=None,
    )
    made.freeze("PySide6/Qt/lib/libQt6Core.so.6", qt)
    made.freeze("PySide6/QtCore.abi3.so", qt[:-1])
    made.freeze("PySide6/Qt/plugins/platforms/libqxcb.so", qt[:-2])

    made.freeze("libxkbcommon.so.0", ELF + b"xkb")
    made.packages["libxkbcommon.so.0"] = Package(
        "libxkbcommon0", "1.5.0-1", "Copyright 2009, Permission is hereby granted"
    )
    return made
