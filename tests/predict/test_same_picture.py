"""A picture is told from every other that may take its place, and from itself before it changed."""

from __future__ import annotations

import os
import shutil

import pytest

from lesionctl.predict import same_picture
from lesionctl.predict.same_picture import NOBODY, glance, sign


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "a.bmp"
    path.write_bytes(b"pixels")
    return path


def test_a_picture_is_itself_and_of_a_copy_the_content_decides(picture, tmp_path, monkeypatch):
    signature = sign(picture, glance(picture))
    copy, other = tmp_path / "copy.bmp", tmp_path / "other.bmp"
    shutil.copy2(picture, copy)
    other.write_bytes(b"PIXELS")  # of the same size, and made to be of the same time
    os.utime(other, ns=(glance(picture).modified,) * 2)
    assert [signature.is_of(path) for path in (picture, copy, other)] == [True, True, False]
    os.utime(copy, ns=(1, 1))
    assert signature.is_of(copy) is False
    monkeypatch.setattr(same_picture, "_digest", None)  # the picture itself is not read once more
    assert signature.is_of(picture) is True


def test_a_picture_that_has_gone_or_cannot_be_read_is_neither(picture, tmp_path):
    signature = sign(picture, glance(picture))
    picture.unlink()
    assert signature.is_of(picture) is None
    picture.mkdir()
    folder = glance(picture)
    assert signature._replace(size=folder.size, modified=folder.modified).is_of(picture) is None


def test_a_picture_that_changed_after_the_glance_has_no_signature(picture):
    before = glance(picture)
    picture.write_bytes(b"larger pixels")
    assert sign(picture, before) is NOBODY
    picture.unlink()
    assert sign(picture, before) is NOBODY
    assert glance(picture) is None
