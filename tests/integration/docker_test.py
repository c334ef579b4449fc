"""The agent in containers of a real Docker Engine, in an image that holds the agent, one static program and nothing else.

The engine, its containers and these tests run in namespaces of their own (processes, mounts, network), so that the
test's end is the end of everything the engine started, mounted or configured, and no traffic leaves the machine.
"""

import contextlib
import errno
import fcntl
import io
import json
import os
import pathlib
import pty
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import unittest

import harness
from harness import wait_until

WORKLOAD = harness.BIN.parent / "tests/dunlin_agent_workload"
IMAGE = "dunlin-test"
BRIDGE = "172.31.250.1"
CONTROL_PORT = 18888
# The distribution's own: what else may be called docker on this machine does not talk to our engine.
os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
INSIDE = "--in-namespaces"


def set_loopback_up():
    """As `ip link set lo up`: a new network namespace starts without."""
    SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
    with socket.socket() as any_socket:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(any_socket, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))


class Engine(harness.Program):
    """A Docker Engine that shares nothing with one that the machine may run."""

    def __init__(self, folder):
        self.folder = folder
        self.socket = folder / "docker.sock"
        self.cgroup = f"dunlin-test-{os.getpid()}-{time.time_ns()}"
        super().__init__(
            ["dockerd", "--data-root", folder / "data", "--exec-root", folder / "exec", "--pidfile", folder / "pid",
             "--host", f"unix://{self.socket}", "--bip", f"{BRIDGE}/24", "--iptables=false", "--ip6tables=false",
             "--ip-forward=false", "--userland-proxy=false", "--cgroup-parent", "/" + self.cgroup],
            folder / "dockerd.log", env={"HOME": str(folder)})

    def wait_ready(self):
        """Whether it came up."""
        def settled():
            return not self.running() or self.client("version").returncode == 0

        with contextlib.suppress(AssertionError):
            wait_until(settled, "the engine answers", 60, 0.1)
        return self.running() and self.client("version").returncode == 0

    def command(self, *arguments):
        return ["docker", "--host", f"unix://{self.socket}", "--config", str(self.folder / "client"),
                *[str(a) for a in arguments]]

    def client(self, *arguments, timeout=60, **kw):
        kw.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run(self.command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=timeout, **kw)

    def import_image(self):
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.add(harness.BIN / "dunlin-agent", "dunlin-agent")
            tar.add(WORKLOAD, "workload")
        done = subprocess.run(self.command("import", "-", IMAGE), input=archive.getvalue(), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=120)
        if done.returncode != 0:
            raise AssertionError(f"docker import: {done.stderr.decode()}")

    def end(self):
        self.stop(30)
        root = pathlib.Path("/sys/fs/cgroup")  # all controllers (v2), or a folder of each (v1)
        for folder in [*root.glob(self.cgroup), *root.glob("*/" + self.cgroup)]:
            with contextlib.suppress(OSError):
                folder.rmdir()


class Container:
    """One container with the agent as its command. Ended and removed with the test."""

    def __init__(self, engine, command, flags=(), agent=(), detached=True, stdin=None):
        self.engine = engine
        self.name = f"c{time.time_ns()}"
        arguments = ["run", "--name", self.name, *(["-d"] if detached else []), *flags, IMAGE, "/dunlin-agent",
                     *agent, "--", *command]
        self.ran = engine.client(*arguments, **({} if stdin is None else {"stdin": None, "input": stdin}))
        if detached and self.ran.returncode != 0:
            raise AssertionError(f"docker run: {self.ran.stderr.decode()}")

    def remove(self):
        self.engine.client("rm", "-f", self.name)

    def inspect(self):
        done = self.engine.client("inspect", self.name)
        if done.returncode != 0:
            raise AssertionError(f"docker inspect: {done.stderr.decode()}")
        return json.loads(done.stdout)[0]

    def logs(self):
        """What `docker logs` shows of the standard output, and of the standard error."""
        done = self.engine.client("logs", self.name)
        return done.stdout, done.stderr

    def wait_for_output(self, text):
        wait_until(lambda: text in self.logs()[0], f"{text!r} in the output of {self.inspect()['Args']}", 60, 0.1)

    def wait(self):
        """The exit status."""
        return int(self.engine.client("wait", self.name).stdout)

    def metrics(self, token):
        address = self.inspect()["NetworkSettings"]["IPAddress"]
        answer = harness.http("GET", f"http://{address}:{CONTROL_PORT}/metrics", timeout=5,
                              headers={"Authorization": f"Bearer {token}"})
        return harness.parse_metrics(answer.text)


