"""The agent alone: what it costs to start, to have, and to write through."""

import contextlib
import json
import pathlib
import resource
import shutil
import socket
import subprocess
import time

import harness
from measure import MIB, Watch, best_of, cpu_of, progress, resident_bytes

TESTS = harness.BIN.parent / "tests"
LINE_WRITER = TESTS / "dunlin_line_writer"
ACKING_COLLECTOR = TESTS / "dunlin_acking_collector"
CONFINE = TESTS / "dunlin_confine"
NR_OPEN = pathlib.Path("/proc/sys/fs/nr_open")

STEADY_RATE = 10_000_000  # bytes a second
STEADY_SECONDS = 10
FAST_RATE = 50_000_000
FAST_SECONDS = 6
MANY_DESCRIPTORS = 2**30
FLOOD_SECONDS = 8


@contextlib.contextmanager
def acking_collector():
    """The address of a collector that acknowledges everything at once and keeps nothing."""
    process = subprocess.Popen([ACKING_COLLECTOR], stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@contextlib.contextmanager
def silent_collector():
    """The address of a port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield "127.0.0.1:%d" % server.getsockname()[1]


@contextlib.contextmanager
def most_descriptors():
    """How many descriptors a process may be allowed meanwhile: 2^30 where this process may have the machine allow it."""
    before = NR_OPEN.read_text()
    try:
        with contextlib.suppress(OSError):
            NR_OPEN.write_text(str(MANY_DESCRIPTORS))
        most = int(NR_OPEN.read_text())
        if subprocess.run(["prlimit", f"--nofile={most}:{most}", "true"], stderr=subprocess.DEVNULL).returncode != 0:
            most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        yield most
    finally:
        with contextlib.suppress(OSError):
            NR_OPEN.write_text(before)


class AgentBench:
    def __init__(self, folder, corpus, table):
        self.folder = folder
        self.corpus = corpus
        self.table = table

    def run(self):
        self.start_and_exit()
        self.start_with_descriptors()
        self.idle_memory()
        self.steady_lines()
        self.fast_lines()
        self.capture()
        self.peak_memory()

    def agent(self, command, collector=None, flags=()):
        return harness.Agent(self.folder / "agent", command, collector, flags=flags)

    def ended_well(self, agent, status):
        if status != 0:
            raise SystemExit(f"the agent ended with {status}\n{agent.log_tail()}")

    def start_and_exit(self):
        """Everything the agent does by default, its control listener included, around a process that does nothing. The
        quickest of many runs of each: what else the machine does weighs more on two processes than on one."""
        progress("starting /bin/true under tini-static and under the agent")
        report = self.folder / "hyperfine.json"
        commands = ["tini-static -- /bin/true",
                    f"{harness.BIN / 'dunlin-agent'} --listen 127.0.0.1:0 -- /bin/true"]
        subprocess.run(["hyperfine", "--shell=none", "--warmup", "50", "--runs", "600", "--style", "none",
                        "--export-json", report, *commands], check=True, stdout=subprocess.DEVNULL)
        tini, ours = (result["min"] for result in json.loads(report.read_text())["results"])
        ratio = ours / tini
        self.table.row("agent: start /bin/true and exit", f"{ours * 1000:.2f} ms", f"tini-static: {tini * 1000:.2f} ms",
                       ratio, "<= 2", ratio <= 2)

    def start_with_descriptors(self):
        """Twenty inherited descriptors and as many allowed as can be, in each way of keeping them from the process."""
        progress("starting /bin/true with twenty descriptors and a large limit")
        agent = f"{harness.BIN / 'dunlin-agent'} --listen 127.0.0.1:0 -- /bin/true"
        report = self.folder / "hyperfine.json"
        ways = {"": "", "no close_range": "refuse=EPERM:close_range ",
                "nor /proc": "refuse=EPERM:close_range,getdents64 "}
        with most_descriptors() as most:
            subprocess.run(["hyperfine", "--shell=none", "--warmup", "10", "--runs", "100", "--style", "none",
                            "--export-json", report, *(f"{CONFINE} descriptors=20:400 {refused}-- {agent}"
                                                       for refused in ways.values())],
                           check=True, stdout=subprocess.DEVNULL)
        allowed = "2^30" if most == MANY_DESCRIPTORS else f"{most} (2^30 not to be had)"
        for way, result in zip(ways, json.loads(report.read_text())["results"]):
            self.table.row(f"agent: the same, 20 descriptors of {allowed}{', ' if way else ''}{way}",
                           f"{result['min'] * 1000:.2f} ms", mark="< 10 ms", met=result["min"] < 0.01)

    def idle_memory(self):
        progress("an idle agent")
        with acking_collector() as address:
            agent = self.agent(["sleep", "1000"], address)
            agent.wait_metrics(lambda m: m.get("dunlin_agent_connected") == 1, "the agent is connected")
            time.sleep(3)  # a batch age and a turn of every periodic task but the slowest
            resident = resident_bytes(agent.pid)
            agent.stop()
        self.table.row("agent: resident memory, idle", f"{resident / MIB:.2f} MiB", mark="<= 3 MiB",
                       met=resident <= 3 * MIB)

    def steady_lines(self):
        """Agent and `cat` take turns as the reader of one writer; the best run of each counts."""
        cpu_file = self.folder / "writer-cpu"
        writer = [LINE_WRITER, "paced", STEADY_RATE, STEADY_SECONDS, cpu_file]
        agents, ours, cats = [], [], []
        for turn in range(2):
            progress(f"{STEADY_RATE / 1e6:.0f} MB/s of unbuffered lines for {STEADY_SECONDS} s, turn {turn + 1}")
            with acking_collector() as address:
                agent = self.agent(writer, address)
                watch = Watch(agent)
                self.ended_well(agent, watch.until_end())
            agents.append(watch.cpu)
            ours.append(float(cpu_file.read_text()))
            with subprocess.Popen([str(a) for a in writer], stdout=subprocess.PIPE) as process:
                subprocess.run(["cat"], stdin=process.stdout, stdout=subprocess.DEVNULL, check=True)
            cats.append(float(cpu_file.read_text()))
        share = min(agents) / STEADY_SECONDS
        ratio = min(ours) / min(cats)
        self.table.row("agent: 10 MB/s of lines, share of a core", f"{share * 100:.2f} %", mark="<= 1.5 %",
                       met=share <= 0.015)
        self.table.row("agent: 10 MB/s of lines, the writer's CPU", f"{min(ours):.2f} s",
                       f"cat >/dev/null: {min(cats):.2f} s", ratio, "<= 1", ratio <= 1)

    def fast_lines(self):
        """Reading and cutting lines alone: without a collector nothing is compressed. The best of two runs counts."""
        shares, rates = [], []
        for turn in range(2):
            progress(f"{FAST_RATE / 1e6:.0f} MB/s of unbuffered lines for {FAST_SECONDS} s, turn {turn + 1}")
            agent = self.agent([LINE_WRITER, "paced", FAST_RATE, FAST_SECONDS, self.folder / "writer-cpu"])
            taken = 'dunlin_agent_bytes_total{output="stdout"}'
            # Two scrapes and no more, as each costs the agent CPU, too.
            time.sleep(1)
            first = agent.metrics()
            time.sleep(FAST_SECONDS - 2)
            last = agent.metrics()
            watch = Watch(agent)
            self.ended_well(agent, watch.until_end())
            seconds = (last[taken] - first[taken]) / FAST_RATE  # at the demanded rate, however busy the machine is
            reads = "dunlin_agent_read_calls_total"
            rates.append((last[reads] - first[reads]) / seconds)
            cpu = "process_cpu_seconds_total"
            shares.append((last[cpu] - first[cpu]) / seconds)
        self.table.row("agent: reading 50 MB/s of lines, share of a core", f"{min(shares) * 100:.2f} %", mark="< 1.5 %",
                       met=min(shares) < 0.015)
        self.table.row("agent: reads a second at that rate", f"{min(rates):.0f}", mark="< 600", met=min(rates) < 600)

    def capture(self):
        """From the process's write to an acknowledgement: sealing and sending included."""
        progress("one agent takes the corpus")
        zstd, _ = best_of(3, lambda: cpu_of(["zstd", "-1", "--single-thread", "-q", "-c", self.corpus]))

        def ship():
            with acking_collector() as address:
                agent = self.agent(["cat", self.corpus], address, ["--when-full", "block"])
                watch = Watch(agent)
                self.ended_well(agent, watch.until_end())
            self.shipping_peak = watch.peak
            return watch.cpu, watch.cpu

        cpu, _ = best_of(3, ship)
        ratio = cpu / zstd
        self.table.row("agent: capture to sealed batch and out, CPU", f"{cpu:.2f} s", f"zstd -1: {zstd:.2f} s", ratio,
                       "<= 2", ratio <= 2)

    def peak_memory(self):
        """The largest resident size over loads that each stress another buffer."""
        peaks = {"corpus": self.shipping_peak}
        for name, far_end in [("flood", acking_collector), ("flood, no answer", silent_collector)]:
            progress(f"peak memory: {name}")
            with far_end() as address:
                agent = self.agent([LINE_WRITER, "flood", 11, FLOOD_SECONDS], address, ["--stop-grace", "3s"])
                watch = Watch(agent)
                self.ended_well(agent, watch.until_end())
            peaks[name] = watch.peak
        name = max(peaks, key=peaks.get)
        self.table.row(f"agent: peak memory ({name})", f"{peaks[name] / MIB:.1f} MiB", mark="<= 8 MiB",
                       met=peaks[name] <= 8 * MIB)
        shutil.rmtree(self.folder / "agent", ignore_errors=True)
