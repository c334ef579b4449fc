"""The agent where there is nothing: a root folder with it and one program, without /proc, /dev, /etc and /tmp, as a user
without rights that no file knows."""

import ctypes
import os
import shutil
import sys

import harness

WORKLOAD = harness.BIN.parent / "tests/dunlin_agent_workload"
USER = 10001
PR_SET_NO_NEW_PRIVS = 38
FROM_PROC = ["process_resident_memory_bytes", "process_open_fds"]


class EmptyRootTest(harness.IntegrationTest):
    def setUp(self):
        super().setUp()
        self.root = self.folder / "root"
        self.root.mkdir()
        shutil.copy(harness.BIN / "dunlin-agent", self.root)
        shutil.copy(WORKLOAD, self.root / "workload")
        self.folder.chmod(0o755)
        self.libc = ctypes.CDLL(None)  # loaded before the fork

    def enter(self):
        os.chroot(self.root)
        os.chdir("/")
        self.libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        os.setgroups([])
        os.setgid(USER)
        os.setuid(USER)

    def start(self, *command, collector=None, **kw):
        return self.agent(["/workload", *command], collector, binary="/dunlin-agent", preexec_fn=self.enter, env={}, **kw)

    def test_the_process_runs_and_ends_with_its_code(self):
        for code in (0, 42):
            self.assertEqual(self.start("exit", str(code)).wait(), code)

    def test_lines_are_shipped(self):
        collector = self.collector()
        for host in ("127.0.0.1", "localhost"):
            with self.subTest(host=host):
                agent = self.start("lines", "1000", collector=f"{host}:{collector.ingest_port}", service=host)
                self.assertEqual(agent.wait(), 0, agent.log_tail())
                self.assertEqual(collector.text('{service="%s"}' % host),
                                 b"".join(b"line %d of some length\n" % i for i in range(1000)))

    def test_a_name_that_nothing_resolves_is_counted_and_holds_nothing_up(self):
        agent = self.start("wait", collector="collector.invalid:1")
        agent.wait_metrics(lambda m: m['dunlin_agent_send_errors_total{kind="dns"}'] >= 1, "the error is counted", 60)
        self.assertEqual(agent.stop(), 128 + 15)

    def test_what_is_not_known_is_absent(self):
        agent = self.start("wait")
        values = agent.wait_metrics(lambda m: m["dunlin_agent_process_up"] == 1, "the process runs")
        self.assertEqual([name for name in FROM_PROC if name in values], [])
        self.assertEqual([name for name in values if name.startswith("container_")], [])
        self.assertEqual(agent.stop(), 128 + 15)

    def test_standard_descriptors_may_be_closed(self):
        def enter_without_descriptors():
            self.enter()
            for fd in (0, 1, 2):
                os.close(fd)

        collector = self.collector()
        agent = self.agent(["/workload", "lines", "3"], collector.ingest, binary="/dunlin-agent", env={},
                           preexec_fn=enter_without_descriptors, flags=["--passthrough", "on"])
        self.assertEqual(agent.wait(), 0)
        self.assertEqual(collector.count('{service="test"}'), 3)


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("skipped: chroot needs root")
        sys.exit(harness.SKIPPED)
    harness.main()
