from __future__ import annotations

import pytest

from lesionctl.bench.bench import What, bench
from lesionctl.bench.timing import Timing
from lesionctl.errors import BadFile
from lesionctl.runtime.load import load_segmenter


def test_percentiles_and_rate_of_known_times():
    seconds = [0.1 * k for k in range(1, 12)]  # 0.1 to 1.1, median 0.6
    timing = Timing.of(seconds, 3, what="model", model="m", backend="b", batch_size=3)
    assert timing.runs == 11
    assert timing.p50_ms == pytest.approx(600)
    assert timing.p95_ms == pytest.approx(1050)
    assert timing.p99_ms == pytest.approx(1090)
    assert timing.images_per_second == pytest.approx(5)


def test_each_probe_is_run_as_often_as_said(model_file, demo):
    segmenter = load_segmenter(str(model_file), "cpu")
    pictures = [str(path) for path in sorted((demo / "images").iterdir())[1:4]]
    timings = bench([segmenter], list(What), pictures, batch_size=2, repeats=2)
    # Three pictures: three runs of one, two of a batch of two, three files one by one, all files once; each twice.
    assert [(timing.what, timing.batch_size, timing.runs) for timing in timings] == [
        ("model", 1, 6),
        ("model", 2, 4),
        ("predict each", 1, 6),
        ("predict all", 2, 2),
    ]


def test_a_bad_picture_is_named(model_file, tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"x")
    with pytest.raises(BadFile, match=r"bad\.jpg"):
        bench([load_segmenter(str(model_file), "cpu")], [What.PREDICT], [str(tmp_path)], batch_size=1, repeats=1)
