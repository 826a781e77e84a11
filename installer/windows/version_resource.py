"""What Windows shows of a program under Properties, Details: in the form that PyInstaller reads."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from build_installer import four_numbers

_FORM = """\
VSVersionInfo(
  ffi=FixedFileInfo(
    filevers=({numbers}), prodvers=({numbers}), mask=0x3F, flags=0x0, OS=0x40004, fileType=0x1, subtype=0x0,
    date=(0, 0)
  ),
  kids=[
    StringFileInfo([StringTable("080904B0", [
      StringStruct("CompanyName", "BrainSeg Desktop maintainers"),
      StringStruct("FileDescription", "{description}"),
      StringStruct("FileVersion", "{version}"),
      StringStruct("InternalName", "{program}"),
      StringStruct("LegalCopyright", "Apache License 2.0"),
      StringStruct("OriginalFilename", "{program}.exe"),
      StringStruct("ProductName", "BrainSeg Desktop"),
      StringStruct("ProductVersion", "{version}"),
    ])]),
    VarFileInfo([VarStruct("Translation", [0x0809, 1200])]),
  ],
)
"""
DESCRIPTIONS = {
    "brainseg-desktop": "BrainSeg Desktop (research use only)",
    "brainseg": "BrainSeg Desktop, command line (research use only)",
}


def write_version_resource(program: str, version: str, folder: Path) -> Path:
    """Write the file that PyInstaller's ``EXE(version=...)`` takes.

    Parameters
    ----------
    program : str
        ``brainseg-desktop`` or ``brainseg``.
    version : str
        Of the program.
    folder : Path
        Where to; made if needed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{program}-version.txt"
    numbers = four_numbers(version).replace(".", ", ")
    text = _FORM.format(program=program, version=version, numbers=numbers, description=DESCRIPTIONS[program])
    path.write_text(text, "utf-8")
    return path
