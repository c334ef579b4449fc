"""Merged segments: what they cost to make and to keep, and searches of them over HTTP, beside zstd and ripgrep."""

import pathlib
import re
import shutil
import subprocess
import sys
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
import harness  # noqa: E402
from measure import best_of, cpu_of, progress  # noqa: E402

STORE_BENCH = harness.BIN / "store_bench"
OPEN_BENCH = harness.BIN / "open_bench"
MANY_SEGMENTS = 1000
STREAMS = 32
MANY_STREAMS = 2000
JSON_BYTES = 100_000_000
ABSENT = "7f3a9c51-0000-4bd1-aaaa-d00dfeed0001"


def store_bench(corpus, folder, streams):
    """Fills and merges a store, with streams of 32 services; {name: value} of what it measured."""
    done = subprocess.run([STORE_BENCH, corpus, folder, str(streams), str(STREAMS)], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise SystemExit(f"store_bench ended with {done.returncode}\n{done.stdout}")
    return {m[1]: float(m[2]) for m in re.finditer(r"^(\w+) +([0-9.]+)$", done.stdout, re.M)}


def compressed_bytes(level, path):
    packed = subprocess.run(["zstd", level, "-T2", "-q", "-c", path], stdout=subprocess.PIPE, check=True)
    return len(packed.stdout)


class SegmentsBench:
    def __init__(self, folder, corpus, table):
        self.folder = folder
        self.corpus = corpus
        self.table = table

    def run(self):
        self.make()
        self.many_streams()
        self.json()
        self.opening()
        self.search()

    def make(self):
        progress("zstd -1 and -9 of the corpus")
        zstd1_cpu, _ = best_of(3, lambda: cpu_of(["zstd", "-1", "--single-thread", "-q", "-c", self.corpus]))
        self.zstd9 = compressed_bytes("-9", self.corpus)
        progress(f"a store of {STREAMS} streams")
        self.store = self.folder / "merged"
        measured = store_bench(self.corpus, self.store, STREAMS)
        ratio = measured["ingest_cpu_s"] / zstd1_cpu
        self.table.row("segments: batches to merged segments, CPU", f"{measured['ingest_cpu_s']:.2f} s",
                       f"zstd -1: {zstd1_cpu:.2f} s", ratio, "<= 5", ratio <= 5)
        self.table.row("segments: peak memory of that", f"{measured['ingest_peak_memory_mib']:.0f} MiB", mark="<= 300 MiB",
                       met=measured["ingest_peak_memory_mib"] <= 300)
        self.bytes = measured["disk_mb"] * 1e6
        ratio = self.bytes / self.zstd9
        self.table.row("segments: bytes", f"{self.bytes / 1e6:.1f} MB", f"zstd -9: {self.zstd9 / 1e6:.1f} MB", ratio,
                       "<= 0.85", ratio <= 0.85)
        written = measured["segments_written_mb"] / measured["disk_mb"]
        self.table.row("segments: bytes written for each that stays", f"{written:.2f}", mark="<= 3", met=written <= 3)

    def many_streams(self):
        progress(f"the same lines in {MANY_STREAMS} streams")
        folder = self.folder / "many"
        many = store_bench(self.corpus, folder, MANY_STREAMS)["disk_mb"] * 1e6
        shutil.rmtree(folder)
        ratio = many / self.bytes
        self.table.row(f"segments: bytes, {MANY_STREAMS} streams", f"{many / 1e6:.1f} MB",
                       f"{STREAMS} streams: {self.bytes / 1e6:.1f} MB", ratio, "<= 1.15", ratio <= 1.15)

    def json(self):
        expand = harness.CORPUS / "expand.py"
        if not expand.exists():
            progress("skipped: JSON lines: the samples are not at hand")
            return
        progress("JSON lines")
        path = self.folder / "json.log"
        with open(path, "wb") as file:
            subprocess.run([sys.executable, expand, str(JSON_BYTES), "7", "nginxplus-status"], stdout=file, check=True)
        folder = self.folder / "json"
        ours = store_bench(path, folder, STREAMS)["disk_mb"] * 1e6
        shutil.rmtree(folder)
        zstd9 = compressed_bytes("-9", path)
        path.unlink()
        ratio = ours / zstd9
        self.table.row("segments: bytes, JSON lines", f"{ours / 1e6:.2f} MB", f"zstd -9: {zstd9 / 1e6:.2f} MB", ratio,
                       "<= 0.75", ratio <= 0.75)

    def opening(self):
        progress(f"a store of {MANY_SEGMENTS} segments")
        folder = self.folder / "opened"
        done = subprocess.run([OPEN_BENCH, self.corpus, folder, str(MANY_SEGMENTS)], stdout=subprocess.PIPE, text=True, check=True)
        shutil.rmtree(folder)
        seconds = float(re.search(r"^open_wall_s ([0-9.]+)$", done.stdout, re.M)[1])
        self.table.row(f"segments: {MANY_SEGMENTS} of them are opened in", f"{seconds * 1000:.0f} ms", mark="<= 200 ms",
                       met=seconds <= 0.2)

    def search(self):
        progress("searches of merged segments")
        packed = self.folder / "segments.zst"
        subprocess.run(["zstd", "-3", "-q", "-f", "-o", packed, self.corpus], check=True)
        # Its entries have times of their own, long ago.
        self.collector = harness.Collector(self.folder / "searches", ["--retention", "0"], data=self.store)
        selector = '{service=~".+"}'
        cases = [
            ("absent id", f'|= "{ABSENT}"', ["-F", ABSENT], 0.02),
            ("substring", '|= "Deleting instance files"', ["-F", "Deleting instance files"], 0.10),
            ("(?i)error", '|~ "(?i)error"', ["(?i)error"], 0.10),
            ("regex with a literal", '|~ "blk_-?[0-9]*77777[0-9]*"', ["blk_-?[0-9]*77777[0-9]*"], 0.20),
        ]
        slowest = None
        for what, stage, pattern, mark in cases:
            count = subprocess.run(["rg", "-z", "-c", *pattern, packed], stdout=subprocess.PIPE).stdout.strip()
            want = int(count or 0)
            got = int(self.collector.number(f"sum(count_over_time({selector} {stage}[1000d]))"))
            if got != want:
                raise SystemExit(f"{what}: {got} lines for {want} of rg")
            _, base = best_of(3, lambda p=pattern: cpu_of(["rg", "-z", "-c", *p, packed], (0, 1)))
            slowest = slowest or base
            query = f"sum(count_over_time({selector} {stage}[1000d]))"
            self.row(f"count: {what} ({want} lines)", self.timed("query", query=query, time=self.end()), base, mark)
        newest = self.timed("query_range", query='{service="service-7"} |= "a"', limit=1000, start=0, end=self.end())
        self.row("newest 1,000 lines of a service", newest, slowest, 0.02)
        begin = self.first_time()
        histogram = self.timed("query_range", query=f"sum by (service) (count_over_time({selector}[1m]))", step="60s",
                               start=begin, end=begin + 4 * 3600 * 10**9)
        self.row("histogram by minute and service", histogram, slowest, 0.01)
        self.collector.stop()
        packed.unlink()

    def row(self, what, ours, base, mark):
        ratio = ours / base
        self.table.row(f"segments: {what}", f"{ours * 1000:.1f} ms", f"rg -z -c: {base * 1000:.0f} ms", ratio, f"<= {mark}",
                       ratio <= mark)

    @staticmethod
    def end():
        return time.time_ns() + 60 * 10**9

    def first_time(self):
        data = self.collector.query_range('{service="service-0"}', limit=1, direction="forward")
        return int(data["result"][0]["values"][0][0]) // (60 * 10**9) * 60 * 10**9

    def timed(self, path, **parameters):
        """The least of five: what is asked for again and again is warm."""
        url = f"{self.collector.url}/loki/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        times = []
        for _ in range(5):
            begin = time.monotonic()
            answer = harness.http("GET", url, timeout=300)
            times.append(time.monotonic() - begin)
            if answer.status != 200:
                raise SystemExit(f"{path}: {answer.status} {answer.text}")
        return min(times)