def restarts_by_cause(metrics):
    family = "dunlin_agent_restarts_total{"
    return {cause: sum(v for name, v in metrics.items() if name.startswith(family) and f'cause="{cause}"' in name)
            for cause in ("exit", "signal", "oom", "health", "command")}


class DockerTest(harness.IntegrationTest):
    engine = None  # set before the tests run

    def start(self, *command, **kw):
        container = Container(self.engine, command, **kw)
        self.addCleanup(container.remove)
        return container

    def run_to_end(self, *command, **kw):
        return self.start(*command, detached=False, **kw)

    # Exit status

    def test_docker_run_ends_with_the_code_of_the_process(self):
        for code in (0, 1, 42, 255):
            with self.subTest(code=code):
                self.assertEqual(self.run_to_end("/workload", "exit", code).ran.returncode, code)

    def test_docker_run_ends_with_128_and_the_signal(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            with self.subTest(signal=number):
                ran = self.run_to_end("/workload", "raise", int(number)).ran
                self.assertEqual(ran.returncode, 128 + number)

    def test_a_missing_program_is_127_and_the_log_says_which(self):
        container = self.run_to_end("/no/such/program")
        self.assertEqual(container.ran.returncode, 127)
        self.assertIn(b"/no/such/program", container.logs()[1])

    # Output

    def test_docker_logs_shows_what_the_process_printed(self):
        container = self.run_to_end("/workload", "outputs", 1000)
        self.assertEqual(container.ran.returncode, 0)
        out, err = container.logs()
        self.assertEqual(out, b"".join(b"%d\n" % i for i in range(0, 1000, 2)))
        self.assertEqual(err, b"".join(b"%d\n" % i for i in range(1, 1000, 2)))

    def test_lines_are_shipped_to_a_collector_over_the_network(self):
        token = self.folder / "token"
        token.write_text("between-bridge-and-host\n")
        collector = self.ended_with_test(harness.Collector(
            self.folder, ingest_host=BRIDGE, flags=["--token-file", token], token=token.read_text().strip()))
        container = self.run_to_end(
            "/workload", "lines", 5000, flags=["-v", f"{token}:/token:ro"],
            agent=["--collector", collector.ingest, "--token-file", "/token", "--service", "shipped"])
        self.assertEqual(container.ran.returncode, 0, container.logs()[1])
        self.assertEqual(collector.text('{service="shipped",output="stdout"}'), container.logs()[0])
        self.assertEqual(container.logs()[0].count(b"\n"), 5000)

    def test_lines_that_others_write_to_the_output_of_process_1_are_shipped(self):
        collector = self.ended_with_test(harness.Collector(self.folder, ingest_host=BRIDGE, flags=["--insecure"]))
        container = self.start("/workload", "wait", agent=["--collector", collector.ingest, "--service", "joined"])
        container.wait_for_output(b"ready\n")
        for number in (1, 2):
            written = self.engine.client("exec", container.name, "/workload", "write-to", f"/proc/1/fd/{number}")
            self.assertEqual(written.returncode, 0, written.stderr)
        self.engine.client("stop", container.name)
        self.assertEqual(collector.text('{service="joined",output="stdout"}'), b"ready\nwritten from outside\n")
        self.assertEqual(collector.text('{service="joined",output="stderr"}'), b"written from outside\n")
        self.assertEqual(container.logs()[0], b"ready\nwritten from outside\n")

    # Stop

    def test_docker_stop_lets_the_process_end_in_good_order(self):
        container = self.start("/workload", "stop-itself", agent=["--stop-grace", "30s"])
        container.wait_for_output(b"ready\n")
        self.assertEqual(self.engine.client("stop", "-t", "30", container.name).returncode, 0)
        self.assertEqual(container.inspect()["State"]["ExitCode"], 9)

    def test_docker_stop_of_a_process_that_ignores_it_ends_within_the_grace(self):
        container = self.start("/workload", "ignore-term", agent=["--stop-grace", "8s"])
        container.wait_for_output(b"ready\n")
        begin = time.monotonic()
        self.assertEqual(self.engine.client("stop", "-t", "30", container.name).returncode, 0)
        took = time.monotonic() - begin
        # 137 is also what Docker's own SIGKILL would give, but not before its 30 s.
        self.assertEqual(container.inspect()["State"]["ExitCode"], 137)
        self.assertGreater(took, 4)
        self.assertLess(took, 20)

    def test_docker_kill_passes_any_signal_on(self):
        container = self.start("/workload", "print-signals")
        container.wait_for_output(b"ready\n")
        for name, text in [("HUP", b"1\n"), ("USR1", b"10\n"), ("WINCH", b"28\n")]:
            self.engine.client("kill", "-s", name, container.name)
            container.wait_for_output(text)
        self.engine.client("kill", "-s", "USR2", container.name)
        self.assertEqual(container.wait(), 12)
        self.assertEqual(container.logs()[0], b"ready\n1\n10\n28\n12\n")

    def test_processes_of_docker_exec_are_ended_with_the_container(self):
        container = self.start("/workload", "wait", agent=["--stop-grace", "10s"])
        container.wait_for_output(b"ready\n")
        with subprocess.Popen(self.engine.command("exec", container.name, "/workload", "print-signals"),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as joined:
            self.assertEqual(joined.stdout.readline(), b"ready\n")
            begin = time.monotonic()
            self.engine.client("stop", "-t", "60", container.name)
            self.assertLess(time.monotonic() - begin, 30)
            # SIGTERM came first. It does not end this process; the agent's SIGKILL, or its own end, does.
            self.assertEqual(joined.stdout.readline(), b"15\n")
            joined.wait(30)
        self.assertEqual(container.inspect()["State"]["ExitCode"], 128 + signal.SIGTERM)

    def test_orphans_leave_no_zombies(self):
        token = self.folder / "token"
        token.write_text("scrape\n")
        container = self.start("/workload", "daemons", 100, flags=["-v", f"{token}:/token:ro"],
                               agent=["--listen", f"0.0.0.0:{CONTROL_PORT}", "--token-file", "/token"])
        container.wait_for_output(b"ready\n")
        wait_until(lambda: container.metrics("scrape")["dunlin_agent_orphans_reaped_total"] == 100, "100 reaped", 60)
        processes = self.engine.client("top", container.name, "-eo", "pid,stat").stdout.decode().split("\n")[1:]
        self.assertEqual(len([p for p in processes if p]), 2, processes)

    # Restrictions

    REFUSED_CALLS = ["close_range", "pidfd_open", "pidfd_send_signal", "clone3", "statx", "memfd_create"]
    RESTRICTIONS = {
        "read-only root": ["--read-only"],
        "another user": ["--user", "65534"],
        "no capabilities": ["--cap-drop", "ALL", "--security-opt", "no-new-privileges"],
        "all of them": ["--read-only", "--user", "65534:65534", "--cap-drop", "ALL", "--security-opt",
                        "no-new-privileges", "--network", "none", "--pids-limit", "8"],
    }

    def restrictions(self):
        yield from self.RESTRICTIONS.items()
        for error in (errno.EPERM, errno.ENOSYS):  # a strict profile, and an old kernel
            profile = self.folder / f"seccomp-{error}.json"
            profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
                {"names": self.REFUSED_CALLS, "action": "SCMP_ACT_ERRNO", "errnoRet": error}]}))
            yield f"system calls refused with {errno.errorcode[error]}", ["--security-opt", f"seccomp={profile}"]

    def test_restricted_containers_run_and_stop(self):
        for name, flags in self.restrictions():
            with self.subTest(restriction=name):
                ran = self.run_to_end("/workload", "outputs", 10, flags=flags).ran
                self.assertEqual((ran.returncode, ran.stdout), (0, b"0\n2\n4\n6\n8\n"), ran.stderr)
                container = self.start("/workload", "stop-itself", flags=flags, agent=["--stop-grace", "30s"])
                container.wait_for_output(b"ready\n")
                self.engine.client("stop", "-t", "30", container.name)
                self.assertEqual(container.inspect()["State"]["ExitCode"], 9)

    def test_restricted_processes_can_reopen_their_outputs(self):
        for name, flags in self.restrictions():
            with self.subTest(restriction=name):
                ran = self.run_to_end("/workload", "inspect", flags=flags).ran
                self.assertEqual(ran.stdout.decode().splitlines()[:2], ["fifo blocking reopened"] * 2)

    def test_the_process_is_the_victim_when_memory_runs_out(self):
        collector = self.ended_with_test(harness.Collector(self.folder, ingest_host=BRIDGE, flags=["--insecure"]))
        container = self.run_to_end("/workload", "exhaust-memory", flags=["-m", "16m", "--memory-swap", "16m"],
                                    agent=["--collector", collector.ingest, "--service", "victim"])
        self.assertEqual(container.ran.returncode, 137)
        self.assertTrue(container.inspect()["State"]["OOMKilled"])
        # That the agent lives on shows in what only it can do afterwards: ship the line and count the end.
        self.assertEqual(collector.text('{service="victim",output="stdout"}'), b"ready\n")
        told = harness.parse_metrics(harness.http("GET", collector.url + "/metrics/agents").text)
        self.assertEqual(harness.metric_sum(told, "dunlin_agent_last_exit_signal"), signal.SIGKILL)
        self.assertEqual(harness.metric_sum(told, "container_oom_events_total"), 1)
        self.assertEqual(harness.metric_sum(told, "container_spec_memory_limit_bytes"), 16 * 2**20)

    def test_a_process_that_runs_out_of_memory_is_started_again_and_counted(self):
        collector = self.ended_with_test(harness.Collector(self.folder, ingest_host=BRIDGE, flags=["--insecure"]))
        container = self.run_to_end("/workload", "exhaust-memory", flags=["-m", "16m", "--memory-swap", "16m"],
                                    agent=["--collector", collector.ingest, "--service", "victim", "--restart",
                                           "on-failure", "--restart-delay", "50ms", "--restart-limit", "3"])
        self.assertEqual(container.ran.returncode, 137)
        # Each of the four runs had the kernel's attention, and the agent, in the same container, outlived them all.
        self.assertEqual(collector.text('{service="victim",output="stdout"}'), b"ready\n" * 4)
        told = harness.parse_metrics(harness.http("GET", collector.url + "/metrics/agents").text)
        self.assertEqual(restarts_by_cause(told), {"oom": 3, "signal": 0, "exit": 0, "health": 0, "command": 0})
        self.assertEqual(harness.metric_sum(told, "container_oom_events_total"), 4)

    def test_a_killed_process_is_not_taken_for_one_that_ran_out_of_memory(self):
        collector = self.ended_with_test(harness.Collector(self.folder, ingest_host=BRIDGE, flags=["--insecure"]))
        container = self.run_to_end("/workload", "raise", int(signal.SIGKILL), flags=["-m", "16m"],
                                    agent=["--collector", collector.ingest, "--restart", "on-failure",
                                           "--restart-delay", "50ms", "--restart-limit", "2"])
        self.assertEqual(container.ran.returncode, 137)
        told = harness.parse_metrics(harness.http("GET", collector.url + "/metrics/agents").text)
        self.assertEqual(restarts_by_cause(told), {"oom": 0, "signal": 2, "exit": 0, "health": 0, "command": 0})

    # Ways to start

    def test_below_another_init(self):
        container = self.start("/workload", "daemons", 20, flags=["--init"], agent=["--stop-grace", "8s"])
        container.wait_for_output(b"ready\n")
        processes = self.engine.client("top", container.name, "-eo", "pid,args").stdout.decode()
        self.assertIn("docker-init", processes)
        begin = time.monotonic()
        self.engine.client("stop", "-t", "60", container.name)
        self.assertLess(time.monotonic() - begin, 30)
        self.assertEqual(container.inspect()["State"]["ExitCode"], 128 + signal.SIGTERM)

    def test_input_reaches_the_process_to_its_end(self):
        text = b"".join(b"input line %d\n" % i for i in range(20000))
        container = self.run_to_end("/workload", "copy-input", flags=["-i"], stdin=text)
        self.assertEqual(container.ran.returncode, 0)
        self.assert_same_bytes(container.ran.stdout, text + b"end of input\n", "copied input")

    def test_a_terminal_belongs_to_the_process(self):
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, 0x5414, struct.pack("HHHH", 31, 97, 0, 0))  # TIOCSWINSZ
        name = f"c{time.time_ns()}"
        self.addCleanup(self.engine.client, "rm", "-f", name)
        screen = bytearray()

        def read():
            with contextlib.suppress(OSError):  # EIO: the other side is closed
                while piece := os.read(ours, 4096):
                    screen.extend(piece)

        command = self.engine.command("run", "-it", "--name", name, IMAGE, "/dunlin-agent", "--", "/workload", "terminal")
        # A session of its own with the terminal as its controlling one, as a shell would have it.
        client = subprocess.Popen(["setsid", "--ctty", *command], stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        reader = threading.Thread(target=read)
        reader.start()
        try:
            wait_until(lambda: b"ground" in screen, "the process says what it sees", 60)
            self.assertIn(b"terminal terminal terminal foreground", screen)
            fcntl.ioctl(ours, 0x5414, struct.pack("HHHH", 40, 120, 0, 0))

            def sees_new_size():
                # The client misses a change that comes before it has begun to watch for them.
                client.send_signal(signal.SIGWINCH)
                return b"120x40" in screen

            wait_until(sees_new_size, "the process sees the new size", 60, 0.2)
            os.write(ours, b"typed\r")
            wait_until(lambda: screen.count(b"typed") == 2, "echo and copy of what was typed", 60)
            os.write(ours, b"\x04")
            self.assertEqual(client.wait(60), 0)
            self.assertIn(b"end of input", screen)
        finally:
            client.kill()
            client.wait()
            reader.join(10)
            os.close(ours)


def skip(reason):
    print(f"skipped: {reason}", flush=True)
    sys.exit(harness.SKIPPED)


def run_inside():
    set_loopback_up()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="dunlin-docker-"))
    engine = Engine(folder)
    try:
        if not engine.wait_ready():
            skip(f"the Docker engine does not start here; it said last:\n{engine.log_tail()}")
        engine.import_image()
        tried = engine.client("run", "--rm", IMAGE, "/workload", "exit", "7")  # without the agent
        if tried.returncode != 7:
            skip(f"the Docker engine runs no containers here: {tried.stderr.decode().strip()}")
        DockerTest.engine = engine
        sys.argv.remove(INSIDE)
        result = unittest.main(verbosity=2, exit=False).result
        return 0 if result.wasSuccessful() else 1
    finally:
        engine.end()
        shutil.rmtree(folder, ignore_errors=True)


def main():
    if INSIDE in sys.argv:
        return run_inside()
    if os.geteuid() != 0:
        skip("Docker needs root")
    harness.need("dockerd", "docker", "docker-init", "unshare", "setsid")
    # docker-init (tini) is what reaps what the engine leaves behind.
    namespaces = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    tried = subprocess.run([*namespaces, "true"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if tried.returncode != 0:
        skip(f"no namespaces of one's own here: {tried.stdout.decode().strip()}")
    os.execvp(namespaces[0], [*namespaces, "docker-init", "--", sys.executable, __file__, INSIDE, *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
