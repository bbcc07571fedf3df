from __future__ import annotations

from lesionctl.bench.machine import machine_cells, machine_lines, machine_title

ENVIRONMENT = {
    "processor": "AMD EPYC", "cpus": 64, "cpus_available": 16, "cpus_in_mask": 16, "omp_num_threads": "8",
    "memory_gib": 512.0, "memory_limit_gib": 128.0, "gpus": ["NVIDIA H200"] * 2, "nvidia_driver": "570.86",
    "torch": "2.13.0", "onnxruntime": None, "openvino": "2026.4", "lesionctl": "1.0", "python": "3.11",
    "system": "Linux",
}  # fmt: skip


def test_a_machine_in_a_line_and_in_three():
    assert machine_title(ENVIRONMENT) == "AMD EPYC, 16 cpus, 2 × NVIDIA H200, torch 2.13.0"
    assert machine_lines(ENVIRONMENT) == [
        "AMD EPYC, 16 cpus, 2 × NVIDIA H200, torch 2.13.0",
        "128 GiB of memory, 16 of 64 cpus in the affinity mask, OMP_NUM_THREADS 8, driver 570.86",
        "lesionctl 1.0, openvino 2026.4, python 3.11, Linux",
    ]


def test_what_is_not_known_is_left_out_of_lines_and_empty_in_cells():
    known = {"processor": "x", "cpus_available": 1, "gpus": [], "torch": "2"}
    assert machine_lines(known) == ["x, 1 cpu, torch 2"]
    cells = machine_cells(ENVIRONMENT)
    assert (cells["environment_gpus"], cells["environment_cpus_available"]) == ("NVIDIA H200; NVIDIA H200", 16)
    assert list(machine_cells(known)) == list(cells)
    assert machine_cells(known)["environment_openvino"] is None
