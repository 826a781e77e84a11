"""What a distribution says of its licence and of where its source is."""

from __future__ import annotations

import re
from typing import Any

_BSD = {"BSD", "BSD License", "BSD license"}
_NAMES = {
    "Apache": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "Apache-2.0": "Apache-2.0",
    "3-Clause BSD License": "BSD-3-Clause",
    "BSD 2-Clause License": "BSD-2-Clause",
    "BSD 3-Clause License": "BSD-3-Clause",
    "BSD-2-Clause": "BSD-2-Clause",
    "BSD-3-Clause": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT": "MIT",
    "MIT License": "MIT",
    "MPL-2.0": "MPL-2.0",
    "MPL-2.0 AND MIT": "MPL-2.0 AND MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "NVIDIA Proprietary Software": "LicenseRef-NVIDIA-Proprietary",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}


def stated_licence(metadata: Any, texts: dict[str, str]) -> str | None:
    """The licence of a distribution as an SPDX expression, as far as its metadata tell it beyond doubt."""
    expression = metadata.get("License-Expression")
    if expression:
        return str(expression)
    stated = str(metadata.get("License") or "").strip()
    classifiers = [
        line.rpartition(" :: ")[2]
        for line in metadata.get_all("Classifier") or []
        if line.startswith("License :: ") and line != "License :: OSI Approved"
    ]
    # A licence text instead of a name, or a name beside a GPL among the classifiers, needs a person's eye.
    if any("General Public License" in one for one in classifiers):
        return _gnu_name(" ".join(classifiers))
    if any(re.match(r"\s*GNU (AFFERO )?GENERAL PUBLIC LICENSE", text) for text in texts.values()):
        return "GPL-3.0-only" if "AFFERO" not in "".join(texts.values()) else "AGPL-3.0-only"
    if re.search(r"\bA?GPL", stated):
        return _gnu_name(stated)
    for name in (stated, *classifiers):
        if name in _NAMES:
            return _NAMES[name]
    if stated in _BSD or set(classifiers) & _BSD:
        whole = " ".join(" ".join(texts.values()).split())
        if not whole:
            return None
        return "BSD-3-Clause" if re.search(r"[Nn]either (the )?names?", whole) else "BSD-2-Clause"
    return None


def _gnu_name(text: str) -> str:
    """The GNU licence that free words speak of; the strictest reading where they are vague."""
    if "Affero" in text or "AGPL" in text:
        return "AGPL-3.0-only"
    if "Lesser" in text or "LGPL" in text:
        return "LGPL-3.0-only" if "3" in text else "LGPL-2.1-only"
    return "GPL-2.0-only" if "2" in text else "GPL-3.0-only"


def home_of(metadata: Any) -> str:
    """Where a distribution's source is: what it says of itself, else its page in the package index."""
    links = dict(line.split(", ", 1) for line in metadata.get_all("Project-URL") or [] if ", " in line)
    for name in ("Source", "Source Code", "Repository", "source", "repository", "Code", "GitHub"):
        if name in links:
            return str(links[name])
    return f"https://pypi.org/project/{metadata['Name']}/{metadata['Version']}/#files"
