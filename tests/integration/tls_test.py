"""TLS between real programs, with certificates of dunlin cert: who is believed, who is refused, and what people are told."""

import json
import os
import ssl
import subprocess
import urllib.request

import harness
from harness import BIN, free_port, wait_until

TALKER = ["sh", "-c", "while :; do echo a line of the log; sleep 0.05; done"]


def dunlin(*arguments):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DUNLIN_")}
    return subprocess.run([BIN / "dunlin", *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=60, env=environment)


class Certificates:
    """A CA in a folder, and what it signs."""

    def __init__(self, folder):
        self.folder = folder
        self.run("init")

    def run(self, *arguments):
        ended = dunlin("cert", *arguments, "--dir", self.folder)
        if ended.returncode != 0:
            raise AssertionError(f"dunlin cert {arguments}: {ended.stdout}{ended.stderr}")

    @property
    def ca(self):
        return self.folder / "ca.pem"

    def own(self, name):
        return ["--tls-cert", self.folder / f"{name}.pem", "--tls-key", self.folder / f"{name}.key"]

    def client(self, name):
        return ["--tls-ca", self.ca, *self.own(name)]


class TlsTest(harness.IntegrationTest):
    def setUp(self):
        super().setUp()
        self.certificates = Certificates(self.folder / "certs")
        for issued in (["collector", "logs"], ["agent", "web"], ["controller", "ops"], ["metrics", "prometheus"]):
            self.certificates.run("issue", *issued)
        self.http_port, self.ingest_port = free_port(), free_port()
        self.url = f"https://127.0.0.1:{self.http_port}"
        self.ingest = f"127.0.0.1:{self.ingest_port}"

    def start_collector(self, *flags):
        collector = self.ended_with_test(harness.Program(
            [BIN / "dunlin-collector", "--data", self.folder / "collector", "--http", f"127.0.0.1:{self.http_port}",
             "--ingest", self.ingest, *self.certificates.own("logs"), *flags], self.folder / "collector.log"))
        trust = ssl.create_default_context(cafile=self.certificates.ca)

        def ready():
            self.assertTrue(collector.running(), collector.log_tail())
            try:
                with urllib.request.urlopen(self.url + "/readyz", timeout=5, context=trust) as answer:
                    return answer.status == 200
            except OSError:
                return False

        wait_until(ready, "collector ready", 60)
        return collector

    def start_agent(self, *flags):
        agent = self.agent(TALKER, self.ingest, service="web", flags=flags or self.certificates.client("web"))
        agent.url = f"https://{agent.listen}"
        return agent

    def wait_for_lines(self, *flags):
        wait_until(lambda: "a line of the log" in self.query(*flags).stdout, "lines", 30, 0.1)

    def labels(self, name):
        """As a Grafana would ask, with that certificate."""
        context = ssl.create_default_context(cafile=self.certificates.ca)
        context.load_cert_chain(*self.certificates.own(name)[1::2])
        with urllib.request.urlopen(self.url + "/loki/api/v1/labels", timeout=30, context=context) as answer:
            return json.loads(answer.read())["data"]

    def query(self, *flags):
        return dunlin("query", '{service="web"}', "--limit", "1", "--collector-url", self.url, *flags)

    def doctor(self, agent, *flags):
        """Codes of what is found, by weight."""
        ended = dunlin("doctor", "--json", "--agent", agent.url, "--collector", self.url, *flags)
        self.assertIn(ended.returncode, (0, 1), ended.stderr)
        found = json.loads(ended.stdout)["findings"]
        return {weight: {f["code"]: f for f in found if f["weight"] == weight} for weight in ("problem", "note")}

    def wait_for_doctor(self, agent, flags, condition, what):
        latest = {}

        def found():
            nonlocal latest
            latest = self.doctor(agent, *flags)
            return condition(latest)

        try:
            wait_until(found, what, 30, 0.1)
        except AssertionError as error:
            raise AssertionError(f"{error}; the latest were {latest}\n{agent.log_tail()}") from error
        return latest

    def test_who_may_ask_a_collector_that_knows_its_clients(self):
        self.start_collector("--tls-client-ca", self.certificates.ca)
        agent = self.start_agent()
        operator = self.certificates.client("ops")
        self.wait_for_lines(*operator)
        self.assertIn("service", self.labels("ops"))
        self.wait_for_doctor(agent, operator, lambda found: not found["problem"], "no problems")
        # Reading metrics and status is all that a doctor needs.
        reader = self.certificates.client("prometheus")
        self.assertEqual(self.doctor(agent, *reader)["problem"], {})

        refused = self.query(*reader)
        self.assertEqual(refused.returncode, 5, refused.stdout + refused.stderr)
        nobody = self.query("--tls-ca", self.certificates.ca)
        self.assertEqual(nobody.returncode, 5, nobody.stdout + nobody.stderr)
        found = self.doctor(agent, "--tls-ca", self.certificates.ca)["problem"]
        self.assertEqual(set(found), {"agent_refuses_us", "collector_refuses_us"})
        self.assertIn("--tls-cert", found["agent_refuses_us"]["cure"])

        # A certificate of somebody else's is worse than none.
        others = Certificates(self.folder / "others")
        others.run("issue", "controller", "ops")
        stranger = self.query("--tls-ca", self.certificates.ca, *others.own("ops"))
        self.assertEqual(stranger.returncode, 4, stranger.stdout + stranger.stderr)

    def test_a_collector_that_another_ca_has_signed_is_not_asked(self):
        self.start_collector()
        agent = self.start_agent()
        self.wait_for_lines("--tls-ca", self.certificates.ca)
        others = Certificates(self.folder / "others")
        for flags in (["--tls-ca", others.ca], []):
            with self.subTest(flags=flags):
                ended = self.query(*flags)
                self.assertEqual(ended.returncode, 4, ended.stdout + ended.stderr)
                self.assertEqual(ended.stdout, "")
                self.assertIn("certificate", ended.stderr)
        self.assertEqual(set(self.doctor(agent, "--tls-ca", others.ca)["problem"]),
                         {"agent_unreachable", "collector_unreachable"})
        plain = dunlin("query", '{service="web"}', "--collector-url", self.url.replace("https", "http"))
        self.assertEqual(plain.returncode, 4, plain.stdout + plain.stderr)

    def test_what_is_wrong_between_agent_and_collector_is_told_with_its_cure(self):
        self.certificates.run("issue", "agent", "late", "--valid", "3d")
        self.start_collector("--tls-client-ca", self.certificates.ca)
        operator = self.certificates.client("ops")
        agent = self.start_agent(*self.certificates.client("late"))
        found = self.wait_for_doctor(agent, operator, lambda f: not f["problem"] and f["note"], "an end that is near")
        self.assertEqual(set(found["note"]), {"agent_certificate_expires"})
        self.assertIn("dunlin cert renew", found["note"]["agent_certificate_expires"]["cure"])
        self.certificates.run("renew", "late", "--valid", "30d")
        self.wait_for_doctor(agent, operator, lambda f: not f["problem"] and not f["note"], "nothing left to say")
        agent.kill()

        # A collector's certificate in an agent's hands: the collector refuses it.
        agent = self.start_agent(*self.certificates.client("logs"))
        found = self.wait_for_doctor(agent, operator, lambda f: "not_connected_tls" in f["problem"], "no TLS")
        self.assertIn("role agent", found["problem"]["not_connected_tls"]["cure"])

    def test_an_agent_with_a_certificate_and_no_ca_does_not_send_in_the_clear(self):
        agent = harness.Program(
            [BIN / "dunlin-agent", "--collector", self.ingest, *self.certificates.own("web"), "--", *TALKER],
            self.folder / "agent.log")
        self.assertEqual(agent.wait(20), 2)
        self.assertIn("--tls-ca", agent.log_text())

    def test_a_controller_deploys_agents_that_obey_nobody_else(self):
        self.certificates.run("issue", "agent", "all", "--project", "*")
        self.start_collector("--tls-client-ca", self.certificates.ca)
        all_files = [*self.certificates.client("ops"), "--agent-tls-cert", self.certificates.folder / "all.pem",
                     "--agent-tls-key", self.certificates.folder / "all.key"]
        for missing in range(0, len(all_files), 2):
            flags = all_files[:missing] + all_files[missing + 2:]
            refused = harness.Program([BIN / "dunlin-controller", "--data", self.folder / "none", *flags],
                                      self.folder / "refused.log")
            self.assertEqual(refused.wait(20), 2)
            self.assertIn(all_files[missing], refused.log_text())
        controller = self.ended_with_test(
            harness.Controller(self.folder, flags=[*all_files, "--collector", self.ingest]))
        self.addCleanup(controller.stop_workloads)
        answer = controller.deploy("web", {"command": TALKER,
                                           "readiness": {"kind": "uptime", "min_healthy": "300ms"}})
        self.assertEqual(answer.status, 202, answer.text)
        deployment = controller.wait_outcome(answer.json()["id"])
        self.assertEqual(deployment["outcome"], "HEALTHY", deployment)
        self.wait_for_lines(*self.certificates.client("ops"))
        target = harness.http("GET", controller.url + "/sd/prometheus").json()[0]
        self.assertEqual(target["labels"]["__scheme__"], "https")
        with self.assertRaises(OSError):
            harness.http("GET", f"http://{target['targets'][0]}/healthz", timeout=10)


if __name__ == "__main__":
    harness.main()
