"""Schemes: numbers of files, tissues of the program, regions of the report."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.labels import (
    ET,
    TC,
    WT,
    LabelScheme,
    Tissue,
    fitting_schemes,
    whole_values,
)

FOLDER = Path(__file__).parents[2] / "resources" / "schemes"
SCHEMES = {
    path.stem: LabelScheme.from_mapping(tomllib.loads(path.read_text(encoding="utf-8")))
    for path in FOLDER.glob("*.toml")
}


def names(schemes):
    return [scheme.name for scheme in schemes]


def test_the_schemes_number_tissues_as_their_challenges_do():
    assert {name: scheme.values for name, scheme in SCHEMES.items()} == {
        "brats2015": {1, 2, 3, 4},
        "brats2021": {1, 2, 4},
        "brats2023": {1, 2, 3},
        "brats2024": {1, 2, 3, 4},
        "lgg": {1},
    }
    four = np.array([4])
    assert SCHEMES["brats2021"].decode(four) == Tissue.ENHANCING
    assert SCHEMES["brats2024"].decode(four) == Tissue.CAVITY
    assert SCHEMES["brats2015"].decode(np.array([3])) == Tissue.NON_ENHANCING
    assert all(name == scheme.name for name, scheme in SCHEMES.items())


@pytest.mark.parametrize("name", sorted(SCHEMES))
@given(data=st.data())
@settings(deadline=None, max_examples=20)
def test_encode_is_the_inverse_of_decode(name, data):
    scheme = SCHEMES[name]
    numbers = data.draw(
        hnp.arrays(np.uint8, (2, 3, 4), elements=st.sampled_from(sorted(scheme.values | {0})))
    )
    tissues = scheme.decode(numbers)
    np.testing.assert_array_equal(scheme.encode(tissues), numbers)
    np.testing.assert_array_equal(scheme.decode(numbers.astype(np.float32)), tissues)
    np.testing.assert_array_equal(scheme.decode(numbers.astype(np.int16)), tissues)


def test_regions_are_those_of_brats():
    labels = SCHEMES["brats2021"].decode(np.array([[0, 1, 2, 4]]))
    assert WT.mask(labels).tolist() == [[False, True, True, True]]
    assert TC.mask(labels).tolist() == [[False, True, False, True]]
    assert ET.mask(labels).tolist() == [[False, False, False, True]]
    cavity = SCHEMES["brats2024"].decode(np.array([4]))
    assert not WT.mask(cavity).any()
    assert [r.name for r in SCHEMES["lgg"].regions] == ["WT"]
    assert [r.name for r in SCHEMES["brats2023"].regions] == ["WT", "TC", "ET"]


def test_a_number_outside_the_scheme_is_named():
    with pytest.raises(UserError) as caught:
        SCHEMES["brats2021"].decode(np.array([0, 3, 4, 7, 255]))
    assert caught.value.code == "label_outside_scheme"
    assert caught.value.params == {"values": [3, 7, 255], "scheme": "brats2021"}


@pytest.mark.parametrize("bad", [[0.5], [-1], [256], [np.nan], [np.inf], [1.0, 2.0001]])
def test_what_is_not_whole_is_no_mask(bad):
    with pytest.raises(UserError, match="label_not_whole"):
        whole_values(np.array(bad))


def test_whole_values_of_odd_types():
    assert whole_values(np.array([True, False])).tolist() == [1, 0]
    assert whole_values(np.array([], dtype=np.float32)).size == 0
    assert whole_values(np.array([3], dtype=">i2")).tolist() == [3]


def test_encode_says_which_tissue_has_no_number():
    with pytest.raises(UserError) as caught:
        SCHEMES["brats2021"].encode(np.array([[[Tissue.CAVITY]]], np.uint8))
    assert caught.value.code == "scheme_cannot_hold"
    assert caught.value.params["tissues"] == ["Resection cavity"]
    with pytest.raises(UserError, match="Whole tumour"):
        SCHEMES["brats2023"].encode(np.array([Tissue.TUMOUR], np.uint8))


def test_encode_merges_as_brats_did():
    assert SCHEMES["brats2021"].encode(np.array([Tissue.NON_ENHANCING], np.uint8)).tolist() == [1]
    tumour = np.array([0, 1, 2, 3, 4, 6], np.uint8)
    assert SCHEMES["lgg"].encode(tumour).tolist() == [0, 1, 1, 1, 1, 1]
    with pytest.raises(UserError, match="scheme_cannot_hold"):
        SCHEMES["lgg"].encode(np.array([Tissue.CAVITY], np.uint8))


def test_fitting_schemes_recognises_or_asks():
    order = [SCHEMES[n] for n in ("brats2021", "brats2023", "brats2024", "brats2015", "lgg")]
    assert names(fitting_schemes([0, 1, 2, 4], order)) == ["brats2021", "brats2024"]
    assert names(fitting_schemes([1, 2, 3], order)) == ["brats2023", "brats2015"]
    assert names(fitting_schemes([1, 2], order)) == ["brats2021"]
    assert names(fitting_schemes([1], order)) == ["brats2021", "lgg"]
    assert names(fitting_schemes([1, 2, 3, 4], order)) == ["brats2024", "brats2015"]
    assert fitting_schemes([9], order) == ()
    assert len(fitting_schemes([], order)) == 1
