"""What macOS reads of the bundle: its version, the files it opens, and the oldest system it runs on."""

from __future__ import annotations

from typing import Any

IDENTIFIER = "org.brainseg.desktop"
OLDEST_SYSTEM = "13.0"
_NIFTI, _COMPRESSED, _DICOM = f"{IDENTIFIER}.nifti", f"{IDENTIFIER}.nifti-compressed", "org.nema.dicom"


def info_plist(version: str) -> dict[str, Any]:
    """The keys of Info.plist that PyInstaller does not set by itself.

    Parameters
    ----------
    version : str
        Of the program.
    """
    return {
        "CFBundleDisplayName": "BrainSeg Desktop",
        # Of the two programs in the bundle the one with the window; the other is its worker.
        "CFBundleExecutable": "brainseg-desktop",
        "CFBundleShortVersionString": version,
        "CFBundleVersion": version,
        "LSApplicationCategoryType": "public.app-category.medical",
        "LSMinimumSystemVersion": OLDEST_SYSTEM,
        "NSHighResolutionCapable": True,
        "NSHumanReadableCopyright": "Apache License 2.0. Research use only.",
        # Light and dark follow the system.
        "NSRequiresAquaSystemAppearance": False,
        "CFBundleDocumentTypes": [
            _document("NIfTI image", [_NIFTI, _COMPRESSED]),
            _document("DICOM image", [_DICOM]),
        ],
        # The formats belong to others: they are imported, so that an owner's own declaration wins.
        "UTImportedTypeDeclarations": [
            _type(_NIFTI, "NIfTI image", ["nii"], ["public.data", "public.image"]),
            # macOS goes by the last ending too, except where a type claims the longer one as a whole.
            _type(
                _COMPRESSED, "Compressed NIfTI image", ["nii.gz"], ["public.data", "org.gnu.gnu-zip-archive"]
            ),
            _type(_DICOM, "DICOM image", ["dcm"], ["public.data", "public.image"], "application/dicom"),
        ],
    }


def _document(name: str, types: list[str]) -> dict[str, Any]:
    # "Alternate": we stand under "Open with" and take no file away from the program that opens it now.
    return {
        "CFBundleTypeName": name,
        "CFBundleTypeRole": "Viewer",
        "LSHandlerRank": "Alternate",
        "LSItemContentTypes": types,
    }


def _type(
    identifier: str, name: str, endings: list[str], kinds: list[str], mime: str | None = None
) -> dict[str, Any]:
    tags: dict[str, Any] = {"public.filename-extension": endings}
    if mime:
        tags["public.mime-type"] = mime
    return {
        "UTTypeIdentifier": identifier,
        "UTTypeDescription": name,
        "UTTypeConformsTo": kinds,
        "UTTypeTagSpecification": tags,
    }
