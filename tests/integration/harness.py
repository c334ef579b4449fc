"""Starts the real programs for the integration tests and the benchmark, and talks to them over HTTP.

Every program runs in a folder of its own under the test's temporary folder, listens on loopback ports that were free
a moment ago, and is ended by process id when the test ends.
"""

import base64
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("DUNLIN_BIN", ROOT / "build/release/bin"))
CORPUS = pathlib.Path(os.environ.get("DUNLIN_CORPUS", ROOT / "../shared/corpus"))

SKIPPED = 77  # the status that CTest shows as "skipped"


def corpus_samples():
    """Name and bytes of each real log sample; empty where the samples are not at hand."""
    samples = []
    for path in sorted(CORPUS.glob("*.zst")):
        text = subprocess.run(["zstd", "-dcq", path], check=True, stdout=subprocess.PIPE).stdout
        samples.append((path.name.removesuffix(".zst"), text))
    return samples


def large_corpus(size, seed=7):
    """Bytes of real-looking text: the generator of the samples, or, without it, numbered lines of varied length."""
    expand = CORPUS / "expand.py"
    if expand.exists():
        return subprocess.run([sys.executable, expand, str(size), str(seed)], check=True,
                              stdout=subprocess.PIPE).stdout
    lines = []
    total = number = 0
    while total < size:
        line = b"%d worker-%d handled request id=%016x in %d ms %s\n" % (
            number, number % 13, number * 0x9E3779B97F4A7C15 % 2**64, number % 977, b"x" * (number % 60))
        lines.append(line)
        total += len(line)
        number += 1
    return b"".join(lines)


def children(pid):
    """Process id and state letter of each child of a process."""
    found = []
    for file in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            text = file.read_text()
            state, parent = text.rsplit(")", 1)[1].split()[:2]
            if int(parent) == pid:
                found.append((int(file.parent.name), state))
    return found


def free_port(host="127.0.0.1"):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, 0))
        return probe.getsockname()[1]


def wait_until(condition, what, timeout=30.0, interval=0.02):
    """The first true answer of `condition`; an error naming `what` when none comes in time."""
    deadline = time.monotonic() + timeout
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {timeout} s")
        time.sleep(interval)


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def text(self):
        return self.body.decode()

    def json(self):
        return json.loads(self.body)


def http(method, url, body=None, headers=None, timeout=60):
    """One exchange; any status is an answer. Raises OSError when nobody answers."""
    if isinstance(body, (dict, list)):
        body = json.dumps(body).encode()
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    if body is not None and not request.has_header("Content-type"):
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            return Answer(response.status, response.headers, response.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.headers, error.read())


def parse_metrics(text):
    """{'name{a="b"}': value} of a Prometheus text."""
    values = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            values[name] = float(value)
    return values


def metric_sum(values, family):
    """The sum over all label sets of one family."""
    return sum(v for name, v in values.items() if name == family or name.startswith(family + "{"))


class Program:
    """One running program. `log` is the file of its standard error."""

    def __init__(self, arguments, log, env=None, **popen):
        self.arguments = [str(a) for a in arguments]
        self.log = pathlib.Path(log)
        environment = {k: v for k, v in os.environ.items() if not k.startswith("DUNLIN_")}
        environment.update(env or {})
        popen.setdefault("stdin", subprocess.DEVNULL)
        popen.setdefault("stdout", subprocess.DEVNULL)
        with open(self.log, "ab") as stderr:
            self.process = subprocess.Popen(self.arguments, stderr=stderr, env=environment, **popen)

    @property
    def pid(self):
        return self.process.pid

    def running(self):
        return self.process.poll() is None

    def stop(self, timeout=20):
        if self.running():
            self.process.terminate()
        return self.wait(timeout)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def wait(self, timeout=60):
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{self.arguments[0]} did not end within {timeout} s\n{self.log_tail()}") from None

    def log_text(self):
        return self.log.read_text(errors="replace")

    def log_tail(self):
        return "\n".join(self.log_text().splitlines()[-20:])

    def cpu_seconds(self):
        """User and system time so far, children not counted; also of a process that ended but is not yet waited for."""
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_memory(self):
        """Largest resident size so far, in bytes, or nothing once it has ended."""
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        return None


