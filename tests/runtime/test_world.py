"""What launchers put into the environment, and which of it makes a process one of several."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lesionctl.errors import UsageError
from lesionctl.runtime.world import World, find_world, processes_on_this_node, tasks_on_this_node

TORCHRUN = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "MASTER_ADDR": "gpu-1", "MASTER_PORT": "29500"}
JOB = {"SLURM_JOB_ID": "1000", "SLURM_NTASKS": "4", "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0"}
STEP = {
    **JOB,
    "SLURM_STEP_ID": "2",
    "SLURM_STEPID": "2",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_STEP_NODELIST": "gpu-[07-08]",
    "SLURM_PROCID": "3",
    "SLURM_LOCALID": "1",
}
IN_STEP = World(3, 4, 1, "gpu-07", 21_002)  # 10,000 + (31 · 1000 + 2) mod 20,000

ENVIRONMENTS = {
    "nothing": ({}, None),
    "torchrun": (TORCHRUN, World(3, 4, 1, "gpu-1", 29_500)),
    "torchrun with one process": ({**TORCHRUN, "RANK": "0", "WORLD_SIZE": "1"}, None),
    "torchrun in each task of a step": ({**STEP, **TORCHRUN}, World(3, 4, 1, "gpu-1", 29_500)),
    "torchrun with one process in a step": ({**STEP, **TORCHRUN, "RANK": "0", "WORLD_SIZE": "1"}, None),
    "where to meet, but nobody to": ({"MASTER_ADDR": "gpu-1", "MASTER_PORT": "29500", "WORLD_SIZE": "4"}, None),
    "srun": (STEP, IN_STEP),
    "srun of an old SLURM": ({name: STEP[name] for name in STEP if name != "SLURM_STEP_ID"}, IN_STEP),
    "srun, the meeting chosen by a person": (
        {**STEP, "MASTER_ADDR": "gpu-08", "MASTER_PORT": "4000"},
        World(3, 4, 1, "gpu-08", 4000),
    ),
    "srun of one task": ({**STEP, "SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1"}, None),
    "a batch script": (JOB, None),
    "a batch script whose step has a reserved number": ({**STEP, "SLURM_STEP_ID": "4294967291"}, None),
    "the shell of salloc": ({"SLURM_JOB_ID": "1000", "SLURM_NTASKS": "4"}, None),
    "the shell of salloc in an interactive step": (
        {**JOB, "SLURM_STEP_ID": "4294967290", "SLURM_STEP_NUM_TASKS": "1", "SLURM_STEP_NODELIST": "gpu-07"},
        None,
    ),
}


@pytest.mark.parametrize(("environ", "expected"), ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_a_process_is_one_of_several_only_where_its_launcher_says_so(environ, expected):
    assert find_world(environ) == expected


@pytest.mark.parametrize(
    ("hosts", "first"),
    [
        ("login", "login"),
        ("login,gpu-1", "login"),
        ("gpu-[07-09,12],login", "gpu-07"),
        ("gpu-[3,5-6]", "gpu-3"),
        ("r[1-2]n[3-4]", "r1n3"),
        ("rack[10-11]-node[001-128].cluster,login", "rack10-node001.cluster"),
    ],
)
def test_the_first_host_of_a_step_is_where_its_processes_meet(hosts, first):
    assert find_world({**STEP, "SLURM_STEP_NODELIST": hosts}).address == first


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"LOCAL_RANK": ""}, "LOCAL_RANK is missing"),
        ({"MASTER_PORT": "none"}, "MASTER_PORT is 'none', no number"),
        ({"RANK": "4"}, "RANK=4 is no process of 4"),
    ],
)
def test_variables_that_contradict_one_another_are_refused(changes, words):
    with pytest.raises(UsageError, match=words):
        find_world({**TORCHRUN, **changes})


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({"SLURM_STEP_TASKS_PER_NODE": "2"}, 2),
        ({"SLURM_STEP_TASKS_PER_NODE": "2(x3)", "SLURM_NODEID": "2"}, 2),
        ({"SLURM_STEP_TASKS_PER_NODE": "2,1(x2)"}, 2),
        ({"SLURM_STEP_TASKS_PER_NODE": "2,1(x2)", "SLURM_NODEID": "1"}, 1),
        ({"SLURM_STEP_TASKS_PER_NODE": "2,1(x2)", "SLURM_NODEID": "2"}, 1),
        ({"SLURM_STEP_TASKS_PER_NODE": "1(x10),12", "SLURM_NODEID": "10"}, 12),
        ({"SLURM_STEP_TASKS_PER_NODE": "4", "SLURM_STEP_ID": "4294967290"}, 1),  # the shell of salloc
        ({"SLURM_STEP_TASKS_PER_NODE": "4", "SLURM_NODEID": "1"}, 1),  # of another step
        ({}, 1),
    ],
)
def test_tasks_on_a_node_are_those_that_the_step_has_there(changes, number):
    assert tasks_on_this_node({**STEP, **changes}) == number
    assert processes_on_this_node({**STEP, **changes}) == number


@pytest.mark.parametrize(
    ("environ", "number"),
    [
        ({}, 1),
        ({**JOB, "SLURM_TASKS_PER_NODE": "4", "SLURM_STEP_TASKS_PER_NODE": "4"}, 1),  # a batch script is alone
        ({**TORCHRUN, "LOCAL_WORLD_SIZE": "4"}, 4),
        ({**JOB, **TORCHRUN, "LOCAL_WORLD_SIZE": "4"}, 4),
        ({**STEP, **TORCHRUN, "SLURM_STEP_TASKS_PER_NODE": "1(x2)", "LOCAL_WORLD_SIZE": "4"}, 4),
        ({**STEP, **TORCHRUN, "SLURM_STEP_TASKS_PER_NODE": "2(x2)"}, 2),  # a person named them by torchrun's variables
        ({**TORCHRUN, "LOCAL_WORLD_SIZE": ""}, 1),
    ],
)
def test_processes_on_a_node_are_those_of_torchrun_or_of_the_step(environ, number):
    assert processes_on_this_node(environ) == number


def test_the_launcher_is_known_before_torch_is_loaded():
    code = "import sys, lesionctl.train.distributed.ranks; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
