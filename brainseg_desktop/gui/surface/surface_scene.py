"""Draws meshes with OpenGL into a picture, beside the screen.

The picture is painted by an ordinary widget. A QOpenGLWidget would make Qt put the whole window together
with OpenGL, slices included, which a machine without a graphics card pays at every slice step; and it would
be made anew whenever it moves to another window. Qt's own OpenGL classes are enough; PyOpenGL asks the window
system for the context and draws nothing where the two disagree (an X11 window in a Wayland session).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PySide6.QtCore import QSize
from PySide6.QtGui import (
    QImage,
    QMatrix3x3,
    QMatrix4x4,
    QOffscreenSurface,
    QOpenGLContext,
    QOpenGLFunctions,
    QSurfaceFormat,
)
from PySide6.QtOpenGL import (
    QOpenGLBuffer,
    QOpenGLFramebufferObject,
    QOpenGLFramebufferObjectFormat,
    QOpenGLShader,
    QOpenGLShaderProgram,
)
from shiboken6 import VoidPtr, isValid

from brainseg_desktop.core.mesh import Mesh
from brainseg_desktop.gui.surface.surface_camera import Orbit

_log = logging.getLogger(__name__)

# Numbers of the OpenGL standard.
_COLOUR_BUFFER, _DEPTH_BUFFER = 0x4000, 0x0100
_TRIANGLES, _FLOAT, _UNSIGNED_INT = 0x0004, 0x1406, 0x1405
_DEPTH_TEST, _BLEND, _CULL_FACE, _BACK = 0x0B71, 0x0BE2, 0x0B44, 0x0405
_LESS, _LEQUAL = 0x0201, 0x0203
# The stub says int, the binding takes only a pointer.
_FROM_THE_START: Any = VoidPtr(0)
_UNIFORMS = ("projection", "rotation", "colour", "opacity", "rim")
_ATTRIBUTES = (("position", 0), ("normal", 12))
_ONE, _SRC_ALPHA, _ONE_MINUS_SRC_ALPHA = 1, 0x0302, 0x0303

_VERTEX = """
attribute highp vec3 position;
attribute highp vec3 normal;
uniform highp mat4 projection;
uniform highp mat3 rotation;
varying highp vec3 facing;
void main() {
    facing = rotation * normal;
    gl_Position = projection * vec4(position, 1.0);
}
"""
# Lit from beside the viewer's head; what is seen edge-on is denser, as glass is.
_FRAGMENT = """
uniform highp vec3 colour;
uniform highp float opacity;
uniform highp float rim;
varying highp vec3 facing;
void main() {
    highp vec3 n = normalize(facing);
    highp float light = max(dot(n, vec3(-0.25, 0.35, 0.90)), 0.0);
    highp float edge = 1.0 - clamp(n.z, 0.0, 1.0);
    highp vec3 shown = colour * (0.28 + 0.74 * light) + vec3(0.16 * pow(light, 24.0));
    gl_FragColor = vec4(shown, mix(opacity, 1.0, rim * edge * edge));
}
"""


@dataclass(frozen=True, slots=True)
class Layer:
    """How one mesh is drawn.

    Parameters
    ----------
    key : object
        Under which the mesh was given to the scene.
    colour : tuple of int
        Red, green, blue, 0-255.
    opacity, rim : float
        Opacity of what faces the viewer, and how far it rises to 1 at the edge; 0-1.
    """

    key: object
    colour: tuple[int, int, int]
    opacity: float
    rim: float = 0.0


class Scene:
    """Meshes in the memory of OpenGL, and their pictures. Made and used on the main thread only.

    Attributes
    ----------
    problem : str or None
        Why nothing can be drawn, for the log.
    """

    def __init__(self) -> None:
        self.problem: str | None = None
        self._buffers: dict[object, tuple[Mesh, QOpenGLBuffer, QOpenGLBuffer]] = {}
        self._frame: QOpenGLFramebufferObject | None = None
        self._context = QOpenGLContext()
        self._surface = QOffscreenSurface()
        self._program = QOpenGLShaderProgram()
        self._places: dict[str, int] = {}
        self._attributes: list[tuple[int, int]] = []
        self.problem = self._open()
        if self.problem is not None:
            _log.warning("no OpenGL: %s", self.problem)

    def _open(self) -> str | None:
        wanted = QSurfaceFormat.defaultFormat()
        wanted.setDepthBufferSize(24)
        self._context.setFormat(wanted)
        if not self._context.create():
            return "no context"
        self._surface.setFormat(self._context.format())
        self._surface.create()
        if not self._surface.isValid() or not self._context.makeCurrent(self._surface):
            return "no surface"
        if not QOpenGLFramebufferObject.hasOpenGLFramebufferObjects():
            return "no framebuffer objects"
        kind = QOpenGLShader.ShaderTypeBit
        if not (
            self._program.addShaderFromSourceCode(kind.Vertex, _VERTEX)
            and self._program.addShaderFromSourceCode(kind.Fragment, _FRAGMENT)
            and self._program.link()
        ):
            return f"no shaders: {self._program.log()}"
        self._places = {name: self._program.uniformLocation(name) for name in _UNIFORMS}
        self._attributes = [(self._program.attributeLocation(name), offset) for name, offset in _ATTRIBUTES]
        self._context.doneCurrent()
        return None

    def set_meshes(self, meshes: dict[object, Mesh]) -> None:
        """Keep these meshes and no others; those that are there already are not sent again."""
        if not self._make_current():
            return
        for key in [k for k, (mesh, _, _) in self._buffers.items() if meshes.get(k) is not mesh]:
            for buffer in self._buffers.pop(key)[1:]:
                buffer.destroy()
        for key, mesh in meshes.items():
            if key not in self._buffers:
                points = np.hstack([mesh.vertices_mm, mesh.normals]).astype(np.float32)
                kind = QOpenGLBuffer.Type
                self._buffers[key] = (
                    mesh,
                    _sent(kind.VertexBuffer, points),
                    _sent(kind.IndexBuffer, mesh.faces.astype(np.uint32)),
                )
        self._context.doneCurrent()

    def picture(self, size: QSize, orbit: Orbit, layers: Iterable[Layer]) -> QImage | None:
        """Draw layers in their order, inner ones first; None where OpenGL fails.

        Of a translucent layer only what is nearest to the viewer is drawn, so that its far walls do not
        cloud the picture; what was drawn before shows through it.
        """
        if not self._make_current():
            return None
        gl = self._context.functions()
        if self._frame is None or self._frame.size() != size:
            self._frame = _frame(size)
        if not self._frame.isValid() or not self._frame.bind():
            self.problem = "no framebuffer"
            return None
        gl.glViewport(0, 0, size.width(), size.height())
        gl.glClearColor(0.0, 0.0, 0.0, 1.0)
        gl.glDepthMask(True)
        gl.glClear(_COLOUR_BUFFER | _DEPTH_BUFFER)
        gl.glEnable(_DEPTH_TEST)
        gl.glEnable(_CULL_FACE)
        gl.glCullFace(_BACK)
        gl.glBlendFuncSeparate(_SRC_ALPHA, _ONE_MINUS_SRC_ALPHA, _ONE, _ONE_MINUS_SRC_ALPHA)
        program = self._program
        program.bind()
        matrix = orbit.matrix(size.width(), size.height())
        program.setUniformValue(self._places["projection"], QMatrix4x4(matrix.ravel().tolist()))
        program.setUniformValue(self._places["rotation"], QMatrix3x3(orbit.axes.ravel().tolist()))
        for layer in layers:
            if layer.key in self._buffers:
                self._draw(gl, layer)
        program.release()
        self._frame.release()
        image = self._frame.toImage()
        self._context.doneCurrent()
        return image.convertToFormat(QImage.Format.Format_RGB32)

    def close(self) -> None:
        """Give back what OpenGL holds; nothing is drawn afterwards."""
        if not (isValid(self._context) and isValid(self._surface)):
            # The whole program has ended, and Qt has taken them along.
            return
        if self._make_current():
            for _, vertices, faces in self._buffers.values():
                vertices.destroy()
                faces.destroy()
            if isValid(self._program):
                self._program.removeAllShaders()
            self._frame = None
            self._context.doneCurrent()
        self._buffers.clear()
        self._surface.destroy()
        self.problem = "closed"

    def _draw(self, gl: QOpenGLFunctions, layer: Layer) -> None:
        mesh, vertices, faces = self._buffers[layer.key]
        program = self._program
        r, g, b = (c / 255 for c in layer.colour)
        program.setUniformValue(self._places["colour"], r, g, b)
        program.setUniformValue1f(self._places["opacity"], layer.opacity)
        program.setUniformValue1f(self._places["rim"], layer.rim)
        vertices.bind()
        for place, offset in self._attributes:
            program.enableAttributeArray(place)
            program.setAttributeBuffer(place, _FLOAT, offset, 3, 24)
        faces.bind()
        translucent = layer.opacity < 1
        gl.glDepthFunc(_LESS)
        if translucent:
            gl.glColorMask(False, False, False, False)
            gl.glDrawElements(_TRIANGLES, mesh.faces.size, _UNSIGNED_INT, _FROM_THE_START)
            gl.glColorMask(True, True, True, True)
            gl.glDepthFunc(_LEQUAL)
            gl.glEnable(_BLEND)
        gl.glDrawElements(_TRIANGLES, mesh.faces.size, _UNSIGNED_INT, _FROM_THE_START)
        gl.glDisable(_BLEND)
        faces.release()
        vertices.release()

    def _make_current(self) -> bool:
        if self.problem is None and not self._context.makeCurrent(self._surface):
            self.problem = "context lost"
        return self.problem is None


def _sent(kind: QOpenGLBuffer.Type, data: np.ndarray) -> QOpenGLBuffer:
    """A buffer of OpenGL with a copy of an array."""
    buffer = QOpenGLBuffer(kind)
    buffer.create()
    buffer.bind()
    buffer.allocate(data.tobytes(), data.nbytes)
    buffer.release()
    return buffer


def _frame(size: QSize) -> QOpenGLFramebufferObject:
    form = QOpenGLFramebufferObjectFormat()
    form.setAttachment(QOpenGLFramebufferObject.Attachment.CombinedDepthStencil)
    return QOpenGLFramebufferObject(size, form)