class Collector(Program):
    """HTTP stays on loopback; agents come to `ingest_host`. `token` is what --token-file in `flags` holds. `data` may be
    elsewhere than in `folder`, which keeps the log."""

    def __init__(self, folder, flags=(), http_port=None, ingest_port=None, ingest_host="127.0.0.1", token=None, data=None,
                 **kw):
        self.folder = pathlib.Path(folder)
        self.http_port = http_port or free_port()
        self.ingest_port = ingest_port or free_port(ingest_host)
        self.flags = list(flags)
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.url = f"http://127.0.0.1:{self.http_port}"
        self.ingest = f"{ingest_host}:{self.ingest_port}"
        self.data = data or self.folder / "collector"
        self.kw = kw
        self.start()

    def metrics(self):
        return parse_metrics(http("GET", self.url + "/metrics", headers=self.headers, timeout=30).text)

    def start(self, timeout=60):
        self.folder.mkdir(parents=True, exist_ok=True)
        super().__init__(
            [BIN / "dunlin-collector", "--data", self.data, "--http", f"127.0.0.1:{self.http_port}", "--ingest",
             self.ingest, *self.flags], self.folder / "collector.log", **self.kw)

        def ready():
            if not self.running():
                raise AssertionError(f"the collector ended with {self.process.returncode}\n{self.log_tail()}")
            with contextlib.suppress(OSError):
                return http("GET", self.url + "/readyz", timeout=5).status == 200

        wait_until(ready, "collector ready", timeout)

    def query_range(self, query, headers=None, **params):
        params.setdefault("start", 0)
        params.setdefault("end", time.time_ns() + 60 * 10**9)
        parameters = urllib.parse.urlencode({"query": query, **params})
        answer = http("GET", f"{self.url}/loki/api/v1/query_range?{parameters}",
                      headers={**self.headers, **(headers or {})}, timeout=300)
        if answer.status != 200:
            raise AssertionError(f"query_range {query}: {answer.status} {answer.text}")
        return answer.json()["data"]

    def number(self, query):
        """The value of a metric query that gives one series, over all time until now; 0 when it gives none."""
        parameters = urllib.parse.urlencode({"query": query, "time": time.time_ns() + 60 * 10**9})
        answer = http("GET", f"{self.url}/loki/api/v1/query?{parameters}", headers=self.headers, timeout=300)
        if answer.status != 200:
            raise AssertionError(f"query {query}: {answer.status} {answer.text}")
        result = answer.json()["data"]["result"]
        return float(result[0]["value"][1]) if result else 0.0

    def count(self, selector):
        """How many entries a selector has."""
        return int(self.number(f"sum(count_over_time({selector}[100d]))"))

    def entries(self, selector, start=0, page=5000):
        """Every entry as (time, line bytes), oldest first, by paging forward. Lines come as the store holds them."""
        end = time.time_ns() + 60 * 10**9
        while True:
            data = self.query_range(selector, {"X-Dunlin-Line-Encoding": "base64"}, start=start, end=end, limit=page,
                                    direction="forward")
            found = sorted((int(t), i, line) for stream in data["result"]
                           for i, (t, line, *_) in enumerate(stream["values"]))
            for t, _, line in found:
                yield t, base64.b64decode(line)
            if len(found) < page:
                return
            start = found[-1][0] + 1

    def text(self, selector):
        """All lines of a selector, each with a newline."""
        return b"".join(line + b"\n" for _, line in self.entries(selector))


class Agent(Program):
    """An agent around `command`, itself run by the command `under`. Its own outputs are off unless asked for."""

    def __init__(self, folder, command, collector=None, flags=(), service="test", listen=None, under=(),
                 binary=BIN / "dunlin-agent", **kw):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.listen = listen or f"127.0.0.1:{self.port}"
        self.url = f"http://{self.listen}"
        arguments = [binary, "--listen", self.listen, "--service", service, "--passthrough", "off"]
        if collector is not None:
            arguments += ["--collector", collector]
        super().__init__([*under, *arguments, *flags, "--", *command], self.folder / f"agent-{service}.log", **kw)

    def metrics(self):
        return parse_metrics(http("GET", self.url + "/metrics", timeout=5).text)

    def wait_metrics(self, condition, what, timeout=30):
        """The first scrape for which `condition` holds."""
        def scrape():
            with contextlib.suppress(OSError):
                values = self.metrics()
                return values if condition(values) else None

        return wait_until(scrape, what, timeout)

    def status(self):
        return http("GET", self.url + "/v1/status", timeout=5).json()


