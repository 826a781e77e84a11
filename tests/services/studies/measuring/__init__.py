"""Tests of measuring studies, on small studies made of boxes."""
