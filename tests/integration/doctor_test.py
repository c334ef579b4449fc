"""dunlin doctor on real programs: where lines are and why they are not moving."""

import contextlib
import errno
import json
import os
import subprocess

import harness
import small_disk
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

    def test_spool_on_a_full_disk(self):
        try:
            disk = small_disk.SmallDisk(self.folder / "disk", 2**20)
        except small_disk.NotAllowed as reason:
            self.skipTest(f"no small disk here: {reason}")
        self.addCleanup(disk.unmount)
        collector = self.collector()
        agent = self.agent(TALKER, collector.ingest, flags=["--spool", disk.folder])
        agent.wait_metrics(lambda m: m["dunlin_agent_lines_acknowledged_total"] > 0, "acknowledged lines")
        self.assertEqual(agent.status()["spool"]["state"], "works")
        disk.fill()
        self.wait_for(agent, collector.url, ["spool_disk_full"])
        spool = agent.status()["spool"]
        self.assertEqual((spool["folder"], spool["state"], spool["last_error"]["errno"]),
                         (str(disk.folder), "failing", errno.ENOSPC))
        ended = self.doctor(agent, collector.url)
        self.assertIn("No space left on device", ended.stdout)
        self.assertRegex(ended.stdout, r"  spool    .* of 256MiB in .*; failing for ")
        disk.free_again()
        self.wait_for(agent, collector.url, [])

    def test_spool_that_is_not_a_folder(self):
        (self.folder / "spool").write_text("a file")
        collector = self.collector()
        agent = self.agent(TALKER, collector.ingest, flags=["--spool", self.folder / "spool"])
        found = self.wait_for(agent, collector.url, ["spool_not_writable", "adopted_unusable"])
        self.assertIn("File exists", found["spool_not_writable"]["message"])

    def test_spool_on_a_disk_that_is_not_for_writing(self):
        try:
            disk = small_disk.SmallDisk(self.folder / "disk", 2**20)
        except small_disk.NotAllowed as reason:
            self.skipTest(f"no small disk here: {reason}")
        self.addCleanup(disk.unmount)
        disk.forbid_writing()
        collector = self.collector()
        agent = self.agent(TALKER, collector.ingest, flags=["--spool", disk.folder])
        found = self.wait_for(agent, collector.url, ["spool_not_writable"])
        self.assertIn("Read-only file system", found["spool_not_writable"]["message"])

    def test_lines_left_behind(self):
        collector = self.collector()
        collector.kill()
        flags = ["--spool", self.folder / "spool", "--container", "c"]
        first = self.agent(TALKER, collector.ingest, service="first", flags=flags)
        first.wait_metrics(lambda m: m["dunlin_agent_lines_spooled"] > 0, "lines on disk")
        second = self.agent(["sleep", "1000"], collector.ingest, service="second", flags=flags)
        second.wait_metrics(lambda m: m["dunlin_agent_process_up"] == 1, "the process runs")
        wait_until(lambda: second.status()["adopted"]["held_spools"] == 1, "it sees the other's spool")
        found = json.loads(self.doctor(second, collector.url, "--json").stdout)
        self.assertIn("adopted_held", [f["code"] for f in found["findings"] if f["weight"] == "note"])
        left = first.status()["delivery"]["spooled"]
        first.kill()
        third = self.agent(["sleep", "1000"], collector.ingest, service="third", flags=flags)
        third.wait_metrics(lambda m: m["dunlin_agent_process_up"] == 1, "the process runs")
        adopted = wait_until(lambda: (a := third.status()["adopted"])["current"] and a, "it takes over what was left")
        self.assertGreaterEqual(adopted["current"]["lines"], left)
        self.assertEqual(adopted["current"]["spool"].split("/")[0], "c")
        self.assertIn(" being sent", self.doctor(third, collector.url).stdout)
        collector.start()
        wait_until(lambda: third.status()["adopted"]["finished_spools"] == 1, "it delivers them")
        self.assertGreaterEqual(collector.count('{service="first"}'), left)
        self.assertEqual(third.status()["adopted"]["acknowledged"], collector.count('{service="first"}'))
        self.assertIn(" lines delivered", self.doctor(third, collector.url).stdout)

    def test_wrong_usage(self):
        collector = self.collector()
        agent = self.agent(["sleep", "1000"], collector.ingest)
        for flags in [["--nonsense"], ["--token-file", "/nowhere/token"], ["--tls-cert", "x"]]:
            with self.subTest(flags=flags):
                ended = self.doctor(agent, collector.url, *flags)
                self.assertEqual(ended.returncode, 2, ended.stdout + ended.stderr)
                self.assertEqual(ended.stdout, "")


if __name__ == "__main__":
    harness.contain()
    with contextlib.suppress(small_disk.NotAllowed):  # the tests that need it say so
        small_disk.enter_namespace()
    harness.main()
