"""The deploy loop on real programs: PENDING, then HEALTHY or FAILED, with the logs searchable."""

import os
import pathlib
import subprocess
import time

import harness


def running(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class DeployTest(harness.IntegrationTest):
    def setUp(self):
        super().setUp()
        self.logs = self.ended_with_test(harness.Collector(self.folder))
        self.controller = self.ended_with_test(harness.Controller(self.folder, self.logs))
        self.addCleanup(self.controller.stop_workloads)

    def spec(self, script, **more):
        return {"command": ["sh", "-c", script], "readiness": {"kind": "uptime", "min_healthy": "300ms"}, **more}

    def deployed(self, service, script, want="HEALTHY"):
        answer = self.controller.deploy(service, self.spec(script))
        self.assertEqual(answer.status, 202, answer.text)
        self.assertEqual(answer.json()["status"], "PENDING")
        self.assertIsNone(answer.json()["outcome"])
        self.assertEqual(answer.headers["Location"], "/deployments/" + answer.json()["id"])
        deployment = self.controller.wait_outcome(answer.json()["id"])
        self.assertEqual(deployment["outcome"], want, deployment)
        return deployment

    def pids_printed(self, service):
        return [int(line.split()[1]) for line in self.logs.text('{service="%s"}' % service).splitlines()
                if line.startswith(b"pid ")]

    def wait_pids(self, service, count):
        return harness.wait_until(lambda: len(p := self.pids_printed(service)) >= count and p,
                                  f"{count} processes of {service}", 30, 0.1)

    def test_a_deploy_becomes_healthy_and_its_logs_are_found(self):
        deployment = self.deployed("web", "echo pid $$; while :; do sleep 1; done")
        self.wait_pids("web", 1)
        stream = self.logs.query_range('{service="web"}')["result"][0]["stream"]
        self.assertEqual(stream["deployment"], deployment["id"])
        self.assertEqual(stream["project"], "default")

    def test_a_process_that_ends_at_once_fails_the_deploy_with_its_exit_code(self):
        deployment = self.deployed("broken", "echo cannot start; exit 3", want="FAILED")
        self.assertEqual(deployment["reason"]["code"], "container_exited")
        self.assertEqual(deployment["evidence"]["exit_code"], 3)

    def test_a_command_that_does_not_exist_fails_the_deploy(self):
        answer = self.controller.deploy("absent", {"command": ["/no/such/program"]})
        deployment = self.controller.wait_outcome(answer.json()["id"])
        self.assertEqual(deployment["outcome"], "FAILED")
        self.assertEqual(deployment["reason"]["code"], "exec_failed")

    def test_a_redeploy_stops_the_old_version_only_after_the_new_one_is_verified(self):
        self.deployed("web", "echo pid $$; while :; do sleep 0.1; done")
        first = self.wait_pids("web", 1)[0]
        self.deployed("web", "exit 1", want="FAILED")
        self.assertTrue(running(first))
        self.deployed("web", "echo pid $$; while :; do sleep 0.1; done")
        second = self.wait_pids("web", 2)[1]
        harness.wait_until(lambda: not running(first), "the old version has ended", 30)
        self.assertTrue(running(second))

    def test_the_controller_is_killed_and_adopts_what_runs(self):
        deployment = self.deployed("web", "echo pid $$; while :; do sleep 0.1; done")
        pid = self.wait_pids("web", 1)[0]
        self.controller.kill()
        self.assertTrue(running(pid))
        self.controller.start()
        again = self.controller.deployment(deployment["id"])
        self.assertEqual(again["outcome"], "HEALTHY")
        self.assertTrue(running(pid))
        targets = harness.http("GET", self.controller.url + "/sd/prometheus").json()
        self.assertEqual(len(targets), 1)
        self.controller.stop()
        self.assertTrue(running(pid))  # an orderly stop leaves workloads alone, too
        self.controller.start()

    def test_the_controller_is_killed_during_deploys_and_finishes_them(self):
        ids = []
        for i in range(6):
            answer = self.controller.deploy(f"svc-{i}", self.spec("echo pid $$; while :; do sleep 0.1; done"))
            self.assertEqual(answer.status, 202)
            ids.append(answer.json()["id"])
            time.sleep(0.15 * i)
            self.controller.kill()
            self.controller.start()
        for i, deployment_id in enumerate(ids):
            self.assertEqual(self.controller.wait_outcome(deployment_id, 90)["outcome"], "HEALTHY")
            pids = self.wait_pids(f"svc-{i}", 1)
            self.assertEqual(sum(running(pid) for pid in pids), 1, pids)

    def test_the_command_line_deploys_shows_and_queries(self):
        def dunlin(*arguments, **kw):
            env = {**os.environ, "DUNLIN_CONTROLLER": self.controller.url, "DUNLIN_COLLECTOR_URL": self.logs.url}
            return subprocess.run([harness.BIN / "dunlin", *arguments], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True, env=env, timeout=60, **kw)

        done = dunlin("deploy", "cli", "--min-healthy", "300ms", "--", "sh", "-c",
                      "echo hello from cli; while :; do sleep 1; done")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("HEALTHY", done.stdout)
        self.assertIn("cli", dunlin("status").stdout)
        harness.wait_until(lambda: "hello from cli" in dunlin("query", '{service="cli"}').stdout, "the line", 20, 0.2)
        self.assertIn("hello from cli", dunlin("logs", "cli").stdout)
        failed = dunlin("deploy", "bad", "--", "sh", "-c", "exit 9")
        self.assertEqual(failed.returncode, 1)
        self.assertIn("9", failed.stdout + failed.stderr)
        self.assertEqual(dunlin("--controller", "http://127.0.0.1:1", "status").returncode, 4)


if __name__ == "__main__":
    harness.main()
