"""Eight agents and their collector under every failure at once, and then the question where each line is.

Collector and agents are killed, connections are reset, stalled and half-opened, disks are filled and freed, at random
moments of a seeded schedule. Afterwards every acknowledged line is stored exactly once, every missing one is inside a gap
marker or lay in what a kill may take (docs/agent.md), and what agents, markers, collector and wire count is the same.
"""

import argparse
import base64
import bisect
import collections
import contextlib
import os
import pathlib
import random
import shutil
import signal
import struct
import sys
import tempfile
import threading
import time
import urllib.parse

import harness
import small_disk
import wire
from harness import metric_sum
from oracle_check import OUTPUTS, Boot, Counters, Stored, judge
from relay import Relay

WRITER = harness.BIN.parent / "tests/dunlin_numbered_writer"
AGENTS = 8
SCRAPE_INTERVAL = 0.3
# Lines that were read this long before a kill are safe with a spool: the batch age, and the pause in which a disk that was
# full is left alone. What the machine is short of CPU shows in this script's own delays, many of which are added.
SPOOL_DELAY = 1.0 + 5.0
DELAYS_ADDED = 10


def progress(text):
    print(text, file=sys.stderr, flush=True)


class Ledger:
    """What passed on the wire, per boot: the promises that the store has to keep."""

    def __init__(self):
        self.lock = threading.Lock()
        self.boots = {}  # (service, deployment): BootOnWire
        self.violations = []
        self.seen = collections.Counter()

    def watcher(self):
        return Watcher(self)

    def boot(self, hello):
        with self.lock:
            boot = self.boots.setdefault((hello.service, hello.deployment), BootOnWire(hello))
            if boot.boot_id != hello.boot_id:
                self.violations.append(f"{boot.name} has two boot ids")
            return boot


class BootOnWire:
    def __init__(self, hello):
        self.name = f"{hello.service}.{hello.deployment}"
        self.boot_id = hello.boot_id
        self.batches = {}  # sequence: Batch
        self.promised = 0  # the highest sequence that a collector called durable

    def lines_promised_after(self, first):
        return sum(batch.entries for sequence, batch in self.batches.items() if first < sequence <= self.promised)

    def totals(self):
        """What a collector that has kept its promises has: see Boot.on_wire."""
        lines = marked = 0
        totals = [(0, 0)]
        for sequence, batch in sorted(self.batches.items()):
            lines += batch.entries
            marked += batch.gap_lines
            if sequence <= self.promised:
                totals.clear()
            totals.append((lines, marked))
        return tuple(totals)


class Watcher:
    """One connection. Each direction comes from a thread of its own."""

    def __init__(self, ledger):
        self.ledger = ledger
        self.agent_frames = wire.Frames(skip=len(wire.PREFACE))
        self.collector_frames = wire.Frames()
        self.boot = None

    def from_agent(self, data):
        for kind, checksum, payload in self.agent_frames.feed(data):
            if kind == wire.HELLO:
                self.boot = self.ledger.boot(wire.Hello(payload))
            elif kind == wire.BATCH:
                self.on_batch(wire.Batch(payload, checksum))

    def on_batch(self, batch):
        with self.ledger.lock:
            self.ledger.seen["batches"] += 1
            before = self.boot.batches.setdefault(batch.sequence, batch)
            if before is not batch:
                self.ledger.seen["batches sent again"] += 1
                if before.checksum != batch.checksum:
                    self.ledger.violations.append(
                        f"{self.boot.name}: batch {batch.sequence} was sent again with other bytes")

    def from_collector(self, data):
        for kind, _, payload in self.collector_frames.feed(data):
            values = dict(wire.fields(payload))
            with self.ledger.lock:
                if kind == wire.WELCOME:
                    self.promise(values.get(4, 0) - 1)
                elif kind == wire.ACK:
                    self.promise(values.get(1, 0))
                elif kind == wire.REJECT:
                    self.ledger.violations.append(
                        f"{self.boot.name}: batch {values.get(1, 0)} was rejected: {values.get(2, b'').decode()}")
                elif kind == wire.SLOW_DOWN:
                    self.ledger.seen["slow-downs"] += 1
                elif kind == wire.GOODBYE and not values.get(2, 0):
                    self.ledger.violations.append(f"{self.boot.name}: turned away: {values.get(1, b'').decode()}")

    def promise(self, sequence):
        if sequence < self.boot.promised:
            # A collector that is welcomed with less than it promised has lost something.
            self.ledger.violations.append(
                f"{self.boot.name}: up to batch {sequence} durable, {self.boot.promised} was acknowledged before")
        self.boot.promised = max(self.boot.promised, sequence)


