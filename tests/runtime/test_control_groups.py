"""The control groups around a process, from the files of a system that is written here."""

from __future__ import annotations

import pytest

from lesionctl.runtime.control_groups import groups_around


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ("0::/job/step\n", [("job/step", 2), ("job", 2), ("", 2)]),
        ("0::/\n", [("", 2)]),
        ("0::/elsewhere/step\n", [("", 2)]),  # a container sees the mount alone
        ("5:cpu,cpuacct:/job\n4:memory:/job\n", [("memory/job", 1), ("memory", 1)]),
        ("5:cpuset:/job\n", []),
    ],
)
def test_groups_come_from_the_inside_out(tmp_path, entries, expected):
    mount = tmp_path / "sys/fs/cgroup"
    for name in ("job/step", "memory/job", "cpu/job"):
        (mount / name).mkdir(parents=True)
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(entries)
    assert list(groups_around("memory", tmp_path)) == [(mount / name, version) for name, version in expected]


def test_other_systems_have_none(tmp_path):
    assert list(groups_around("memory", tmp_path)) == []
