"""What the agent keeps resident. The benchmark looks at it under load."""

import harness

IDLE_BUDGET = 3 * 1024 * 1024


class MemoryTest(harness.IntegrationTest):
    def test_an_idle_agent_stays_within_its_budget(self):
        agent = self.agent(["sh", "-c", "echo up; exec sleep 600"])
        agent.wait_metrics(lambda m: m['dunlin_agent_lines_captured_total{output="stdout"}'] == 1, "it has read the line")
        peak = agent.peak_memory()
        self.assertGreater(peak, 0)
        self.assertLessEqual(peak, IDLE_BUDGET, agent.log_tail())
        self.assertEqual(agent.stop(), 128 + 15)


if __name__ == "__main__":
    harness.main()