class Adopted(collections.namedtuple("Adopted", "spools acknowledged dropped spooled", defaults=(0, 0, 0, 0))):
    """What an agent counts of the spools of others."""

    @staticmethod
    def of(values):
        return Adopted(*(int(metric_sum(values, "dunlin_agent_adopted_" + name))
                         for name in ("spools_total", "lines_acknowledged_total", "lines_dropped_total", "lines_spooled")))


class Life:
    """One boot: an agent, its writer, and what was seen of them."""

    LAYOUT = struct.Struct("<7Q")

    def __init__(self, writer, number, agent, progress_file):
        self.writer = writer
        self.deployment = f"b{number}"
        self.name = f"{writer.service}.{self.deployment}"
        self.agent = agent
        self.progress_file = progress_file
        self.history = collections.deque()  # (time, Counters), of the last minute
        self.ended = None  # "killed", "stopped", or nothing while it lives
        self.promised = None  # what was promised to it when it ended
        self.adopted = Adopted()
        self.spool_errors = 0
        self.held_to_be_safe = 0

    def progress(self):
        with contextlib.suppress(OSError, struct.error):
            return self.LAYOUT.unpack(self.progress_file.read_bytes())
        return (0,) * 7

    def kill(self):
        """The agent, and then what it leaves behind, as the end of a container does."""
        if self.agent.running():
            self.agent.kill()
        if self.writer_runs():
            with contextlib.suppress(OSError):
                os.kill(self.progress()[0], signal.SIGKILL)

    def writer_runs(self):
        pid = self.progress()[0]
        with contextlib.suppress(OSError):
            # A process that has ended has no arguments; its number may be another one's already.
            return pid != 0 and os.fsencode(self.progress_file) in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
        return False

    def scrape(self):
        """The counters, or nothing when it does not answer; an identity that does not hold is an error at once."""
        try:
            values = self.agent.metrics()
        except OSError:
            return None
        prefix = "dunlin_agent_lines_"
        dropped = {}
        for name, value in values.items():
            if name.startswith(prefix + "dropped_total{") and value:
                dropped[name.split('reason="', 1)[1].split('"', 1)[0]] = int(value)
        counters = Counters(*(int(metric_sum(values, prefix + n))
                              for n in ("captured_total", "acknowledged_total", "queued", "spooled")), dropped)
        if violation := counters.violation():
            raise AssertionError(f"{self.name}: {violation}")
        now = time.monotonic()
        self.history.append((now, counters))
        while self.history[0][0] < now - 60:
            self.history.popleft()
        self.connected = values.get("dunlin_agent_connected") == 1
        self.adopted = Adopted.of(values)
        self.spool_errors = int(metric_sum(values, "dunlin_agent_spool_errors_total"))
        return counters

    def last(self):
        return self.history[-1][1] if self.history else Counters()

    def hold_safe(self, spool_fine_since, spool_delay):
        """What a kill now must not take."""
        last = self.last()
        self.held_to_be_safe = last.acknowledged
        if not self.writer.spool:
            return
        self.held_to_be_safe += last.spooled
        before = time.monotonic() - spool_delay
        if spool_fine_since < before:
            for t, counters in self.history:
                if t <= before:
                    self.held_to_be_safe = max(self.held_to_be_safe, counters.captured)

    def on_wire(self, ledger):
        return ledger.boots.get((self.writer.service, self.deployment))

    def evidence(self, ledger):
        _, begun_o, begun_e, written_o, written_e, _, _ = self.progress()
        boot = Boot(self.name, {"stdout": begun_o, "stderr": begun_e}, {"stdout": written_o, "stderr": written_e},
                    complete=self.ended is None, last=self.last(), held_to_be_safe=self.held_to_be_safe)
        if on_wire := self.on_wire(ledger):
            boot.on_wire = on_wire.totals()
        return boot


