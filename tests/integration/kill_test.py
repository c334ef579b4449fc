"""kill -9 of the collector and of the connection, again and again while lines pass: each line exactly once."""

import os
import random

import harness
from relay import Relay

KILLS = 20
CUTS = 20
MEGABYTES = int(os.environ.get("DUNLIN_KILL_TEST_MB", "200"))


class KillTest(harness.IntegrationTest):
    def test_every_line_is_there_exactly_once_after_kills_and_cuts(self):
        seed = int(os.environ.get("DUNLIN_SEED", "0")) or random.randrange(2**32)
        print(f"DUNLIN_SEED={seed}")
        chance = random.Random(seed)
        collector = self.ended_with_test(harness.Collector(self.folder))
        relay = Relay(collector.ingest_port)
        self.addCleanup(relay.close)
        text = harness.large_corpus(MEGABYTES * 1_000_000)

        # The process prints what comes through a FIFO, so that each blow falls between two known portions while
        # the earlier one is on its way.
        fifo = self.folder / "input"
        os.mkfifo(fifo)
        agent = self.agent(["cat", fifo], relay.address, service="victim", flags=["--when-full", "block"])
        blows = ["kill"] * KILLS + ["cut"] * CUTS
        chance.shuffle(blows)
        bounds = sorted(chance.randrange(len(text)) for _ in blows)
        done = 0
        cut_connections = 0
        with open(fifo, "wb", buffering=0) as pipe:
            for blow, bound in zip(blows, bounds):
                passed = relay.passed
                write_all(pipe, text[done:bound])
                done = bound
                harness.wait_until(lambda: relay.passed > passed or relay.open(), "the agent is connected", 40)
                if blow == "kill":
                    collector.kill()
                    collector.start()
                else:
                    cut_connections += relay.cut() > 0
            write_all(pipe, text[done:])
        self.assertEqual(agent.wait(120), 0, agent.log_tail())
        self.assertGreater(cut_connections, CUTS // 2)

        self.assert_same_bytes(collector.text('{service="victim"}'), text, "text after kills and cuts")
        self.assertEqual(collector.count('{service="victim"}'), text.count(b"\n"))
        # The same again from what is on disk.
        collector.kill()
        collector.start()
        self.assertEqual(collector.count('{service="victim"}'), text.count(b"\n"))


def write_all(pipe, data):
    view = memoryview(data)
    while view:
        view = view[pipe.write(view[:65536]):]


if __name__ == "__main__":
    harness.main()
