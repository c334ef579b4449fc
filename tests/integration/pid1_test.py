"""The agent as the first process of a PID namespace, where the kernel gives it every orphan and no default signal."""

import os
import signal
import subprocess
import sys
import time

import harness
from harness import wait_until

WORKLOAD = harness.BIN.parent / "tests/dunlin_agent_workload"
NAMESPACE = ["unshare", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]), "--pid", "--fork", "--kill-child",
             "--mount-proc"]


class Pid1Test(harness.IntegrationTest):
    def start(self, *command, flags=()):
        """Sets `running` (unshare, which ends with the agent's status) and `pid`, the agent's outside of its namespace."""
        self.output = self.folder / "output"
        with open(self.output, "wb") as output:
            self.running = self.agent([WORKLOAD, *command], flags=["--passthrough", "on", *flags], under=NAMESPACE,
                                   stdout=output)
        self.pid = wait_until(lambda: harness.children(self.running.pid), "unshare started the agent")[0][0]

    def wait_for_output(self, text):
        wait_until(lambda: text in self.output.read_bytes(), f"{text!r} in the output", 60)

    def test_a_hundred_daemons_leave_no_zombie(self):
        self.start("daemons", "100")
        self.wait_for_output(b"ready\n")
        self.running.wait_metrics(lambda m: m["dunlin_agent_orphans_reaped_total"] == 100, "100 orphans are reaped", 60)
        self.assertEqual([state for _, state in harness.children(self.pid)], ["S"])
        os.kill(self.pid, signal.SIGTERM)
        self.assertEqual(self.running.wait(), 128 + signal.SIGTERM)

    def test_a_process_in_another_session_is_told_to_end(self):
        self.start("other-session", flags=["--stop-grace", "30s"])
        self.wait_for_output(b"ready\n")
        os.kill(self.pid, signal.SIGTERM)
        self.assertEqual(self.running.wait(), 128 + signal.SIGTERM)
        self.assertEqual(self.output.read_bytes(), b"ready\nother session told to end\n")

    def test_a_second_stop_signal_ends_a_process_that_ignores_the_first(self):
        self.start("ignore-term", flags=["--stop-grace", "600s"])
        self.wait_for_output(b"ready\n")
        os.kill(self.pid, signal.SIGTERM)
        wait_until(lambda: self.running.status()["state"] == "stopping", "the agent is stopping")
        begin = time.monotonic()
        os.kill(self.pid, signal.SIGTERM)
        self.assertEqual(self.running.wait(), 128 + signal.SIGKILL)
        self.assertLess(time.monotonic() - begin, 60)


if __name__ == "__main__":
    harness.need("unshare")
    tried = subprocess.run([*NAMESPACE, "true"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if tried.returncode != 0:
        print(f"skipped: no PID namespace of one's own here: {tried.stdout.decode().strip()}")
        sys.exit(harness.SKIPPED)
    harness.main()
