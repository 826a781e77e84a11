from __future__ import annotations

import contextlib

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from brainseg_desktop.inference.graph import FLOAT, End, read_ends, read_tensors
from tests.inference.tiny import onnx_bytes, random_layers

CONTENT = onnx_bytes(random_layers(4, 3, seed=2), "int8")


def test_the_ends_are_those_that_onnx_reads():
    inputs, outputs = read_ends(CONTENT)
    assert inputs == (End("slices", FLOAT, (None, 4, None, None)),)
    assert outputs == (End("probabilities", FLOAT, (None, 3, None, None)),)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 300), max_size=4), st.sampled_from(["float32", "int64", "int8", "float16"]))
def test_tensors_are_those_that_onnx_reads(dims, dtype):
    values = np.random.default_rng(len(dims)).integers(-99, 99, [d % 7 for d in dims]).astype(dtype)
    graph = helper.make_graph([], "g", [], [], [numpy_helper.from_array(values, "a name")])
    (name, read), *more = read_tensors(helper.make_model(graph).SerializeToString()).items()
    assert (name, more) == ("a name", [])
    assert read.dtype == values.dtype
    np.testing.assert_array_equal(read, values)


def test_constants_listed_as_inputs_are_no_inputs():
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1]) for n in ("x", "weight", "y")]
    held = numpy_helper.from_array(np.ones(1, np.float32), "weight")
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "weight"], ["y"])], "g", ends[:2], ends[2:], [held]
    )
    inputs, _ = read_ends(helper.make_model(graph).SerializeToString())
    assert [end.name for end in inputs] == ["x"]


def test_numbers_in_another_file_are_refused():
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="../../etc/passwd")
    graph = helper.make_graph([], "g", [], [], [tensor])
    with pytest.raises(ValueError, match="another file"):
        read_ends(onnx.helper.make_model(graph).SerializeToString())


@pytest.mark.parametrize(
    "content", [b"", b"\x80\x05\x95", b"PK\x03\x04 a zip", b"not a model", CONTENT[:5000]]
)
def test_what_is_no_whole_onnx_file_is_refused(content):
    with pytest.raises(ValueError, match="it "):
        read_ends(content)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.integers(0, len(CONTENT) - 1))
def test_rubbish_never_does_worse_than_being_refused(rubbish, place):
    for content in (rubbish, CONTENT[:place] + rubbish + CONTENT[place + len(rubbish) :]):
        for read in (read_ends, read_tensors):
            with contextlib.suppress(ValueError):
                read(content)
