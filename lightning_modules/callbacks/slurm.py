"""Requeues a SLURM job."""

import os
import subprocess


def requeue() -> str:
    """Put this job back into the queue, from one of its processes.

    Returns:
        The outcome, in one line.
    """
    job = os.environ.get("SLURM_JOB_ID", "")
    if array := os.environ.get("SLURM_ARRAY_JOB_ID"):
        job = f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    command = ["scontrol", "requeue", job]
    try:
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as failure:
        return f"SLURM did not requeue job {job}: {failure}"
    if done.returncode != 0:
        return f"SLURM did not requeue job {job}: {done.stderr.strip()}"
    return f"SLURM requeued job {job}."
