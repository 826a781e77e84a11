"""The picture of the surfaces: kept until something changes, coarse while it moves on a slow computer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize
from PySide6.QtGui import QImage

from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.core.mesh import Mesh
from brainseg_desktop.gui.surface.surface_camera import Orbit
from brainseg_desktop.gui.surface.surfaces import Surfaces

if TYPE_CHECKING:
    from brainseg_desktop.gui.surface.surface_scene import Layer, Scene

# From the inside of a tumour outwards: what is drawn later is seen through. (opacity, rim)
LAYERS = {
    Tissue.NECROSIS: (1.0, 0.0),
    Tissue.CAVITY: (1.0, 0.0),
    Tissue.NON_ENHANCING: (0.75, 0.4),
    Tissue.ENHANCING: (0.5, 0.6),
    Tissue.TUMOUR: (0.6, 0.5),
    Tissue.OEDEMA: (0.32, 0.75),
}
_HEAD_COLOUR, _HEAD_LAYER = (178, 186, 200), (0.13, 0.5)
# A slower picture than this does not follow the hand: then coarser surfaces in fewer pixels are shown.
_SLOW_MS, _LIGHT_PIXELS = 18.0, 320_000


class SurfacePicture:
    """Holds the OpenGL scene of one view; made at once, opened when the view is first seen.

    Attributes
    ----------
    works : bool or None
        Whether there is OpenGL; None as long as nobody has tried.
    """

    def __init__(self) -> None:
        self.works: bool | None = None
        self._scene: Scene | None = None
        self._image: QImage | None = None
        self._head = False
        self._full_ms = 0.0

    def open(self) -> bool:
        """Try OpenGL, once; whether it works."""
        if self.works is None:
            try:
                from brainseg_desktop.gui.surface.surface_scene import Scene

                scene = Scene()
                self.works = scene.problem is None
                self._scene = scene if self.works else None
            except ImportError:
                # A system without any OpenGL library.
                self.works = False
        return self.works

    def close(self) -> None:
        """Give back what OpenGL holds."""
        if self._scene is not None:
            self._scene.close()
            self._scene = None

    def set_surfaces(self, surfaces: Surfaces) -> None:
        """Hand the surfaces to OpenGL; those it has already are not sent again."""
        self.forget()
        self._head = surfaces.head is not None
        if self._scene is None:
            return
        meshes: dict[object, Mesh] = {}
        for tissue, surface in surfaces.tissues.items():
            meshes[tissue, False], meshes[tissue, True] = surface.fine, surface.light
        if surfaces.head is not None:
            meshes["head"] = surfaces.head
        self._scene.set_meshes(meshes)

    def forget(self) -> None:
        """The next picture is drawn anew."""
        self._image = None

    def image(
        self,
        width: float,
        height: float,
        orbit: Orbit,
        colours: Mapping[Tissue, tuple[int, int, int]],
        *,
        moving: bool,
    ) -> QImage | None:
        """The picture; None where OpenGL fails.

        Parameters
        ----------
        width, height : float
            In pixels of the screen.
        colours : mapping of Tissue to colour
            The tissues to be seen.
        moving : bool
            Whether something is going on that a slow picture would hold up.
        """
        if self._image is None and self._scene is not None:
            self._image = self._draw(self._scene, width, height, orbit, colours, moving)
            self.works = self._image is not None
        return self._image

    def _draw(
        self,
        scene: Scene,
        width: float,
        height: float,
        orbit: Orbit,
        colours: Mapping[Tissue, tuple[int, int, int]],
        moving: bool,
    ) -> QImage | None:
        light = moving and self._full_ms > _SLOW_MS
        share = min(1.0, (_LIGHT_PIXELS / max(1.0, width * height)) ** 0.5) if light else 1.0
        size = QSize(max(1, round(width * share)), max(1, round(height * share)))
        start = time.perf_counter()
        image = scene.picture(size, orbit, self._layers(colours, light))
        if not light:
            self._full_ms = 1000 * (time.perf_counter() - start)
        return image

    def _layers(self, colours: Mapping[Tissue, tuple[int, int, int]], light: bool) -> list[Layer]:
        from brainseg_desktop.gui.surface.surface_scene import Layer

        layers: list[Layer] = []
        for tissue in (t for t in LAYERS if t in colours):
            # What nothing lies within need not be seen through.
            opacity, rim = LAYERS[tissue] if layers else (1.0, 0.0)
            layers.append(Layer((tissue, light), colours[tissue], opacity, rim))
        if self._head:
            layers.append(Layer("head", _HEAD_COLOUR, *_HEAD_LAYER))
        return layers
