"""How the benchmarks measure, and the table they print."""

import os
import pathlib
import resource
import subprocess
import sys
import time

MIB = 2**20


def progress(text):
    print(text, file=sys.stderr, flush=True)


def cpu_of(command, allowed=(0,), stdin=None):
    """CPU seconds (user and system) and wall seconds of a command, which must end with an allowed status."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.monotonic()
    status = subprocess.run(command, stdin=stdin, stdout=subprocess.DEVNULL).returncode
    if status not in allowed:
        raise SystemExit(f"{command} ended with {status}")
    wall = time.monotonic() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def best_of(runs, measure):
    """The run with the least wall time: these machines are shared."""
    return min((measure() for _ in range(runs)), key=lambda pair: pair[1])


def folder_bytes(path):
    return sum(f.stat().st_blocks * 512 for f in pathlib.Path(path).rglob("*") if f.is_file())


def resident_bytes(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise SystemExit(f"process {pid} has no resident memory any more")


class Watch:
    """Follows a program to its end: CPU seconds of it alone, and its largest resident size."""

    def __init__(self, program):
        self.program = program
        self.peak = 0
        self.cpu = 0.0

    def until_end(self):
        pid = self.program.pid
        while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
            self.sample()
            time.sleep(0.02)
        self.cpu = self.program.cpu_seconds()
        return self.program.wait()

    def sample(self):
        try:
            self.peak = max(self.peak, self.program.peak_memory() or 0)
        except (OSError, ValueError):
            pass


class Table:
    HEADER = ("what", "dunlin", "baseline, same run", "ratio", "mark", "met")

    def __init__(self):
        self.rows = []

    def row(self, what, figure, baseline="", ratio=None, mark="", met=None):
        self.rows.append((what, figure, baseline, "" if ratio is None else f"{ratio:.2f}", mark,
                          "" if met is None else ("yes" if met else "NO")))

    def print(self):
        widths = [max(len(row[i]) for row in [self.HEADER, *self.rows]) for i in range(len(self.HEADER))]
        for row in [self.HEADER, tuple("-" * w for w in widths), *self.rows]:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())

    def all_met(self):
        return all(row[5] != "NO" for row in self.rows)
