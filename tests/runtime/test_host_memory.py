"""What memory a process may have, from the files of a system that is written here."""

from __future__ import annotations

import os

import pytest

from lesionctl.runtime.host_memory import memory_for_this_process

GIB = 2**30
TASKS = {  # a step of five tasks, four of them here
    "SLURM_STEP_ID": "0",
    "SLURM_STEP_NUM_TASKS": "5",
    "SLURM_STEP_TASKS_PER_NODE": "1,4",
    "SLURM_NODEID": "1",
}
PAGE = os.sysconf("SC_PAGE_SIZE")
OWN = GIB // PAGE * PAGE  # this process has one GiB already


@pytest.fixture
def system(tmp_path):
    """A function that writes files of a system with 16 GiB that are free, and returns its root."""

    def write(**files):
        everything = {
            "proc/meminfo": f"MemTotal: {64 * 2**20} kB\nMemAvailable: {16 * 2**20} kB\n",
            "proc/self/statm": f"9999999 {OWN // PAGE} 1 1 0 1 0\n",
            "proc/self/cgroup": "0::/\n",
            **{name.replace("__", "/"): text for name, text in files.items()},
        }
        for name, text in everything.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


def test_without_limits_it_is_what_the_system_can_give_and_what_it_has(system):
    assert memory_for_this_process(system(), {}) == 17 * GIB


def test_the_second_version_of_control_groups_limits_it_at_every_level_and_page_cache_is_free(system):
    root = system(
        **{
            "proc/self/cgroup": "0::/job/step\n",
            "sys/fs/cgroup/job/memory.max": f"{6 * GIB}\n",
            "sys/fs/cgroup/job/memory.current": f"{5 * GIB}\n",
            "sys/fs/cgroup/job/memory.stat": f"anon {2 * GIB}\ninactive_file {3 * GIB}\n",
            "sys/fs/cgroup/job/step/memory.max": "max\n",
            "sys/fs/cgroup/job/step/memory.current": f"{5 * GIB}\n",
            "sys/fs/cgroup/job/step/memory.stat": "inactive_file 0\n",
        }
    )
    assert memory_for_this_process(root, {}) == (6 - 5 + 3 + 1) * GIB


def test_the_first_version_limits_it_too_and_a_container_sees_its_own_group_as_the_mount(system):
    root = system(
        **{
            "proc/self/cgroup": "4:memory:/docker/abc\n3:cpu:/docker/abc\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{8 * GIB}\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": f"{4 * GIB}\n",
            "sys/fs/cgroup/memory/memory.stat": f"total_inactive_file {GIB}\n",
        }
    )
    assert memory_for_this_process(root, {}) == (8 - 4 + 1 + 1) * GIB


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"SLURM_MEM_PER_NODE": "2048"}, 2 * GIB),
        ({"SLURM_MEM_PER_NODE": "0"}, 17 * GIB),  # all that the node has
        ({"LOCAL_WORLD_SIZE": "4"}, 5 * GIB),
        ({"SLURM_MEM_PER_NODE": "8192", "LOCAL_WORLD_SIZE": "4"}, 2 * GIB),
        (TASKS, 5 * GIB),
        ({**TASKS, "SLURM_NODEID": "0"}, 17 * GIB),
        ({**TASKS, "SLURM_MEM_PER_NODE": "8192"}, 2 * GIB),
        ({**TASKS, "SLURM_MEM_PER_CPU": "1024", "SLURM_CPUS_ON_NODE": "8"}, 2 * GIB),
        ({**TASKS, "SLURM_MEM_PER_GPU": "2048", "SLURM_GPUS_ON_NODE": "2"}, GIB),
        ({"SLURM_MEM_PER_NODE": "8192", "SLURM_STEP_TASKS_PER_NODE": "4"}, 8 * GIB),  # a batch script is alone
    ],
)
def test_what_slurm_granted_limits_it_and_processes_of_one_training_share_it(system, environ, expected):
    assert memory_for_this_process(system(), environ) == expected
