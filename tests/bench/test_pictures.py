from __future__ import annotations

import numpy as np

from lesionctl.bench.pictures import SIZES, describe_pictures, draw_pictures
from lesionctl.imaging.decode import decode

FEW = ((300, 200), (1100, 800), (120, 90))


def test_pictures_have_the_sizes_that_were_asked_for(tmp_path):
    paths = draw_pictures(tmp_path / "pictures", FEW)
    images = [decode(path).image for path in paths]
    assert sorted(image.shape for image in images) == [(90, 120, 3), (200, 300, 3), (800, 1100, 3)]
    assert all(image.std() > 5 for image in images)  # there is something in them


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    one, again, other = (
        [path.read_bytes() for path in draw_pictures(tmp_path / name, FEW[:1], seed=seed)]
        for name, seed in (("one", 0), ("again", 0), ("other", 1))
    )
    assert one == again != other


def test_files_are_about_as_large_as_the_archives(tmp_path):
    path = draw_pictures(tmp_path / "pictures", [(1024, 768)])[0]
    assert 1 < 8 * path.stat().st_size / (1024 * 768) < 3.5  # bits per pixel


def test_the_sizes_are_those_of_the_real_sets():
    megapixels = np.array([width * height / 1e6 for width, height in SIZES])
    assert len(SIZES) == 24
    assert (round(float(np.median(megapixels)), 1), round(float(megapixels.mean()), 1)) == (2.4, 4.8)
    assert (round(float(megapixels.min()), 1), round(float(megapixels.max()))) == (0.3, 12)


def test_pictures_are_told_apart_by_names_and_sizes_in_any_order_and_folder(tmp_path):
    def of(folder, **sizes):
        (tmp_path / folder).mkdir()
        paths = [tmp_path / folder / name for name in sizes]
        for path, size in zip(paths, sizes.values(), strict=True):
            path.write_bytes(bytes(size))
        return describe_pictures(paths, drawn=False)

    one = of("one", a=3, b=4)
    assert one == of("again", b=4, a=3)
    assert (one["count"], one["bytes"], one["drawn"]) == (2, 7, False)
    assert len({each["digest"] for each in (one, of("larger", a=3, b=5), of("renamed", a=3, c=4))}) == 3
