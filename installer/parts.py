"""What is frozen and what is left out: by module for Python, by pattern for files."""

from __future__ import annotations

import re

# Found by name at run time, so that no import tells of them: TIFF's codecs and the decoders of DICOM.
CODECS = (
    *("shared", "shared_cython", "imcd", "zlib", "deflate", "lzma", "zstd", "lerc", "webp"),
    *("jpeg8", "ljpeg", "jpegls", "jpeg2k", "htj2k", "jpegxl"),
)
HIDDEN_IMPORTS = [
    *(f"imagecodecs._{name}" for name in CODECS),
    "gdcm",
    "openjpeg",
    "jpeg_ls",
    "pylibjpeg",
]

# Packages that read files of their own beside their code.
WITH_DATA = ["highdicom"]

EXCLUDED_MODULES = [
    # The standard build has no torch, nor what only torch and training need.
    "torch",
    "onnx",
    "onnxscript",
    "safetensors",
    "kaggle",
    "monai",
    "dask",
    "distributed",
    "pandas",
    "matplotlib",
    "sympy",
    # GPL: GNU readline and gdbm.
    "readline",
    "_gdbm",
    "dbm.gnu",
    # Terminals, other toolkits and tests: nobody meets them here.
    "tkinter",
    "_tkinter",
    "turtle",
    "curses",
    "_curses",
    "_curses_panel",
    "IPython",
    "pytest",
    "ensurepip",
    "pip",
    "setuptools",
    "pkg_resources",
    "networkx",
    # 15 MB for a form of picture that no report has.
    "PIL._avif",
    "PIL._imagingtk",
    "_uuid",
    # Modules of Qt of which nothing is used. The program itself goes to no network through Qt.
    *(
        f"PySide6.{name}"
        for name in ("QtNetwork", "QtQml", "QtQuick", "QtQuickWidgets", "QtSql", "QtDesigner")
    ),
]

# Of the libraries of the machine that freezes, only these come along: what a station may lack (Qt's helpers
# for X11) and what Python itself was built with. All else (libstdc++, GLib, fontconfig, drivers ...) belongs
# to the desktop the program runs on, whose own parts would clash with copies from elsewhere.
KEPT_SYSTEM_LIBRARIES = re.compile(
    r"libpython3|libxcb-(cursor|icccm|image|keysyms|render-util|shape|util|xkb)\b|libxkbcommon"
    r"|lib(ssl|crypto|sqlite3)\b"
)

# What torch loads when it is imported; the CUDA build has it.
_OF_TORCH = {"torch", "sympy", "networkx", "safetensors", "setuptools"}


def excluded_modules(*, cuda: bool = False) -> list[str]:
    """Modules that stay out of the standard build, or of the one with torch for CUDA."""
    return [name for name in EXCLUDED_MODULES if not (cuda and name in _OF_TORCH)]


_QT = r"PySide6/(Qt/)?"
_LEFT_OUT = [
    # The virtual keyboard is GPL; Qml and Quick come with it and are not used otherwise.
    _QT + r"lib/libQt6(VirtualKeyboard|Qml|Quick|Pdf|Sql|Designer|Help|Test|Labs|UiTools|Egl(FS|Fs)|Network)",
    r"libQt6(Egl(FS|Fs)|Network)",
    _QT + r"plugins/(designer|egldeviceintegrations|generic|networkinformation|qml.*|sqldrivers|tls)/",
    _QT + r"plugins/(vectorimageformats|wayland-graphics-integration-server|printsupport)/",
    _QT + r"plugins/platforminputcontexts/.*virtualkeyboard",
    # It draws with GTK's library, which may not be there; the portal beside it asks the desktop itself.
    _QT + r"plugins/platformthemes/.*gtk",
    _QT + r"plugins/imageformats/.*q(icns|pdf|tga|tiff|wbmp|webp)\.",
    _QT + r"plugins/platforms/.*q(eglfs|linuxfb|minimal|minimalegl|vkkhrdisplay|vnc)\.",
    _QT + r"(qml|metatypes)/",
    # The words of Qt's own dialogs are all that is shown of its translations.
    _QT + r"translations/(?!qtbase_)",
    r".*/tests/",
]
_PATTERN = re.compile("|".join(f"(?:{one})" for one in _LEFT_OUT))


def is_left_out(place: str, source: str = "") -> bool:
    """Whether a file of the frozen folder stays out.

    Parameters
    ----------
    place : str
        Relative to the folder of the libraries; either slash.
    source : str
        Where it is copied from.
    """
    name = place.replace("\\", "/")
    if source.startswith(("/lib/", "/lib64/", "/usr/lib/", "/usr/local/lib/")) and "python3" not in source:
        return KEPT_SYSTEM_LIBRARIES.match(name) is None
    return _PATTERN.match(name) is not None
