from __future__ import annotations

from lesionctl.train.record.metrics import write_metrics

HISTORY = [{"epoch": n, "lr": 0.1 / n, "loss": 1 / n, "val_dice": 0.5} for n in (1, 2)]


def test_metrics_are_a_row_for_each_epoch(tmp_path):
    write_metrics(tmp_path / "metrics.csv", HISTORY)
    assert (tmp_path / "metrics.csv").read_text() == "epoch,lr,loss,val_dice\n1,0.1,1.0,0.5\n2,0.05,0.5,0.5\n"


def test_figures_that_came_up_later_or_went_are_left_empty_elsewhere(tmp_path):
    rows = [{"epoch": 1, "loss": 1.0}, {"epoch": 2, "loss": 0.5, "wait": 0.1}, {"epoch": 3, "wait": 0.2}]
    write_metrics(tmp_path / "metrics.csv", rows)
    assert (tmp_path / "metrics.csv").read_text() == "epoch,loss,wait\n1,1.0,\n2,0.5,0.1\n3,,0.2\n"


def test_file_is_written_anew(tmp_path):
    write_metrics(tmp_path / "metrics.csv", HISTORY)
    write_metrics(tmp_path / "metrics.csv", HISTORY[:1])
    assert (tmp_path / "metrics.csv").read_text().count("\n") == 2
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.csv"]
