"""Bad input and a hostile surrounding: a clear error each, and nothing lost."""

import os
import resource
import socket
import subprocess
import time
import unittest

import harness

PROGRAMS = ["dunlin-agent", "dunlin-collector", "dunlin-controller", "dunlin"]


def run(*arguments, env=None, timeout=30):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DUNLIN_")}
    environment.update(env or {})
    return subprocess.run([str(a) for a in arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=timeout, env=environment)


class CommandLineTest(harness.IntegrationTest):
    def test_help_and_version_work_without_any_other_flag(self):
        for program in PROGRAMS:
            with self.subTest(program=program):
                shown = run(harness.BIN / program, "--help")
                self.assertEqual((shown.returncode, shown.stderr), (0, ""))
                self.assertIn("--version", shown.stdout)
                self.assertRegex(run(harness.BIN / program, "--version").stdout, r"^%s \d+\.\d+\.\d+" % program)

    def test_an_unknown_flag_is_a_usage_error_that_names_it(self):
        for program in PROGRAMS:
            with self.subTest(program=program):
                ended = run(harness.BIN / program, "--no-such-flag")
                self.assertEqual(ended.returncode, 2, ended.stderr)
                self.assertIn("no-such-flag", ended.stderr)

    def test_an_unknown_key_in_the_configuration_is_named(self):
        configuration = self.folder / "dunlin.toml"
        configuration.write_text('retension = "30d"\n')
        for program in ["dunlin-collector", "dunlin-controller"]:
            with self.subTest(program=program):
                ended = run(harness.BIN / program, "--data", self.folder / "data", "--config", configuration)
                self.assertNotEqual(ended.returncode, 0)
                self.assertIn("retension", ended.stderr)
                self.assertIn(str(configuration), ended.stderr)

    def test_an_unreadable_configuration_is_named(self):
        missing = self.folder / "missing.toml"
        broken = self.folder / "broken.toml"
        broken.write_text("http = [\n")
        for program in ["dunlin-collector", "dunlin-controller"]:
            for configuration in [missing, broken]:
                with self.subTest(program=program, configuration=configuration.name):
                    ended = run(harness.BIN / program, "--data", self.folder / "data", "--config", configuration)
                    self.assertNotEqual(ended.returncode, 0)
                    self.assertIn(str(configuration), ended.stderr)

    def test_a_port_in_use_is_named(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            for program in ["dunlin-collector", "dunlin-controller"]:
                with self.subTest(program=program):
                    ended = run(harness.BIN / program, "--data", self.folder / program, "--http", address)
                    self.assertEqual(ended.returncode, 1)
                    self.assertIn(address, ended.stderr)
                    self.assertIn("in use", ended.stderr)

    def test_an_open_listener_without_protection_is_refused(self):
        for program, flag in [("dunlin-collector", "--http"), ("dunlin-controller", "--http")]:
            with self.subTest(program=program):
                ended = run(harness.BIN / program, "--data", self.folder / program, flag, "0.0.0.0:0")
                self.assertNotEqual(ended.returncode, 0)
                self.assertIn("--insecure", ended.stderr)

    def test_a_command_that_does_not_exist_ends_the_agent_with_127(self):
        agent = self.agent(["/no/such/program"])
        self.assertEqual(agent.wait(), 127)
        self.assertIn("/no/such/program", agent.log_text())


class CollectorTest(harness.IntegrationTest):
    def setUp(self):
        super().setUp()
        self.collector = self.ended_with_test(harness.Collector(self.folder))

    def push(self, body, **kw):
        return harness.http("POST", self.collector.url + "/loki/api/v1/push", body=body, **kw)

    def test_a_data_folder_in_use_is_refused_and_named(self):
        ended = run(harness.BIN / "dunlin-collector", "--data", self.collector.data, "--http", "127.0.0.1:0",
                    "--ingest", "127.0.0.1:0")
        self.assertEqual(ended.returncode, 1)
        self.assertIn(str(self.collector.data), ended.stderr)
        self.assertIn(str(self.collector.pid), ended.stderr)
        self.assertTrue(self.collector.running())

    def test_garbage_on_the_ingest_port_harms_nobody(self):
        for garbage in [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", os.urandom(100_000), b"DUNLIN\x01\n" + os.urandom(5000),
                        b"\0" * 70_000, b""]:
            with socket.create_connection(("127.0.0.1", self.collector.ingest_port), timeout=10) as peer:
                try:
                    peer.sendall(garbage)
                    peer.shutdown(socket.SHUT_WR)
                    while peer.recv(4096):
                        pass
                except OSError:
                    pass  # closed on us, as it should
        agent = self.agent(["echo", "still here"], self.collector.ingest)
        self.assertEqual(agent.wait(), 0)
        self.assertEqual(self.collector.text('{service="test"}'), b"still here\n")

    def test_a_malformed_push_is_refused_and_says_why(self):
        now = str(time.time_ns())
        for body in [b"", b"{", b"[]", b'{"streams": 5}', b'{"streams": [{"stream": {"a": "b"}, "values": [["x", "y"]]}]}',
                     b'{"streams": [{"stream": {"a": "b"}, "values": [["' + now.encode() + b'"]]}]}', b"\xff\xfe"]:
            with self.subTest(body=body):
                answer = self.push(body)
                self.assertEqual(answer.status, 400)
                self.assertNotEqual(answer.text.strip(), "")
        good = {"streams": [{"stream": {"job": "push"}, "values": [[now, "hello"]]}]}
        self.assertEqual(self.push(good).status, 204)
        self.assertEqual(self.push(good).status, 204)  # a retry is stored once
        self.assertEqual(self.collector.text('{job="push"}'), b"hello\n")

    def test_a_malformed_query_is_refused_with_its_position(self):
        for query in ['{service="x"', '{service="x"} |= ', "{}", '{service=~"("}', "count_over_time({service=\"x\"}[5])"]:
            with self.subTest(query=query):
                url = self.collector.url + "/loki/api/v1/query_range?query=" + harness.urllib.parse.quote(query)
                answer = harness.http("GET", url)
                self.assertEqual(answer.status, 400)
                self.assertIn("parse error", answer.text)

    def test_unknown_paths_are_404_and_methods_405(self):
        self.assertEqual(harness.http("GET", self.collector.url + "/loki/api/v1/nothing").status, 404)
        self.assertEqual(harness.http("DELETE", self.collector.url + "/loki/api/v1/push").status, 405)


class FullDiskTest(harness.IntegrationTest):
    @unittest.skipUnless(os.geteuid() == 0, "mounting a small file system needs root")
    def test_a_full_disk_refuses_writes_keeps_reads_and_loses_nothing(self):
        disk = self.folder / "disk"
        disk.mkdir()
        mounted = run("mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", disk)
        if mounted.returncode != 0:
            self.skipTest("cannot mount: " + mounted.stderr.strip())
        self.addCleanup(run, "umount", "-l", disk)
        collector = self.ended_with_test(harness.Collector(disk, flags=["--min-free", "4MiB"]))
        first = self.agent(["echo", "before"], collector.ingest, service="before")
        self.assertEqual(first.wait(), 0)

        ballast = disk / "ballast"
        with open(ballast, "wb") as file:
            try:
                while True:
                    file.write(b"\1" * 65536)
                    file.flush()
            except OSError:
                pass  # full
        harness.wait_until(lambda: collector_refuses(collector), "a push is refused", 30, 0.2)
        waiting = self.agent(["sh", "-c", "echo during; exec sleep 60"], collector.ingest, service="during",
                             flags=["--batch-age", "100ms"])
        waiting.wait_metrics(lambda m: m["dunlin_agent_rate_limited_total"] > 0 and m["dunlin_agent_lines_queued"] == 1,
                             "the agent is asked to wait with its line")
        self.assertEqual(waiting.metrics()["dunlin_agent_connected"], 1)
        self.assertEqual(collector.text('{service="before"}'), b"before\n")
        self.assertEqual(collector.text('{service="during"}'), b"")
        self.assertEqual(waiting.metrics()["dunlin_agent_lines_queued"], 1)

        ballast.unlink()
        harness.wait_until(lambda: collector.text('{service="during"}') == b"during\n", "the waiting line arrives", 40, 0.2)
        self.assertEqual(harness.metric_sum(waiting.metrics(), "dunlin_agent_lines_dropped_total"), 0)


    def test_a_file_size_limit_is_a_full_disk_and_not_the_end(self):
        """Real short writes, and the signal that comes with them."""
        collector = self.ended_with_test(harness.Collector(self.folder))
        first = self.agent(["echo", "before"], collector.ingest, service="before")
        self.assertEqual(first.wait(), 0)
        unlimited = resource.prlimit(collector.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(collector.pid, resource.RLIMIT_FSIZE, (100_000, unlimited[1]))
        harness.wait_until(lambda: collector_refuses(collector), "a push is refused", 30, 0.2)
        self.assertEqual(collector.text('{service="before"}'), b"before\n")
        self.assertGreater(collector.metrics()["dunlin_store_wal_failures_total"], 0)
        waiting = self.agent(["sh", "-c", "echo during; exec sleep 100"], collector.ingest, service="during",
                             flags=["--batch-age", "100ms"])
        waiting.wait_metrics(lambda m: m["dunlin_agent_lines_queued"] == 1, "the agent keeps its line")
        resource.prlimit(collector.pid, resource.RLIMIT_FSIZE, unlimited)
        harness.wait_until(lambda: collector.text('{service="during"}') == b"during\n", "the waiting line arrives", 90, 0.5)
        self.assertTrue(collector.running())


def collector_refuses(collector):
    body = {"streams": [{"stream": {"job": "probe"}, "values": [[str(time.time_ns()), "x" * 200_000]]}]}
    answer = harness.http("POST", collector.url + "/loki/api/v1/push", body=body)
    return answer.status in (429, 503) and "Retry-After" in answer.headers


class ControllerTest(harness.IntegrationTest):
    def setUp(self):
        super().setUp()
        self.controller = self.ended_with_test(harness.Controller(self.folder))
        self.addCleanup(self.controller.stop_workloads)

    def test_an_unknown_service_is_404(self):
        answer = self.controller.deploy("nobody", None)
        self.assertEqual(answer.status, 404)
        self.assertEqual(answer.json()["code"], "service_not_found")
        self.assertEqual(harness.http("GET", self.controller.url + "/deployments/dpl_nothing").status, 404)

    def test_a_malformed_spec_is_422_and_names_the_field(self):
        for spec, field in [({"command": ["true"], "enviroment": {}}, "enviroment"), ({"command": "true"}, "command"),
                            ({"command": ["true"], "env": {"1X": "y"}}, "env")]:
            with self.subTest(spec=spec):
                answer = self.controller.deploy("web", spec)
                self.assertEqual(answer.status, 422, answer.text)
                self.assertIn(field, answer.text)

    def test_a_data_folder_in_use_is_refused_and_named(self):
        ended = run(harness.BIN / "dunlin-controller", "--data", self.controller.data, "--http", "127.0.0.1:0")
        self.assertEqual(ended.returncode, 1)
        self.assertIn(str(self.controller.data), ended.stderr)


if __name__ == "__main__":
    harness.main()