class Writer:
    """One of the eight: a service whose agent is started again and again."""

    def __init__(self, number, quota, rate, flags, text, spool):
        self.number = number
        self.spool = spool  # its folder, or nothing
        self.service = f"w{number}"
        self.quota = quota
        self.rate = rate
        self.flags = flags
        self.text = text
        self.lives = []

    @property
    def life(self):
        return self.lives[-1]

    def written_bytes(self):
        return sum(life.progress()[5] for life in self.lives)

    def done(self):
        return self.life.ended is None and self.life.progress()[6] == 1


class Oracle:
    def __init__(self, folder, options):
        self.folder = folder
        self.options = options
        self.chance = random.Random(options.seed)
        self.ledger = Ledger()
        self.violations = []
        self.done_events = collections.Counter()
        self.stalled = []
        self.data_disk = self.spool_disk = None
        self.spool_fine_since = time.monotonic()
        self.collector_up = True
        self.longest_delay = 0.0

    # Starting

    def start(self):
        size = self.options.megabytes * 1_000_000
        data = self.folder / "data"
        if self.options.disks:
            # The whole run as it comes, twice: a WAL and the segments made of it.
            self.data_disk = small_disk.SmallDisk(data, 512 * 2**20 + 2 * size)
            self.spool_disk = small_disk.SmallDisk(self.folder / "spools", 64 * 2**20 + size)
        else:
            data.mkdir()
            (self.folder / "spools").mkdir()
        text = self.folder / "text"
        text.write_bytes(harness.large_corpus(min(size, 60_000_000), self.options.seed))
        self.collector = harness.Collector(self.folder, ["--min-free", "16MiB"], data=data / "store")
        self.lines_at_start = 0
        self.relay = Relay(self.collector.ingest_port, self.ledger.watcher)
        self.writers = []
        for number in range(AGENTS):
            # Half of them wait for room, half drop; two of those print what hardly compresses and fill their queue soon.
            flags = ["--memory-limit", "1MiB", "--when-full", "block" if number % 2 else "drop-oldest"]
            spool = self.spool_of(number) if number < self.options.spools else None
            if spool:
                flags += ["--spool", spool, "--spool-sync", ("interval", "batch", "never")[number % 3]]
                if number == 0:
                    flags += ["--spool-limit", "4MiB"]
            quota = size // AGENTS
            self.writers.append(Writer(number, quota, quota / self.options.seconds, flags,
                                       "random" if number in (0, 4) else text, spool))
        for writer in self.writers:
            self.start_agent(writer)

    def spool_of(self, number):
        """Two share a folder."""
        return self.folder / "spools" / f"s{max(number, 1)}"

    def start_agent(self, writer):
        number = len(writer.lives)
        progress_file = self.folder / f"progress-{writer.service}-{number}"
        command = [WRITER, f"{writer.service}.b{number}", progress_file, writer.text, self.chance.randrange(2**32),
                   max(0, writer.quota - writer.written_bytes()), int(writer.rate)]
        agent = harness.Agent(self.folder, [str(word) for word in command], self.relay.address, service=writer.service,
                              flags=["--deployment", f"b{number}", *writer.flags])
        writer.lives.append(Life(writer, number, agent, progress_file))

    # What happens

    def schedule(self):
        """(time, method name) of everything that will happen."""
        o = self.options
        counts = {"kill_collector": o.kills * 2 // 5, "kill_agent": o.kills - o.kills * 2 // 5, "cut_all": o.kills // 10,
                  "cut_one": o.kills // 4, "stall": o.kills // 8, "half_open": o.kills // 10}
        if o.disks:
            counts["fill_data_disk"] = max(1, o.kills // 25)
            if o.spools:
                counts["fill_spool_disk"] = max(1, o.kills // 25)
        begin = time.monotonic()
        events = [(begin + 1 + self.chance.random() * o.seconds, name) for name, n in counts.items() for _ in range(n)]
        return sorted(events)

    def kill_collector(self, later):
        if not self.collector_up:
            return False
        self.collector.kill()
        self.collector_up = False
        later(self.chance.uniform(0, 2), self.start_collector)
        return True

    def start_collector(self, later):
        try:
            self.collector.start()
        except AssertionError as error:
            full = self.data_disk and self.data_disk.filler.exists()
            self.violations.append(f"the collector does not start, its disk is {'full' if full else 'not full'}: {error}")
            if not full:
                raise
            self.data_disk.free_again()
            self.collector.start()
        self.collector_up = True
        self.lines_at_start = self.collector.count('{service=~".+"} | gap_lines=""')

    def kill_agent(self, later):
        writer = self.chance.choice(self.writers)
        life = writer.life
        if life.ended:
            return False
        life.hold_safe(self.spool_fine_since, SPOOL_DELAY + DELAYS_ADDED * self.longest_delay)
        # Before the kill: what is promised meanwhile may count as anybody's. It may never have come to a promise.
        on_wire = life.on_wire(self.ledger)
        life.promised = on_wire.promised if on_wire else 0
        life.kill()
        life.ended = "killed"
        later(self.chance.uniform(0, 1), lambda later, writer=writer: self.restart_agent(writer, later))
        return True

    def restart_agent(self, writer, later):
        if writer.life.writer_runs():
            later(0.05, lambda later, writer=writer: self.restart_agent(writer, later))
            return
        self.start_agent(writer)

    def cut_all(self, later):
        return self.relay.cut() > 0

    def cut_one(self, later):
        connections = self.relay.open()
        return bool(connections) and self.relay.cut([self.chance.choice(connections)]) > 0

    def stall(self, later):
        connections = self.relay.open()
        chosen = [c for c in connections if self.chance.random() < 0.5]
        self.relay.stall(chosen)
        later(self.chance.uniform(0.1, self.options.longest_stall), lambda later, c=chosen: self.relay.let_go(c))
        return bool(chosen)

    def half_open(self, later):
        connections = [c for c in self.relay.open() if not c.half_open]
        if not connections:
            return False
        chosen = self.chance.choice(connections)
        self.relay.half_open(chosen)
        # Sometimes the agent has to find out by itself.
        if self.options.longest_stall < 30 or self.chance.random() < 0.5:
            later(self.chance.uniform(0.5, 5), lambda later, c=chosen: self.relay.cut([c]))
        return True

    def fill_data_disk(self, later):
        if self.data_disk.filler.exists():
            return False
        # To the last byte, or to a point between that and where the collector stops by itself.
        self.data_disk.fill(self.chance.choice([0, 2**20, 8 * 2**20]))
        later(self.chance.uniform(1, 4), lambda later: self.data_disk.free_again())
        return True

    def fill_spool_disk(self, later):
        if self.spool_disk.filler.exists():
            return False
        self.spool_fine_since = float("inf")
        self.spool_disk.fill(self.chance.choice([0, 0, 300_000]))

        def free(later):
            self.spool_disk.free_again()
            self.spool_fine_since = time.monotonic()

        later(self.chance.uniform(1, 4), free)
        return True

    # Running

    def run(self):
        events = self.schedule()
        follow_ups = []

        def later(seconds, action):
            follow_ups.append((time.monotonic() + seconds, action))

        last_scrape = 0.0
        deadline = time.monotonic() + 10 * self.options.seconds + 120
        while events or follow_ups or not all(w.done() for w in self.writers):
            now = time.monotonic()
            if now > deadline:
                raise AssertionError("the writers do not come to an end: " +
                                     ", ".join(w.service for w in self.writers if not w.done()))
            due = [f for f in follow_ups if f[0] <= now]
            follow_ups[:] = [f for f in follow_ups if f[0] > now]
            for _, action in due:
                action(later)
            if events and events[0][0] <= now:
                name = events.pop(0)[1]
                if getattr(self, name)(later):
                    self.done_events[name] += 1
                elif name in ("kill_collector", "kill_agent"):
                    # Whoever is dead cannot be killed: each kill counts.
                    bisect.insort(events, (now + self.chance.uniform(0.2, 1), name))
            if now - last_scrape >= SCRAPE_INTERVAL:
                self.longest_delay = max(self.longest_delay, now - last_scrape - SCRAPE_INTERVAL) if last_scrape else 0.0
                last_scrape = now
                self.scrape_all()
            time.sleep(0.01)

    def scrape_all(self):
        for writer in self.writers:
            life = writer.life
            if life.ended is None:
                life.scrape()
                if not life.agent.running():
                    raise AssertionError(f"{life.name}: the agent ended with {life.agent.wait()}\n{life.agent.log_tail()}")

    def settle(self):
        """Everything works again: now all that is left arrives."""
        if self.options.longest_stall < 30:
            self.relay.cut([c for c in self.relay.open() if c.half_open])
        waiting = {w.service: w for w in self.writers}
        deadline = time.monotonic() + self.options.settle_seconds
        while waiting or self.spool_folders_left():
            if time.monotonic() > deadline:
                for writer in waiting.values():
                    self.violations.append(f"{writer.life.name}: does not come to rest: {writer.life.last()}\n"
                                           f"{writer.life.agent.log_tail()}")
                for folder in self.spool_folders_left():
                    self.violations.append(f"a spool that nobody empties: {folder}")
                return
            for writer in list(waiting.values()):
                counters = writer.life.scrape()
                written = sum(writer.life.progress()[3:5])
                if counters and writer.life.connected and counters.captured == written and \
                        counters.queued == counters.spooled == writer.life.adopted.spooled == 0:
                    del waiting[writer.service]
            time.sleep(0.1)

    def spool_folders_left(self):
        """Those of boots that ended."""
        living = {boot.boot_id for w in self.writers if (boot := w.life.on_wire(self.ledger))}
        return [folder for folder in (self.folder / "spools").glob("s*/*/*") if folder.is_dir() and folder.name not in living]

    def end_agents(self):
        for writer in self.writers:
            life = writer.life
            life.scrape()
            if life.agent.stop(30) != 128 + 15:
                self.violations.append(f"{life.name}: the agent ended with {life.agent.process.returncode}\n"
                                       f"{life.agent.log_tail()}")

    # Judging

    def stored(self, life):
        """Output to its entries."""
        entries = {output: [] for output in OUTPUTS}
        selector = '{service="%s",deployment="%s"}' % (life.writer.service, life.deployment)
        headers = {"X-Dunlin-Line-Encoding": "base64", "X-Loki-Response-Encoding-Flags": "categorize-labels"}
        start = 0
        page = 5000
        while True:
            data = self.collector.query_range(selector, headers, start=start, limit=page, direction="forward")
            found = []
            for stream in data["result"]:
                output = stream["stream"]["output"]
                for at, line, *metadata in stream["values"]:
                    extra = metadata[0].get("structuredMetadata", {}) if metadata else {}
                    found.append((int(at), output, Stored(int(at), base64.b64decode(line), int(extra.get("gap_lines", 0)),
                                                          extra.get("gap_reason", ""))))
            # Entries of one time may be on both sides of the page's end: they are left to the next one.
            full = len(found) >= page
            end = max((t for t, _, _ in found), default=0) if full else None
            if full and all(t == end for t, _, _ in found):
                raise AssertionError(f"{life.name}: {page} entries of one time")
            for at, output, entry in found:
                if at != end:
                    entries[output].append(entry)
            if not full:
                return entries
            start = end

    def judge(self):
        entries = present = marked = lost = 0
        complete_lives = 0
        reasons = collections.Counter()
        for writer in self.writers:
            for life in writer.lives:
                stored = self.stored(life)
                verdict = judge(life.evidence(self.ledger), stored)
                self.violations += verdict.violations
                entries += sum(len(e) for e in stored.values())
                present += verdict.present
                marked += verdict.marked
                lost += verdict.lost
                complete_lives += life.ended is None
                for entry in (e for output in stored.values() for e in output if e.gap_reason):
                    reasons[entry.gap_reason] += entry.gap_lines
        self.judge_adoption()
        metrics = self.collector.metrics()
        if metrics["dunlin_store_lines"] != entries:
            self.violations.append(f"the collector counts {metrics['dunlin_store_lines']:.0f} entries, {entries} were read")
        for name in ("dunlin_store_quarantined_segments", "dunlin_store_read_only"):
            if metrics[name] != 0:
                self.violations.append(f"{name} is {metrics[name]}")
        self.violations += self.ledger.violations
        lives = sum(len(w.lives) for w in self.writers)
        seen = ", ".join(f"{n} {what}" for what, n in sorted(self.ledger.seen.items()))
        done = ", ".join(f"{what} {n}" for what, n in sorted(self.done_events.items()))
        progress(f"{present} lines stored, {marked} in gap markers {dict(reasons)}, {lost} lost in the window of kills; "
                 f"{lives} boots, {complete_lives} of them unhurt")
        progress(f"done: {done}; seen: {seen}")
        if present == 0:
            self.violations.append("nothing was stored at all")
        return metrics

    def judge_adoption(self):
        """Who takes over a spool counts its lines once, and never as its own."""
        lives = [life for w in self.writers for life in w.lives]
        for folder in sorted({w.spool for w in self.writers if w.spool}):
            here = [life for life in lives if life.writer.spool == folder]
            counted = sum(life.adopted.acknowledged for life in here)
            passed = sum(on_wire.lines_promised_after(life.promised) for life in here
                         if life.ended and (on_wire := life.on_wire(self.ledger)))
            if counted > passed:
                self.violations.append(f"{folder.name}: {counted} lines of others counted as delivered, {passed} were")
            if dropped := sum(life.adopted.dropped for life in here):
                self.violations.append(f"{folder.name}: {dropped} lines of others were damaged or rejected")
            progress(f"{folder.name}: {sum(life.adopted.spools for life in here)} spools of others taken over, "
                     f"{counted} lines of {passed} from there counted as delivered")
        for life in lives:
            if not life.writer.spool and any(life.adopted):
                self.violations.append(f"{life.name} has no spool and counts those of others: {life.adopted}")
        progress(f"{sum(life.spool_errors for life in lives)} refusals of the spools' disk")

    def check_collector_counters(self):
        """What was there at its start and what it took since is what is there."""
        took = self.collector.metrics()['dunlin_ingest_lines_total{protocol="agent"}']
        lines = self.collector.count('{service=~".+"} | gap_lines=""')
        if self.lines_at_start + took != lines:
            self.violations.append(f"the collector started with {self.lines_at_start} lines, took {took:.0f} and has {lines}")

    def whole(self):
        self.start()
        self.run()
        self.settle()
        self.end_agents()
        self.check_collector_counters()
        # What counts is what is on disk.
        self.collector.kill()
        self.collector.start()
        self.judge()

    def end(self):
        for writer in getattr(self, "writers", []):
            for life in writer.lives:
                life.kill()
        if hasattr(self, "collector") and self.collector.running():
            self.collector.kill()
        if hasattr(self, "relay"):
            self.relay.close()
        for disk in (self.data_disk, self.spool_disk):
            if disk:
                disk.unmount()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=40)
    parser.add_argument("--kills", type=int, default=20, help="of the collector and of agents, two to three")
    parser.add_argument("--seconds", type=float, default=22, help="that the writers take")
    parser.add_argument("--settle-seconds", type=float, default=120)
    parser.add_argument("--longest-stall", type=float, default=3)
    parser.add_argument("--spools", type=int, default=AGENTS // 2, help="of the eight agents have one")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("DUNLIN_SEED", "0")) or random.randrange(2**31))
    options = parser.parse_args()
    harness.contain()
    progress(f"DUNLIN_SEED={options.seed}")
    options.disks = True
    try:
        small_disk.enter_namespace()
    except small_disk.NotAllowed as reason:
        options.disks = False
        print(f"skipped: disks that fill up: {reason}", flush=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="dunlin-oracle-"))
    oracle = Oracle(folder, options)
    try:
        oracle.whole()
    except (AssertionError, OSError) as error:
        oracle.violations.append(f"{type(error).__name__}: {error}")
    finally:
        oracle.end()
    if oracle.violations:
        for violation in oracle.violations[:40]:
            progress(f"VIOLATION {violation}")
        raise SystemExit(f"{len(oracle.violations)} violations with seed {options.seed}; logs are in {folder}")
    shutil.rmtree(folder, ignore_errors=True)
    progress("every line is accounted for")


if __name__ == "__main__":
    main()
