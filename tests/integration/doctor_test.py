"""dunlin doctor on real programs: where lines are and why they are not moving."""

import json
import os
import subprocess

import harness
from harness import wait_until

TALKER = ["sh", "-c", "while :; do echo a line of the log; sleep 0.05; done"]


class DoctorTest(harness.IntegrationTest):
    def doctor(self, agent, collector_url, *flags):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("DUNLIN_")}
        return subprocess.run(
            [harness.BIN / "dunlin", "doctor", "--agent", agent.listen, "--collector", collector_url, *map(str, flags)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60,
            env=environment)

    def problems(self, agent, collector_url, *flags):
        """Codes of the problems found; the exit status has to agree with them."""
        ended = self.doctor(agent, collector_url, "--json", *flags)
        self.assertIn(ended.returncode, (0, 1), ended.stderr)
        found = json.loads(ended.stdout)
        problems = {f["code"]: f for f in found["findings"] if f["weight"] == "problem"}
        self.assertEqual(found["healthy"], not problems)
        self.assertEqual(ended.returncode, 1 if problems else 0)
        for finding in problems.values():
            self.assertTrue(finding["cure"], finding)
        return problems

    def wait_for(self, agent, collector_url, codes, *flags):
        """Until exactly these problems are found."""
        latest = {}

        def found():
            nonlocal latest
            latest = self.problems(agent, collector_url, *flags)
            return set(latest) == set(codes)

        try:
            wait_until(found, f"problems {sorted(codes)}", timeout=60, interval=0.2)
        except AssertionError as error:
            raise AssertionError(f"{error}; the latest were {latest}") from error
        return latest

    def test_healthy(self):
        collector = self.collector()
        agent = self.agent(TALKER, collector.ingest)
        agent.wait_metrics(lambda m: m["dunlin_agent_lines_acknowledged_total"] > 0, "acknowledged lines")
        self.wait_for(agent, collector.url, [])
        ended = self.doctor(agent, collector.url)
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
        self.assertIn("no problems", ended.stdout)
        self.assertRegex(ended.stdout, r"captured = \d+ acknowledged \+ \d+ queued \+ \d+ spooled \+ \d+ dropped")
        self.assertIn(f"to {collector.ingest} since ", ended.stdout)
        self.assertLessEqual(len(ended.stdout.splitlines()), 24)

    def test_collector_down(self):
        collector = self.collector()
        agent = self.agent(TALKER, collector.ingest)
        agent.wait_metrics(lambda m: m["dunlin_agent_lines_acknowledged_total"] > 0, "acknowledged lines")
        collector.kill()
        found = self.wait_for(agent, collector.url, ["not_connected_connect", "collector_unreachable"])
        self.assertIn("refused", found["not_connected_connect"]["message"])
        ended = self.doctor(agent, collector.url)
        self.assertEqual(ended.returncode, 1)
        self.assertIn("PROBLEM  the agent is not connected (connect)", ended.stdout)
        collector.start()
        self.wait_for(agent, collector.url, [])

    def test_collector_with_a_full_disk(self):
        collector = self.collector(flags=["--min-free", "1000TiB"])
        agent = self.agent(TALKER, collector.ingest)
        says_why = "dunlin_store_disk_full" in collector.metrics()
        full = "collector_disk_full" if says_why else "collector_read_only"
        found = self.wait_for(agent, collector.url, ["slow_down", full])
        self.assertIn("--min-free", found[full]["cure"])

    def test_wrong_token(self):
        right, wrong = self.folder / "right", self.folder / "wrong"
        right.write_text("the-token-of-this-collector\n")
        wrong.write_text("another-token\n")
        collector = self.collector(flags=["--token-file", right])
        agent = self.agent(TALKER, collector.ingest, flags=["--token-file", wrong])
        # On loopback anybody may read an agent's status, but not a collector's metrics.
        self.wait_for(agent, collector.url, ["not_connected_refused", "collector_refuses_us"])
        found = self.wait_for(agent, collector.url, ["not_connected_refused"], "--token-file", right)
        self.assertIn("--token-file", found["not_connected_refused"]["cure"])

    def test_nobody_there(self):
        collector = self.collector()
        agent = self.agent(["sleep", "1000"], collector.ingest)
        agent.wait_metrics(lambda m: m["dunlin_agent_connected"] == 1, "connected")
        agent.kill()
        self.wait_for(agent, collector.url, ["agent_unreachable"])

    def test_wrong_usage(self):
        collector = self.collector()
        agent = self.agent(["sleep", "1000"], collector.ingest)
        for flags in [["--nonsense"], ["--token-file", "/nowhere/token"], ["--tls-cert", "x"]]:
            with self.subTest(flags=flags):
                ended = self.doctor(agent, collector.url, *flags)
                self.assertEqual(ended.returncode, 2, ended.stdout + ended.stderr)
                self.assertEqual(ended.stdout, "")


if __name__ == "__main__":
    harness.main()
