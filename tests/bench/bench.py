"""The benchmark behind run.sh: ship, store and search one corpus, beside zstd and ripgrep on the same bytes."""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
import harness  # noqa: E402
from agent_bench import AgentBench  # noqa: E402
from measure import MIB, Table, Watch, best_of, cpu_of, folder_bytes, progress  # noqa: E402
from segments_bench import SegmentsBench  # noqa: E402
from shipping_bench import ShippingBench, slices  # noqa: E402

STREAMS = 32


class Bench:
    """The agent's lines in the collector: shipped, stored, searched."""

    def __init__(self, folder, corpus, table):
        self.folder = folder
        self.corpus = corpus
        self.table = table

    def baselines(self):
        progress("zstd -1, -3 and -9 of the corpus")
        self.zstd1_cpu, _ = best_of(3, lambda: cpu_of(["zstd", "-1", "--single-thread", "-q", "-c", self.corpus]))
        self.zstd1_bytes = self.compressed_size("-1")
        self.zstd9_bytes = self.compressed_size("-9")
        self.rg_file = self.folder / "corpus.log.zst"
        subprocess.run(["zstd", "-3", "-q", "-f", "-o", self.rg_file, self.corpus], check=True)

    def compressed_size(self, level):
        out = self.folder / "size.zst"
        subprocess.run(["zstd", level, "-T2", "-q", "-f", "-o", out, self.corpus], check=True)
        size = out.stat().st_size
        out.unlink()
        return size

    def agent(self):
        """One agent, the whole corpus, capture to durable ack."""
        progress("one agent ships the corpus")
        collector = harness.Collector(self.folder / "single")
        agent = harness.Agent(self.folder / "single", ["cat", self.corpus], collector.ingest,
                              flags=["--when-full", "block"])
        watch = Watch(agent)
        status = watch.until_end()
        want = self.lines
        got = collector.count('{service="test"}')
        collector.stop(120)
        shutil.rmtree(collector.folder)
        if status != 0 or got != want:
            raise SystemExit(f"the agent ended with {status}; {got} lines of {want} arrived\n{agent.log_tail()}")
        ratio = watch.cpu / self.zstd1_cpu
        self.table.row("agent: capture to ack, CPU", f"{watch.cpu:.2f} s", f"zstd -1: {self.zstd1_cpu:.2f} s", ratio,
                 "<= 3", ratio <= 3)
        self.table.row("agent: peak memory", f"{watch.peak / MIB:.1f} MiB", mark="<= 8 MiB", met=watch.peak <= 8 * MIB)

    def ingest(self):
        """32 streams into one collector; it is stopped in order, so that everything is in segments."""
        progress(f"{STREAMS} agents ship the corpus")
        self.collector = harness.Collector(self.folder / "store")
        text = self.corpus.read_bytes()
        watch = Watch(self.collector)
        pieces = list(enumerate(slices(text, STREAMS)))
        del text
        running = []
        for number, piece in pieces:
            source = self.folder / f"piece-{number}"
            source.write_bytes(piece)
            running.append(harness.Agent(self.folder / "agents", ["cat", source], self.collector.ingest,
                                         service=f"svc-{number:02}", flags=["--when-full", "block"]))
            while len([a for a in running if a.running()]) >= 4:
                watch.sample()
                time.sleep(0.02)
        for agent in running:
            while agent.running():
                watch.sample()
                time.sleep(0.02)
            if agent.wait() != 0:
                raise SystemExit(f"an agent failed\n{agent.log_tail()}")
        ended = threading.Thread(target=self.collector.process.terminate)
        ended.start()
        if watch.until_end() != 0:
            raise SystemExit(f"the collector failed\n{self.collector.log_tail()}")
        ratio = watch.cpu / self.zstd1_cpu
        self.table.row("collector: ingest to segments, CPU", f"{watch.cpu:.2f} s", f"zstd -1: {self.zstd1_cpu:.2f} s", ratio,
                 "<= 12", ratio <= 12)
        self.table.row("collector: peak memory while ingesting", f"{watch.peak / MIB:.0f} MiB",
                 mark="<= 400 MiB", met=watch.peak <= 400 * MIB)
        disk = folder_bytes(self.collector.data)
        self.table.row("collector: bytes on disk, everything", f"{disk / 1e6:.1f} MB",
                 f"zstd -9: {self.zstd9_bytes / 1e6:.1f} MB", disk / self.zstd9_bytes,
                 "<= 1.3", disk <= 1.3 * self.zstd9_bytes)
        self.table.row("", "", f"zstd -1: {self.zstd1_bytes / 1e6:.1f} MB", disk / self.zstd1_bytes)
        for number, _ in pieces:
            (self.folder / f"piece-{number}").unlink()

    def searches(self):
        progress("searches")
        self.collector.start()
        got = self.collector.count('{service=~".+"}')
        if got != self.lines:
            raise SystemExit(f"{got} lines of {self.lines} are in the store")
        selector = '{service=~"svc-.*"}'
        absent = "7f3a9c51-0000-4bd1-aaaa-d00dfeed0001"
        cases = [
            ("absent id", f'|= "{absent}"', ["-F", absent], 0.5),
            ("substring, many hits", '|= "Received block"', ["-F", "Received block"], None),
            ("rare substring", '|= "authentication failure"', ["-F", "authentication failure"], None),
            ("regex, case-insensitive", '|~ "(?i)error"', ["(?i)error"], None),
            ("regex with a literal", '|~ "blk_-?[0-9]*7777[0-9]*"', ["blk_-?[0-9]*7777[0-9]*"], None),
        ]
        for what, stage, rg, mark in cases:
            count = subprocess.run(["rg", "-z", "-c", *rg, self.rg_file], stdout=subprocess.PIPE).stdout.strip()
            want = int(count or 0)
            got = self.collector.count(f"{selector} {stage}")
            if got != want:
                raise SystemExit(f"{what}: {got} lines for {want} of rg")
            _, base = best_of(3, lambda rg=rg: cpu_of(["rg", "-z", "-c", *rg, self.rg_file], (0, 1)))
            _, ours = best_of(3, lambda stage=stage: self.timed_count(f"{selector} {stage}"))
            ratio = ours / base
            self.table.row(f"search: {what} ({want} lines)", f"{ours * 1000:.0f} ms", f"rg -z -c: {base * 1000:.0f} ms", ratio,
                     *((f"<= {mark}", ratio <= mark) if mark else ()))
        _, newest = best_of(3, lambda: self.timed(
            f"query_range?limit=1000&start=0&end={time.time_ns() + 10**12}&query=" +
            urllib.parse.quote('{service="svc-31"} |= "a"')))
        self.table.row("search: newest 1,000 lines of a service", f"{newest * 1000:.0f} ms")
        watch = Watch(self.collector)
        watch.sample()
        self.table.row("collector: peak memory while searching", f"{watch.peak / MIB:.0f} MiB")
        self.collector.stop()

    def timed(self, path):
        begin = time.monotonic()
        answer = harness.http("GET", f"{self.collector.url}/loki/api/v1/{path}", timeout=300)
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status} {answer.text}")
        return None, time.monotonic() - begin

    def timed_count(self, query):
        return self.timed("query?" + urllib.parse.urlencode(
            {"query": f"sum(count_over_time({query}[100d]))", "time": time.time_ns() + 60 * 10**9}))

    def run(self):
        with open(self.corpus, "rb") as file:
            self.lines = sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(MIB), b""))
        self.baselines()
        self.agent()
        self.ingest()
        self.searches()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bytes", type=int, default=600_000_000)
    parser.add_argument("--keep", type=pathlib.Path)
    parser.add_argument("--agent", action="store_true")
    parser.add_argument("--shipping", action="store_true")
    parser.add_argument("--segments", action="store_true")
    options = parser.parse_args()
    for program in ["zstd", "rg", "hyperfine", "tini-static"]:
        if shutil.which(program) is None:
            raise SystemExit(f"{program} is not installed: run packaging/dependencies.sh bench")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="dunlin-bench-"))
    try:
        keep = options.keep or folder
        keep.mkdir(parents=True, exist_ok=True)
        corpus = keep / f"corpus-{options.bytes}.log"
        if not corpus.exists():
            progress(f"making a corpus of {options.bytes} bytes (about a minute for 600 MB)")
            partial = corpus.with_suffix(".partial")
            partial.write_bytes(harness.large_corpus(options.bytes))
            partial.rename(corpus)
        corpus = corpus.resolve()  # zstd takes no symbolic links
        table = Table()
        everything = not (options.agent or options.shipping or options.segments)
        if everything or options.agent:
            AgentBench(folder, corpus, table).run()
        if everything or options.shipping:
            ShippingBench(folder, corpus, table).run()
        if everything or options.segments:
            SegmentsBench(folder, corpus, table).run()
        if everything:
            Bench(folder, corpus, table).run()
        print(f"\nCorpus: {corpus.stat().st_size / 1e6:.0f} MB; {os.cpu_count()} cores\n")
        table.print()
        return 0 if table.all_met() else 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
