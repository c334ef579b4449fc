"""A real Prometheus scrapes all three programs and finds the agent through the controller; promtool approves."""

import json
import subprocess
import urllib.parse

import harness

CONFIGURATION = """
global:
  scrape_interval: 1s
scrape_configs:
  - job_name: dunlin-collector
    static_configs: [{{targets: ['127.0.0.1:{collector}']}}]
  - job_name: dunlin-controller
    static_configs: [{{targets: ['127.0.0.1:{controller}']}}]
  - job_name: dunlin-agents-through-collector
    honor_labels: true
    metrics_path: /metrics/agents
    static_configs: [{{targets: ['127.0.0.1:{collector}']}}]
  - job_name: dunlin-agent
    http_sd_configs: [{{url: 'http://127.0.0.1:{controller}/sd/prometheus', refresh_interval: 1s}}]
"""


class PrometheusTest(harness.IntegrationTest):
    def setUp(self):
        super().setUp()
        self.logs = self.ended_with_test(harness.Collector(self.folder))
        self.controller = self.ended_with_test(harness.Controller(self.folder, self.logs))
        self.addCleanup(self.controller.stop_workloads)
        answer = self.controller.deploy("shop", {
            "command": ["sh", "-c", "while :; do echo tick; sleep 0.2; done"], "readiness": {"kind": "uptime",
                                                                                          "min_healthy": "500ms"}})
        self.assertEqual(answer.status, 202, answer.text)
        self.assertEqual(self.controller.wait_outcome(answer.json()["id"])["outcome"], "HEALTHY")

    def agent_target(self):
        groups = http_json(self.controller.url + "/sd/prometheus")
        return groups[0]["targets"][0]

    def test_promtool_accepts_all_three(self):
        for name, url in [("collector", self.logs.url), ("controller", self.controller.url),
                          ("agent", "http://" + self.agent_target())]:
            with self.subTest(program=name):
                text = harness.http("GET", url + "/metrics").body
                check = subprocess.run(["promtool", "check", "metrics"], input=text, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT)
                self.assertEqual((check.returncode, check.stdout), (0, b""))

    def test_prometheus_scrapes_all_three(self):
        port = harness.free_port()
        configuration = self.folder / "prometheus.yml"
        configuration.write_text(CONFIGURATION.format(collector=self.logs.http_port,
                                                      controller=self.controller.http_port))
        prometheus = self.ended_with_test(harness.Program(
            ["prometheus", f"--config.file={configuration}", f"--storage.tsdb.path={self.folder}/tsdb",
             f"--web.listen-address=127.0.0.1:{port}"], self.folder / "prometheus.log"))

        def value(query):
            try:
                answer = http_json(f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": query}))
            except (OSError, json.JSONDecodeError):
                return None
            result = answer["data"]["result"] if answer.get("status") == "success" else []
            return result[0] if result else None

        def is_up(job):
            return (found := value(f'up{{job="{job}"}}')) and found["value"][1] == "1"

        for job in ["dunlin-collector", "dunlin-controller", "dunlin-agents-through-collector", "dunlin-agent"]:
            harness.wait_until(lambda job=job: is_up(job), f"{job} is scraped\n{prometheus.log_tail()}", 60, 0.3)
        captured = harness.wait_until(
            lambda: value('dunlin_agent_lines_captured_total{job="dunlin-agent",output="stdout"}'),
            "the agent's own metric", 30, 0.3)
        self.assertEqual(captured["metric"]["service"], "shop")
        self.assertEqual(captured["metric"]["project"], "default")
        self.assertTrue(harness.wait_until(
            lambda: value('dunlin_agent_lines_captured_total{job="dunlin-agents-through-collector",service="shop"}')
            or value('dunlin_agent_lines_captured_total{service="shop",job!="dunlin-agent"}'),
            "the same through the collector", 40, 0.3))


def http_json(url):
    return harness.http("GET", url, timeout=5).json()


if __name__ == "__main__":
    harness.need("prometheus", "promtool")
    harness.main()
