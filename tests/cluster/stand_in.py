"""What stands in for SLURM, and for the program's slow start: `stand_in.py NAME ARGUMENTS` is sbatch, srun and so on.

It does as SLURM does where a batch file could be wrong about it: `srun` gives a task one processor unless it is told
otherwise, as versions 22.05 to 23.02 do; a batch script has no variables of a step; a job is requeued only if it was
submitted with --requeue, and what is left of its script is then ended by SIGTERM. Options that are not known are
refused. Nodes are addresses of this machine, each with a scratch disk of its own: where a task of another node names
the first node's, it means its own, as with file systems that are mounted in the same place everywhere.

STAND_IN is the folder in which all of it is written down: `jobs/ID/job.json`, `jobs/ID/steps/STEP.TASK.json`, and the
program's own number in `jobs/ID/program.json`. STAND_IN_FIRST is the number of the first job, from which the port
follows at which processes meet; STAND_IN_PROGRAM is the socket at which the program is asked for.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

FOLDER = Path(os.environ.get("STAND_IN", "."))
JOB_OPTIONS = {
    "job-name", "output", "open-mode", "time", "nodes", "ntasks", "ntasks-per-node", "gpus-per-node", "cpus-per-task",
    "mem", "array", "requeue", "signal", "wait",
}  # fmt: skip
FORWARDED = {signal.SIGTERM, signal.SIGUSR1}
STEP_OPTIONS = {"ntasks", "ntasks-per-node", "cpus-per-task"}


def sbatch(words: list[str]) -> int:
    """Run a batch file to its end, as `sbatch --wait` does: each task of an array, and again after a requeue."""
    typed, (file, *_) = read_options(words, JOB_OPTIONS)
    script = Path(file).read_text()
    head = script[: script.index("\nset -")]
    lines = [line.partition("#SBATCH ")[2] for line in head.splitlines() if line.startswith("#SBATCH ")]
    asked, _ = read_options([word for line in lines for word in shlex.split(line, comments=True)], JOB_OPTIONS)
    asked |= typed
    first = int(os.environ["STAND_IN_FIRST"]) + len(list((FOLDER / "jobs").iterdir()))
    tasks = array_tasks(asked["array"]) if "array" in asked else [None]
    running = []
    for number, task in enumerate(tasks):
        folder = FOLDER / "jobs" / str(first + number)
        (folder / "steps").mkdir(parents=True)
        (folder / "slurm_script").write_text(script)
        of_array = {} if task is None else {
            "SLURM_ARRAY_JOB_ID": first, "SLURM_ARRAY_TASK_ID": task, "SLURM_ARRAY_TASK_COUNT": len(tasks),
            "SLURM_ARRAY_TASK_MIN": min(tasks), "SLURM_ARRAY_TASK_MAX": max(tasks),
        }  # fmt: skip
        running.append((folder, of_array, start_job(folder, asked, of_array, 0)))
    codes = []
    for folder, of_array, process in running:
        code, restarts = process.wait(), 0
        while (folder / "requeued").exists():
            (folder / "requeued").unlink()
            restarts += 1
            code = start_job(folder, asked, of_array, restarts).wait()
        codes.append(code if code >= 0 else 128 - code)
    return max(codes)


def start_job(folder: Path, asked: dict[str, str], of_array: dict[str, object], restarts: int) -> subprocess.Popen:
    number, nodes = int(folder.name), int(asked.get("nodes", "1"))
    hosts = "127.0.0.1" if nodes == 1 else f"127.0.0.[1-{nodes}]"
    names = {"%j": folder.name, "%x": asked["job-name"]}
    names |= {"%A": str(of_array.get("SLURM_ARRAY_JOB_ID")), "%a": str(of_array.get("SLURM_ARRAY_TASK_ID"))}
    log = re.sub("%.", lambda found: names[found[0]], asked["output"])
    given = {
        "SLURM_JOB_ID": number, "SLURM_JOB_NAME": asked["job-name"], "SLURM_JOB_NUM_NODES": nodes,
        "SLURM_NNODES": nodes, "SLURM_JOB_NODELIST": hosts, "SLURM_PROCID": 0, "SLURM_LOCALID": 0, "SLURM_NODEID": 0,
        "SLURM_SUBMIT_DIR": str(Path.cwd()), "SLURM_TMPDIR": scratch_of(number, 0), **of_array,
    }  # fmt: skip
    for name, variable in (("ntasks-per-node", "SLURM_NTASKS_PER_NODE"), ("cpus-per-task", "SLURM_CPUS_PER_TASK")):
        if name in asked:
            given[variable] = asked[name]
    if "ntasks-per-node" in asked or "ntasks" in asked:
        given["SLURM_NTASKS"] = asked.get("ntasks") or nodes * int(asked["ntasks-per-node"])
    if restarts:
        given["SLURM_RESTART_COUNT"] = restarts
    for step in (folder / "steps").iterdir():
        step.unlink()
    for node in range(nodes):
        scratch_of(number, node).mkdir(parents=True, exist_ok=True)
    with Path(log).open("ab" if asked.get("open-mode") == "append" else "wb") as output:
        process = subprocess.Popen(
            ["/bin/bash", str(folder / "slurm_script")],
            env={**os.environ, **{name: str(value) for name, value in given.items()}},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    write_down(folder / "job.json", {"options": asked, "pid": process.pid, "restarts": restarts})
    return process


def srun(words: list[str]) -> int:
    """Start the tasks of a step, hand signals on to them, and end with the highest of their exit codes."""
    asked, command = read_options(words, STEP_OPTIONS)
    job, nodes = int(os.environ["SLURM_JOB_ID"]), int(os.environ["SLURM_JOB_NUM_NODES"])
    tasks = int(asked.get("ntasks") or os.environ.get("SLURM_NTASKS", "1"))
    per_node = int(asked.get("ntasks-per-node") or -(-tasks // nodes))
    folder = FOLDER / "jobs" / str(job)
    step = len({path.name.partition(".")[0] for path in (folder / "steps").iterdir()})
    processes = []
    for number in FORWARDED:
        signal.signal(number, lambda number, _: [process.send_signal(number) for process in processes])
    if "STAND_IN_PROGRAM" in os.environ:  # a signal waits until the program's stand-in can hand it on
        signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
    for task in range(tasks):
        node = task // per_node
        own = {
            "SLURM_STEP_ID": step, "SLURM_STEPID": step, "SLURM_PROCID": task, "SLURM_LOCALID": task % per_node,
            "SLURM_NODEID": node, "SLURM_NTASKS": tasks, "SLURM_STEP_NUM_TASKS": tasks,
            "SLURM_STEP_NODELIST": os.environ["SLURM_JOB_NODELIST"], "SLURM_TMPDIR": scratch_of(job, node),
            "SLURM_CPUS_PER_TASK": asked.get("cpus-per-task", "1"),
        }  # fmt: skip
        here = [word.replace(str(scratch_of(job, 0)), str(scratch_of(job, node))) for word in command]
        own = {name: str(value) for name, value in own.items()}
        processes.append(subprocess.Popen(here, env={**os.environ, **own}))
        record = {"command": here, "variables": own, "pid": processes[-1].pid}
        write_down(folder / "steps" / f"{step}.{task}.json", record)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
    codes = [process.wait() for process in processes]
    return max(code if code >= 0 else 128 - code for code in codes)


def scontrol(words: list[str]) -> int:
    """Put a job that is running back into the queue."""
    command, job = words
    assert command == "requeue", command
    folder = FOLDER / "jobs" / job
    record = json.loads((folder / "job.json").read_text())
    if "requeue" not in record["options"]:
        sys.stderr.write(f"Requested operation is presently disabled for job {job}\n")
        return 1
    (folder / "requeued").touch()
    os.kill(record["pid"], signal.SIGTERM)
    return 0


def lesionctl(words: list[str]) -> int:
    """The program, started by whoever has its libraries loaded already; signals go to it, and its end is this one's."""
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(os.environ["STAND_IN_PROGRAM"])
        talk = line.makefile("rw")
        order = {"arguments": words, "environment": dict(os.environ), "cwd": str(Path.cwd())}
        talk.write(json.dumps(order) + "\n")
        talk.flush()
        pid = int(talk.readline())
        for number in FORWARDED:
            signal.signal(number, lambda number, _: os.kill(pid, number))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
        write_down(FOLDER / "jobs" / os.environ["SLURM_JOB_ID"] / "program.json", {"pid": pid})
        code, stdout, stderr = json.loads(talk.readline())
    for stream, text in ((sys.stdout, stdout), (sys.stderr, stderr)):
        stream.write(text)
        stream.flush()
    if code < 0 and code != -signal.SIGKILL:
        signal.signal(-code, signal.SIG_DFL)
    if code < 0:
        signal.raise_signal(-code)
    return code


def read_options(words: list[str], known: set[str]) -> tuple[dict[str, str], list[str]]:
    """The options `--name=value` before the first word that is none, and the words from there on."""
    options = {}
    for place, word in enumerate(words):
        if not word.startswith("--"):
            return options, words[place:]
        name, _, value = word[2:].partition("=")
        if name not in known:
            sys.exit(f"unrecognized option '{word}'")
        options[name] = value
    return options, []


def array_tasks(text: str) -> list[int]:
    """The numbers of `0-15%8`."""
    first, last = re.fullmatch(r"(\d+)-(\d+)(?:%\d+)?", text).groups()
    return list(range(int(first), int(last) + 1))


def scratch_of(job: int, node: int) -> Path:
    """The folder on a node's own disk that a job has there."""
    return FOLDER / f"scratch-{node}" / str(job)


def write_down(path: Path, record: dict) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps(record))
    part.replace(path)


if __name__ == "__main__":
    sys.exit({"sbatch": sbatch, "srun": srun, "scontrol": scontrol, "lesionctl": lesionctl}[sys.argv[1]](sys.argv[2:]))
