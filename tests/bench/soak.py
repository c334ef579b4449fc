"""Agents under mixed load for as long as asked, while their collector ends and comes back at random.

At every scrape: captured = acknowledged + queued + spooled + dropped. Over the run: memory does not grow and no
descriptor stays open. At the end: the collector has each acknowledged line once, and a marker for every dropped one.
"""

import argparse
import contextlib
import pathlib
import random
import shutil
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
import harness  # noqa: E402
from harness import metric_sum, wait_until  # noqa: E402
from measure import MIB, progress, resident_bytes  # noqa: E402

LINE_WRITER = harness.BIN.parent / "tests/dunlin_line_writer"
SCRAPE_INTERVAL = 0.2
LONGEST_OUTAGE = 8.0
WARM_UP = 20.0  # at most
MOST_MEMORY = 8 * MIB
# Which outage meets which load is chance, and so is how busy the machine is with other things: peaks of a few minutes
# differ by a long line or two. What is never given back raises the least of each window too, and that hardly varies.
GROWTH = 768 * 1024  # between the peaks of the first and the last third, in a run of five minutes or more
WINDOWS = 12
SLOPE = 64 * 1024  # an hour, of the least memory of each window, in a run of about an hour or more


def slope_per_hour(samples):
    """Least squares over (seconds, bytes)."""
    n = len(samples)
    mean_t = sum(t for t, _ in samples) / n
    mean_b = sum(b for _, b in samples) / n
    spread = sum((t - mean_t) ** 2 for t, _ in samples)
    return 3600 * sum((t - mean_t) * (b - mean_b) for t, b in samples) / spread if spread else 0.0


def least_of_windows(samples):
    """(seconds, bytes) of the least sample of each of WINDOWS parts of the time."""
    begin, length = samples[0][0], (samples[-1][0] - samples[0][0]) / WINDOWS
    windows = [[] for _ in range(WINDOWS)]
    for t, b in samples:
        windows[min(int((t - begin) / length), WINDOWS - 1)].append((t, b))
    return [min(window, key=lambda sample: sample[1]) for window in windows if window]


class Watched:
    """One agent and what was seen of it."""

    def __init__(self, agent, service):
        self.agent = agent
        self.service = service
        self.scrapes = 0
        self.memory = []  # (seconds, bytes)
        self.descriptors = None  # while nothing happens, before the restarts
        self.most_descriptors = 0

    def open_descriptors(self):
        return sum(1 for _ in pathlib.Path(f"/proc/{self.agent.pid}/fd").iterdir())

    def scrape(self):
        values = self.agent.metrics()
        captured = metric_sum(values, "dunlin_agent_lines_captured_total")
        accounted = sum(metric_sum(values, "dunlin_agent_lines_" + name)
                        for name in ["acknowledged_total", "queued", "spooled", "dropped_total"])
        if captured != accounted:
            raise AssertionError(f"{self.service}: {captured:.0f} lines captured, {accounted:.0f} accounted for")
        self.scrapes += 1
        self.memory.append((time.monotonic(), resident_bytes(self.agent.pid)))
        self.most_descriptors = max(self.most_descriptors, self.open_descriptors())
        return values

    def quiet(self):
        """Whether it is connected with nothing left to send."""
        values = self.scrape()
        return values["dunlin_agent_connected"] == 1 and values["dunlin_agent_lines_queued"] == 0 and values

    def check_descriptors(self):
        """The last scrape's connection may still be closing."""
        wait_until(lambda: self.open_descriptors() <= self.descriptors,
                   f"{self.service}: {self.open_descriptors()} descriptors are {self.descriptors} again", 10)
        # Beside its collector: a scrape that begins while the one before it ends, and a collector that is tried.
        if self.most_descriptors > self.descriptors + 4:
            raise AssertionError(f"{self.service}: up to {self.most_descriptors} descriptors, {self.descriptors} at rest")

    def check_memory(self, begin):
        end = self.memory[-1][0]
        early = max(b for t, b in self.memory if t < begin + (end - begin) / 3)
        late = max(b for t, b in self.memory if t >= end - (end - begin) / 3)
        least = least_of_windows([(t, b) for t, b in self.memory if t >= begin])
        slope = slope_per_hour(least)
        progress(f"{self.service}: memory at most {early / MIB:.2f} MiB early, {late / MIB:.2f} MiB late, at least "
                 f"{' '.join(f'{b / MIB:.2f}' for _, b in least)} MiB, slope of those {slope / 1024:+.0f} KiB/h")
        if max(early, late) > MOST_MEMORY:
            raise AssertionError(f"{self.service}: {max(early, late)} bytes of memory")
        # Less time than this does not bring every buffer to its limit.
        if end - begin >= 300 and late > early + GROWTH:
            raise AssertionError(f"{self.service}: memory grew from {early} to {late} bytes")
        if end - begin >= 3300 and slope > SLOPE:
            raise AssertionError(f"{self.service}: memory grows by {slope:.0f} bytes an hour")

    def check_lines(self, collector, values):
        """`values` are the last ones, with nothing queued."""
        selector = '{service="%s"}' % self.service
        acknowledged = int(values["dunlin_agent_lines_acknowledged_total"])
        dropped = int(metric_sum(values, "dunlin_agent_lines_dropped_total"))
        stored = collector.count(selector + ' | gap_lines=""')
        markers = collector.query_range(selector + ' | gap_lines!=""',
                                        {"X-Loki-Response-Encoding-Flags": "categorize-labels"}, limit=5000)
        marked = sum(int(metadata["structuredMetadata"]["gap_lines"]) for stream in markers["result"]
                     for _, _, metadata in stream["values"])
        progress(f"{self.service}: {self.scrapes} scrapes, {acknowledged} lines acknowledged, {dropped} dropped")
        if stored != acknowledged:
            raise AssertionError(f"{self.service}: {stored} lines stored, {acknowledged} acknowledged")
        if marked != dropped:
            raise AssertionError(f"{self.service}: {marked} lines in gap markers, {dropped} dropped")
        return dropped


