"""Reads what an ONNX file says of itself: the names and shapes at its ends, and the numbers it stores.

The window must refuse a wrong file in words, but its process never loads ONNX Runtime, and a GPU needs the
numbers alone. The form is protocol buffers: a tag (field number, wire type), then the value; field numbers
are those of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto). The rest is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FLOAT = 1
_TYPES: dict[int, np.dtype] = {  # type: ignore[type-arg]
    FLOAT: np.dtype("<f4"),
    2: np.dtype("u1"),
    3: np.dtype("i1"),
    6: np.dtype("<i4"),
    7: np.dtype("<i8"),
    10: np.dtype("<f2"),
}
_GRAPH, _INITIALIZER, _INPUT, _OUTPUT = 7, 5, 11, 12
_TENSOR_DIMS, _TENSOR_TYPE, _TENSOR_NAME, _TENSOR_RAW, _TENSOR_PLACE = 1, 2, 8, 9, 14

Field = tuple[int, "int | memoryview"]


@dataclass(frozen=True, slots=True)
class End:
    """An input or output of a graph.

    Parameters
    ----------
    name : str
    dtype : int
        `FLOAT`, or another element type of onnx.proto; 0 if it is no tensor.
    dims : tuple of int or None
        None where the size is left open.
    """

    name: str
    dtype: int
    dims: tuple[int | None, ...]


def read_ends(content: bytes) -> tuple[tuple[End, ...], tuple[End, ...]]:
    """Inputs and outputs of a graph; constants that older writers list among the inputs are left out.

    Raises
    ------
    ValueError
        If the content is not a whole ONNX file by itself.
    """
    graph = _graph(content)
    constants = set()
    for tensor in _of(graph, _INITIALIZER):
        name, place = "", 0
        for number, value in _fields(tensor):
            if number == _TENSOR_NAME:
                name = _text(value)
            elif number == _TENSOR_PLACE:
                place = _whole(value)
        if place:
            raise ValueError("its numbers lie in another file")
        constants.add(name)
    inputs = tuple(end for end in map(_end, _of(graph, _INPUT)) if end.name not in constants)
    return inputs, tuple(map(_end, _of(graph, _OUTPUT)))


def read_tensors(content: bytes) -> dict[str, NDArray[np.generic]]:
    """The stored tensors by name, as views of the content.

    Raises
    ------
    ValueError
        If the content is not an ONNX file, or stores a tensor in another form than raw bytes.
    """
    tensors: dict[str, NDArray[np.generic]] = {}
    for tensor in _of(_graph(content), _INITIALIZER):
        name, kind, raw, dims = "", 0, memoryview(b""), []
        for number, value in _fields(tensor):
            if number == _TENSOR_DIMS:
                dims += [_whole(value)] if isinstance(value, int) else list(_packed(value))
            elif number == _TENSOR_TYPE:
                kind = _whole(value)
            elif number == _TENSOR_NAME:
                name = _text(value)
            elif number == _TENSOR_RAW:
                raw = _part(value)
        if kind not in _TYPES:
            raise ValueError(f"{name} has the element type {kind}")
        tensors[name] = np.frombuffer(raw, _TYPES[kind]).reshape(dims)
    return tensors


def _graph(content: bytes) -> memoryview:
    graphs = [_part(value) for number, value in _fields(memoryview(content)) if number == _GRAPH]
    if len(graphs) != 1:
        raise ValueError("it holds no graph")
    return graphs[0]


def _of(message: memoryview, wanted: int) -> Iterator[memoryview]:
    return (_part(value) for number, value in _fields(message) if number == wanted)


def _end(info: memoryview) -> End:
    """Of a ValueInfoProto: name 1, type 2; in it tensor_type 1 with elem_type 1 and shape 2; in it dim 1."""
    name, kind, dims = "", 0, []
    for number, value in _fields(info):
        if number == 1:
            name = _text(value)
    for tensor in (t for form in _of(info, 2) for t in _of(form, 1)):
        kind = next((_whole(value) for number, value in _fields(tensor) if number == 1), 0)
        for dim in (d for shape in _of(tensor, 2) for d in _of(shape, 1)):
            dims.append(next((_whole(value) for number, value in _fields(dim) if number == 1), None))
    return End(name, kind, tuple(dims))


def _fields(message: memoryview) -> Iterator[Field]:
    """The fields of a message in their order; a number, or the bytes of anything longer."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _varint(message, at)
            yield number, value
            continue
        if wire == 2:
            size, at = _varint(message, at)
        else:
            size = {1: 8, 5: 4}.get(wire, -1)
        if number == 0 or size < 0 or at + size > len(message):
            raise ValueError("it is no ONNX file, or cut short")
        yield number, message[at : at + size]
        at += size


def _packed(message: memoryview) -> Iterator[int]:
    at = 0
    while at < len(message):
        value, at = _varint(message, at)
        yield value


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A number in groups of seven bits, lowest first, and where the next field begins."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            break
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("it is no ONNX file, or cut short")


def _part(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError("it is no ONNX file")
    return value


def _whole(value: int | memoryview) -> int:
    if not isinstance(value, int):
        raise ValueError("it is no ONNX file")
    return value


def _text(value: int | memoryview) -> str:
    return bytes(_part(value)).decode()
