"""What a measurement was made on."""

import os
import platform
import sqlite3
import subprocess
import tempfile
from pathlib import Path


def machine() -> str:
    """CPU, cores, Python, SQLite, and the file system of temporary folders, in a line."""
    cpu = platform.processor() or platform.machine()
    for line in _read("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    found = subprocess.run(
        ["stat", "-f", "-c", "%T", tempfile.gettempdir()], capture_output=True, text=True, check=False
    )
    return (
        f"{cpu}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()},"
        f" SQLite {sqlite3.sqlite_version}, {found.stdout.strip() or 'unknown'} file system,"
        f" load {os.getloadavg()[0]:.1f}"
    )


def _read(path: str) -> str:
    file = Path(path)
    return file.read_text() if file.exists() else ""