class Soak:
    def __init__(self, folder, seconds, seed):
        self.folder = folder
        self.seconds = seconds
        self.random = random.Random(seed)
        self.seed = seed
        self.watched = []
        self.restarts = 0

    def start_agent(self, service, load, flags=()):
        """The load ends by itself; the process stays, so that the agent can be asked about all of it."""
        command = ["sh", "-c", '"$@"; exec sleep 100000', "load", str(LINE_WRITER), *[str(word) for word in load]]
        self.watched.append(Watched(harness.Agent(self.folder / service, command, self.collector.ingest, flags=flags,
                                                  service=service), service))

    def scrape_until(self, end):
        while time.monotonic() < end:
            for watched in self.watched:
                watched.scrape()
            time.sleep(SCRAPE_INTERVAL)

    def outage(self):
        if self.random.random() < 0.5:
            self.collector.kill()
        else:
            self.collector.stop(60)
        self.scrape_until(time.monotonic() + self.random.uniform(0, LONGEST_OUTAGE))
        self.collector.start()
        self.restarts += 1

    def run(self, judge_memory):
        self.collector = harness.Collector(self.folder / "collector")
        begin = time.monotonic()
        end = begin + self.seconds
        self.start_agent("mixed", ["mixed", self.seed, self.seconds], ["--memory-limit", "1MiB"])
        self.start_agent("steady", ["paced", 1_000_000, self.seconds, self.folder / "cpu"])
        for watched in self.watched:
            wait_until(lambda w=watched: self.connected(w), f"{watched.service} is connected")
            watched.descriptors = watched.open_descriptors()
        # Everything that grows to its limit does so once before memory is judged.
        self.collector.stop(60)
        with contextlib.suppress(AssertionError):
            wait_until(lambda: metric_sum(self.watched[0].scrape(), "dunlin_agent_lines_dropped_total") > 0,
                       "the queue is full", min(WARM_UP, self.seconds / 3))
        self.collector.start()
        judged_from = time.monotonic()
        while time.monotonic() < end:
            self.scrape_until(min(end, time.monotonic() + self.random.uniform(0, 2 * LONGEST_OUTAGE)))
            if time.monotonic() < end:
                self.outage()
        dropped = 0
        for watched in self.watched:
            wait_until(lambda w=watched: self.load_ended(w), f"{watched.service}: the load has ended", 60)
            values = wait_until(watched.quiet, f"{watched.service} is connected and has nothing left to send", 60)
            watched.check_descriptors()
            dropped += watched.check_lines(self.collector, values)
            if judge_memory:
                watched.check_memory(judged_from)
        progress(f"{self.restarts + 1} outages of the collector, {dropped} lines dropped, seed {self.seed}")

    @staticmethod
    def connected(watched):
        with contextlib.suppress(OSError):
            return watched.scrape()["dunlin_agent_connected"] == 1

    @staticmethod
    def load_ended(watched):
        [(process, _)] = harness.children(watched.agent.pid)
        return pathlib.Path(f"/proc/{process}/comm").read_text().strip() == "sleep"

    def end(self):
        for watched in self.watched:
            with contextlib.suppress(AssertionError):
                watched.agent.stop()
        if self.collector.running():
            self.collector.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**31)
    parser.add_argument("--any-memory", action="store_true", help="do not judge memory: a build with sanitizers")
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="dunlin-soak-"))
    progress(f"soak of {options.minutes} minutes, seed {options.seed}")
    soak = Soak(folder, options.minutes * 60, options.seed)
    try:
        soak.run(judge_memory=not options.any_memory)
    except (AssertionError, OSError) as error:
        for watched in soak.watched:
            status = watched.agent.process.poll()
            progress(f"{watched.service}: {'running' if status is None else f'ended with {status}'}; it said last:\n"
                     f"{watched.agent.log_tail()}")
        raise SystemExit(f"failed: {error}") from error
    finally:
        soak.end()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
