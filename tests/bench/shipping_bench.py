"""From the agents' batches to durable acknowledgements: what it costs on both sides, how long it takes, and what agents cost
that have nothing to say."""

import contextlib
import os
import pathlib
import select
import shutil
import signal
import subprocess
import time

import harness
from measure import MIB, best_of, cpu_of, progress, resident_bytes

TESTS = harness.BIN.parent / "tests"
LINE_WRITER = TESTS / "dunlin_line_writer"
ACK_CLOCK = TESTS / "dunlin_ack_clock"
MANY_AGENTS = TESTS / "dunlin_many_agents"
RECEIVING = TESTS / "receiving_bench"
AGENTS = 8
IDLE_AGENTS = 1000
CROWD = 5000
HELD_BYTES = 8000
CROWD_BATCHES = 3
RECEIVING_MEGABYTES = 100
# Two turns of the agents' metrics, which they send every 15 s, and pings.
IDLE_SECONDS = 30
INDEXING_THREAD = "store-segments"


def slices(text, count):
    """`text` in `count` pieces of about one size, cut at line ends."""
    at = 0
    for i in range(count):
        end = len(text) if i == count - 1 else text.index(b"\n", len(text) * (i + 1) // count) + 1
        yield text[at:end]
        at = end


def thread_cpu(pid, name):
    """CPU seconds of the threads of that name, or nothing when there is none."""
    found = None
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            before, after = (task / "stat").read_text().rsplit(")", 1)
            if before.split("(", 1)[1] == name[:15]:
                fields = after.split()
                found = (found or 0) + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return found


def ended(agent):
    """Whether it has ended; its CPU time can still be asked for."""
    return os.waitid(os.P_PID, agent.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


class ShippingBench:
    def __init__(self, folder, corpus, table):
        self.folder = folder / "shipping"
        self.corpus = corpus
        self.table = table

    def run(self):
        self.folder.mkdir()
        self.ship()
        self.latency("default batch age", [], 200, 20, 1.3)
        self.latency("--batch-age 10ms", ["--batch-age", "10ms"], 200, 10, 0.05)
        self.idle()
        self.receive()
        self.crowd()
        shutil.rmtree(self.folder, ignore_errors=True)

    def ship(self):
        """Eight agents at once, each with its share; it is over when everything is acknowledged, which is durable."""
        progress(f"{AGENTS} agents ship the corpus at once")
        pieces = []
        for number, text in enumerate(slices(self.corpus.read_bytes(), AGENTS)):
            piece = self.folder / f"piece-{number}"
            piece.write_bytes(text)
            cpu, _ = best_of(2, lambda piece=piece: cpu_of(["zstd", "-1", "--single-thread", "-q", "-c", piece]))
            pieces.append((piece, text.count(b"\n"), cpu))
        del text
        collector = harness.Collector(self.folder / "store")
        begin = time.monotonic()
        agents = [harness.Agent(self.folder / "agents", ["cat", piece], collector.ingest, service=piece.name,
                                flags=["--when-full", "block"]) for piece, _, _ in pieces]
        while not all(ended(agent) for agent in agents):
            time.sleep(0.02)
        wall = time.monotonic() - begin
        collector_cpu = collector.cpu_seconds()
        indexing = thread_cpu(collector.pid, INDEXING_THREAD)
        agents_cpu = [agent.cpu_seconds() for agent in agents]
        for agent, (piece, lines, _) in zip(agents, pieces):
            if agent.wait() != 0 or collector.count('{service="%s"}' % piece.name) != lines:
                raise SystemExit(f"{piece.name}: not everything arrived\n{agent.log_tail()}")
        collector.kill()
        shutil.rmtree(collector.folder)
        baseline = sum(cpu for _, _, cpu in pieces)
        ratio, ours, zstd = max((ours / zstd, ours, zstd) for ours, (_, _, zstd) in zip(agents_cpu, pieces))
        self.table.row(f"shipping: the dearest of {AGENTS} agents for its share, CPU", f"{ours:.2f} s",
                       f"zstd -1: {zstd:.2f} s", ratio, "<= 2.5", ratio <= 2.5)
        if indexing is None:
            self.table.row("shipping: collector, indexing included, CPU", f"{collector_cpu:.2f} s",
                           f"zstd -1: {baseline:.2f} s", collector_cpu / baseline)
        else:
            receiving = collector_cpu - indexing
            self.table.row("shipping: collector receives (all threads but indexing), CPU", f"{receiving:.2f} s",
                           f"zstd -1: {baseline:.2f} s", receiving / baseline, "<= 2", receiving <= 2 * baseline)
            self.table.row("shipping: collector, indexing so far included, CPU", f"{collector_cpu:.2f} s",
                           f"zstd -1: {baseline:.2f} s", collector_cpu / baseline)
        size = self.corpus.stat().st_size
        self.table.row(f"shipping: {AGENTS} agents, captured to durable", f"{size / wall / 1e6:.0f} MB/s")

    def latency(self, what, flags, rate, seconds, mark):
        """Measured on the wire: a relay reads in each acknowledged batch when its lines were written."""
        progress(f"from write to acknowledgement, {what}, for {seconds} s")
        # What the stage before left to be written would be waited for by every fdatasync.
        os.sync()
        collector = harness.Collector(self.folder / "latency")
        clock = subprocess.Popen([ACK_CLOCK, str(collector.ingest_port)], stdout=subprocess.PIPE, text=True)
        agent = harness.Agent(self.folder / "agents", [LINE_WRITER, "stamped", str(rate), str(seconds)],
                              clock.stdout.readline().strip(), flags=flags)
        try:
            if agent.wait(seconds + 60) != 0:
                raise SystemExit(f"the agent failed\n{agent.log_tail()}")
            clock.send_signal(signal.SIGTERM)
            lines, median, p99, longest = (float(word) for word in clock.stdout.readline().split())
        finally:
            clock.kill()
            clock.wait()
            clock.stdout.close()
            collector.kill()
        if lines < rate * seconds / 2:
            raise SystemExit(f"{lines:.0f} lines were acknowledged, about {rate * seconds} expected")
        shutil.rmtree(collector.folder)
        self.table.row(f"shipping: write to durable ack, p99, {what}", f"{p99 * 1000:.1f} ms", mark=f"<= {mark * 1000:.0f} ms",
                       met=p99 <= mark)
        self.table.row("", f"median {median * 1000:.1f}, longest {longest * 1000:.1f} ms, {lines:.0f} lines")

    def idle(self):
        """Real agents, around processes that do nothing."""
        progress(f"{IDLE_AGENTS} idle agents for {IDLE_SECONDS} s")
        collector = harness.Collector(self.folder / "idle")
        agents = []
        try:
            for number in range(IDLE_AGENTS):
                agents.append(subprocess.Popen(
                    [harness.BIN / "dunlin-agent", "--listen", "off", "--passthrough", "off", "--service", f"idle-{number % 50}",
                     "--container", f"idle-{number}", "--collector", collector.ingest, "--", "sleep", "100000"],
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            harness.wait_until(lambda: collector.metrics()["dunlin_ingest_connections"] == IDLE_AGENTS,
                               f"{IDLE_AGENTS} agents are connected", 60, 0.5)
            time.sleep(3)  # what their coming has begun
            cpu = collector.cpu_seconds()
            begin = time.monotonic()
            time.sleep(IDLE_SECONDS)
            share = (collector.cpu_seconds() - cpu) / (time.monotonic() - begin)
            resident = resident_bytes(collector.pid)
            connected = collector.metrics()["dunlin_ingest_connections"]
            if connected != IDLE_AGENTS:
                raise SystemExit(f"{connected:.0f} agents of {IDLE_AGENTS} are still connected")
        finally:
            for agent in agents:
                agent.terminate()
            for agent in agents:
                agent.wait()
            collector.kill()
        shutil.rmtree(collector.folder)
        self.table.row(f"shipping: {IDLE_AGENTS} idle agents, the collector's memory", f"{resident / MIB:.0f} MiB",
                       mark="<= 100 MiB", met=resident <= 100 * MIB)
        self.table.row(f"shipping: {IDLE_AGENTS} idle agents, share of a core", f"{share * 100:.2f} %", mark="<= 3 %",
                       met=share <= 0.03)

    def receive(self):
        """The receiving side by its steps, without network, threads and segments."""
        progress("the receiving side, step by step")
        folder = self.folder / "receiving"
        folder.mkdir()
        output = subprocess.run([RECEIVING, self.corpus, folder, str(RECEIVING_MEGABYTES)], check=True, capture_output=True,
                                text=True).stdout
        figures = {name: float(value) for name, value in (line.split() for line in output.splitlines())}
        shutil.rmtree(folder)
        for step in ("frames", "rows", "log", "head"):
            self.table.row(f"receiving: {step}, CPU per GB of lines", f"{figures[f'{step}_cpu_s'] / figures['text_mb'] * 1000:.2f} s")

    def crowd(self):
        """Connections of one process, each an agent to the collector."""
        progress(f"{CROWD} connections at once")
        collector = harness.Collector(self.folder / "crowd", flags=["--max-agents", str(CROWD)])
        before = resident_bytes(collector.pid)
        crowd = subprocess.Popen([MANY_AGENTS, str(collector.ingest_port), str(CROWD)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 text=True, bufsize=1)

        def tell(command):
            crowd.stdin.write(command + "\n")

        def answer():
            words = crowd.stdout.readline().split()
            if not words:
                raise SystemExit("many_agents failed")
            return [float(word) for word in words[1:]]

        def per_connection(what):
            resident = resident_bytes(collector.pid)
            self.table.row(f"receiving: {CROWD} connections, {what}, memory of each", f"{(resident - before) / CROWD / 1024:.1f} KiB",
                           f"{resident / MIB:.0f} MiB in all")

        try:
            tell("connect")
            connected, = answer()
            self.table.row(f"receiving: {CROWD} agents connect and are welcomed", f"{connected:.1f} s")
            per_connection("idle")
            tell(f"hold {HELD_BYTES}")
            answer()
            harness.wait_until(lambda: collector.metrics()["dunlin_ingest_partial_frame_bytes"] == CROWD * HELD_BYTES,
                               "all of it has arrived", 60, 0.2)
            per_connection(f"{HELD_BYTES} bytes of an unfinished frame")
            tell(f"send {CROWD_BATCHES}")
            peak = in_flight = unread = 0
            reader = select.poll()
            reader.register(crowd.stdout, select.POLLIN)
            while not reader.poll(50):
                metrics = collector.metrics()
                peak = max(peak, resident_bytes(collector.pid))
                in_flight = max(in_flight, metrics["dunlin_ingest_in_flight_bytes"])
                unread = max(unread, metrics["dunlin_ingest_unread_connections"])
            seconds, slow_downs = answer()
            batches = CROWD * (CROWD_BATCHES + 1)
            self.table.row(f"receiving: {batches} batches from all at once, until durable", f"{seconds:.1f} s")
            self.table.row("receiving: of that, at most on its way", f"{in_flight / MIB:.1f} MiB", mark="<= 25 MiB",
                           met=in_flight <= 25 * MIB)
            self.table.row("receiving: asked to pause, then not read", f"{slow_downs:.0f} times", f"{unread:.0f} connections at once")
            self.table.row("receiving: the collector's largest memory meanwhile", f"{peak / MIB:.0f} MiB")
            if collector.metrics()['dunlin_ingest_lines_total{protocol="agent"}'] != batches * 80:
                raise SystemExit("not every line arrived once")
        finally:
            crowd.kill()
            crowd.wait()
            crowd.stdin.close()
            crowd.stdout.close()
            collector.kill()
        shutil.rmtree(collector.folder)