class Controller(Program):
    def __init__(self, folder, collector=None, flags=(), http_port=None, **kw):
        self.folder = pathlib.Path(folder)
        self.http_port = http_port or free_port()
        self.url = f"http://127.0.0.1:{self.http_port}"
        self.data = self.folder / "controller"
        self.flags = list(flags)
        if collector is not None:
            self.flags += ["--collector", collector.ingest, "--collector-url", collector.url]
        self.kw = kw
        self.start()

    def start(self, timeout=30):
        self.folder.mkdir(parents=True, exist_ok=True)
        super().__init__([BIN / "dunlin-controller", "--data", self.data, "--http", f"127.0.0.1:{self.http_port}",
                          *self.flags], self.folder / "controller.log", **self.kw)

        def ready():
            if not self.running():
                raise AssertionError(f"the controller ended with {self.process.returncode}\n{self.log_tail()}")
            with contextlib.suppress(OSError):
                return http("GET", self.url + "/readyz", timeout=5).status == 200

        wait_until(ready, "controller ready", timeout)

    def deploy(self, service, spec, **params):
        query = "?" + urllib.parse.urlencode(params) if params else ""
        return http("PUT", f"{self.url}/deploys/{service}{query}", body=spec)

    def deployment(self, deployment_id):
        return http("GET", f"{self.url}/deployments/{deployment_id}").json()

    def wait_outcome(self, deployment_id, timeout=60):
        return wait_until(lambda: (d := self.deployment(deployment_id))["outcome"] and d,
                          f"outcome of {deployment_id}", timeout, 0.1)

    def agents(self):
        """Process ids of the detached agents of this controller that still run."""
        found = []
        for file in self.data.glob("containers/*/agent"):
            with contextlib.suppress(OSError, ValueError):
                pid, start_time = (int(n) for n in file.read_text().split()[:2])
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
                if fields[0] != "Z" and int(fields[19]) == start_time:
                    found.append(pid)
        return found

    def stop_workloads(self):
        """Ends the detached agents: a controller leaves them running when it ends."""
        for pid in self.agents():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not self.agents(), "the agents have ended", 20)


class IntegrationTest(unittest.TestCase):
    """A temporary folder, and every started program ended when the test ends."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="dunlin-test-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def ended_with_test(self, program):
        def end():
            if program.running():
                program.process.send_signal(signal.SIGKILL)
                program.process.wait()
        self.addCleanup(end)
        return program

    def collector(self, **kw):
        return self.ended_with_test(Collector(self.folder, **kw))

    def agent(self, command, collector=None, **kw):
        return self.ended_with_test(Agent(self.folder, command, collector, **kw))

    def assert_same_bytes(self, got, want, what):
        """Equality of large texts with a report that shows where they part."""
        if got == want:
            return
        at = next((i for i, (a, b) in enumerate(zip(got, want)) if a != b), min(len(got), len(want)))
        self.fail(f"{what}: {len(got)} bytes for {len(want)}, first difference at byte {at}:\n"
                  f"got  {got[max(0, at - 60):at + 60]!r}\nwant {want[max(0, at - 60):at + 60]!r}")


def need(*programs):
    """Ends the test file as skipped when a program that it needs is missing."""
    for program in programs:
        if shutil.which(program) is None:
            print(f"skipped: {program} is not installed")
            sys.exit(SKIPPED)


CONTAINED = "DUNLIN_TEST_CONTAINED"


def contain():
    """Runs this script in a PID namespace of its own, where that is allowed: whatever it starts, and what that leaves behind,
    ends with it, also when it is killed. To be called first, while there is one thread."""
    if CONTAINED in os.environ:
        if os.getpid() == 1:
            reap_until_done()
        return
    namespace = ["unshare", *([] if os.geteuid() == 0 else ["--user", "--map-current-user"]), "--pid", "--fork", "--kill-child",
                 "--mount-proc"]
    with contextlib.suppress(OSError):
        if subprocess.run([*namespace, "true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0:
            os.environ[CONTAINED] = "1"
            os.execvp(namespace[0], [*namespace, *sys.orig_argv])


def reap_until_done():
    """Returns in a child. This process, the first of the namespace, reaps orphans and ends with the child's status."""
    child = os.fork()
    if child == 0:
        return
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def main():
    contain()
    unittest.main(verbosity=2)
