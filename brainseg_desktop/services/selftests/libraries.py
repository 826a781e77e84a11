"""The self-test's look at libraries that nothing else of it touches."""

from __future__ import annotations

import io

import numpy as np

# How slices and stacks may be compressed, beside what tifffile does by itself; the LGG set is JPEG XL.
_TIFF_WAYS = ("jpegxl", "lzw", "zlib", "zstd", "packbits", "lzma")


def read_pictures() -> str:
    """TIFF in the compressions met, and PNG."""
    import tifffile
    from PIL import Image

    plane = np.add.outer(np.arange(48, dtype=np.uint8), 3 * np.arange(32, dtype=np.uint8))
    for way in _TIFF_WAYS:
        buffer = io.BytesIO()
        try:
            options = {"lossless": True} if way == "jpegxl" else None
            tifffile.imwrite(buffer, plane, compression=way, compressionargs=options)
            same = np.array_equal(tifffile.imread(io.BytesIO(buffer.getvalue())), plane)
        except Exception as error:
            raise RuntimeError(f"TIFF compressed with {way}: {error}") from error
        if not same:
            raise RuntimeError(f"TIFF compressed with {way} is read wrong")
    buffer = io.BytesIO()
    Image.fromarray(plane).save(buffer, "PNG")
    with Image.open(io.BytesIO(buffer.getvalue())) as picture:
        if not np.array_equal(np.asarray(picture), plane):
            raise RuntimeError("PNG is read wrong")
    return f"PNG, and TIFF with {', '.join(_TIFF_WAYS)}"


def find_keyring() -> str:
    """The backends are found by their entries in the installed metadata; none of them need work here."""
    from keyring.backend import get_all_keyring

    from brainseg_desktop.services.pacs.credentials import keyring_name

    if len(get_all_keyring()) < 2:
        raise RuntimeError("the keyring library finds none of its backends")
    return keyring_name() or "there, but this system has none that keeps secrets"


def associate() -> str:
    """What archives are asked with: contexts for DICOM over the network, a client for DICOMweb."""
    from dicomweb_client.api import DICOMwebClient
    from pynetdicom import AE, QueryRetrievePresentationContexts, StoragePresentationContexts
    from pynetdicom.sop_class import MRImageStorage  # type: ignore[attr-defined]

    entity = AE(ae_title="BRAINSEG")
    entity.requested_contexts = [*QueryRetrievePresentationContexts[:10], *StoragePresentationContexts[:100]]
    entity.add_supported_context(MRImageStorage)
    # Nothing is sent: the address is of this machine and no connection is made until something is asked.
    DICOMwebClient("http://127.0.0.1:9/dicomweb")
    return f"{len(entity.requested_contexts)} contexts for DICOM over the network, and DICOMweb"
