"""What a process prints is what a search answers: byte for byte, complete and in order."""

import os
import subprocess

import harness

UNUSUAL = [
    ("nul", b"before\0after\n\0\0\n"),
    ("invalid-utf-8", b"\xff\xfe\xc0\x80 and \xed\xa0\x80 surrogate\n\xe2\x82\n"),
    ("carriage-returns", b"one\r\ntwo\rthree\r\r\n\r\n"),
    ("empty-lines", b"\n\n\nafter three empty lines\n\n"),
    ("escapes", b"\x1b[31mred\x1b[0m \x07 \x08 \x7f\ttab \"quoted\" back\\slash\n"),
    ("no-last-newline", b"first\nlast without newline"),
    ("only-one-byte", b"x"),
    ("nothing", b""),
    ("long-line", b"begin " + b"0123456789abcdef" * 16000 + b" end\n"),
]


class CaptureTest(harness.IntegrationTest):
    def fetched(self, name, text, flags=()):
        """What comes back after a supervised cat has printed `text`."""
        source = self.folder / f"{name}.txt"
        source.write_bytes(text)
        # What waits when cat has ended is given up after the grace, which a busy machine may well need.
        agent = self.agent(["cat", source], self.collector.ingest, service=name,
                           flags=["--when-full", "block", "--stop-grace", "100s", *flags])
        self.assertEqual(agent.wait(120), 0, agent.log_tail())
        return self.collector.text('{service="%s"}' % name)

    def setUp(self):
        super().setUp()
        self.collector = self.ended_with_test(harness.Collector(self.folder))

    def test_real_logs_arrive_byte_for_byte(self):
        samples = harness.corpus_samples()
        if not samples:
            self.skipTest(f"no log samples in {harness.CORPUS}")
        for name, text in samples:
            with self.subTest(sample=name):
                want = text if text.endswith(b"\n") else text + b"\n"
                self.assert_same_bytes(self.fetched(name.split(".")[0], text), want, name)

    def test_unusual_bytes_arrive_unchanged(self):
        for name, text in UNUSUAL:
            with self.subTest(case=name):
                want = text if text.endswith(b"\n") or not text else text + b"\n"
                self.assert_same_bytes(self.fetched(name, text), want, name)

    def test_unusual_bytes_survive_the_disk(self):
        for name, text in UNUSUAL:
            self.fetched(name, text)
        self.collector.stop()
        self.collector.start()
        for name, text in UNUSUAL:
            with self.subTest(case=name):
                want = text if text.endswith(b"\n") or not text else text + b"\n"
                self.assert_same_bytes(self.collector.text('{service="%s"}' % name), want, name)

    def test_a_line_of_one_mebibyte_arrives_as_fragments_that_join(self):
        line = b"".join(b"%015d," % i for i in range(2**16))
        self.assertEqual(len(line), 2**20)
        self.fetched("mebibyte", line + b"\n")
        data = self.collector.query_range('{service="mebibyte"}', {"X-Dunlin-Line-Encoding": "base64",
                                          "X-Loki-Response-Encoding-Flags": "categorize-labels"}, direction="forward")
        values = sorted((v for s in data["result"] for v in s["values"]), key=lambda v: int(v[0]))
        metadata = [v[2]["structuredMetadata"] for v in values]
        self.assertEqual(b"".join(harness.base64.b64decode(v[1]) for v in values), line)
        self.assertEqual(len({m["fragment_id"] for m in metadata}), 1)
        self.assertEqual([int(m["fragment_index"]) for m in metadata], list(range(len(values))))
        self.assertEqual([i for i, m in enumerate(metadata) if m.get("fragment_last")], [len(values) - 1])

    def test_a_line_over_the_hard_limit_is_cut_and_says_so(self):
        self.fetched("cut", b"a" * (5 * 2**20) + b"\nnext line\n")
        data = self.collector.query_range('{service="cut"}', {"X-Loki-Response-Encoding-Flags": "categorize-labels"},
                                          direction="forward")
        values = sorted((v for s in data["result"] for v in s["values"]), key=lambda v: int(v[0]))
        self.assertEqual(values[-1][1], "next line")
        self.assertEqual(sum(len(v[1]) for v in values[:-1]), 2**20)
        truncated = [v[2]["structuredMetadata"].get("truncated_bytes") for v in values]
        self.assertIn(str(5 * 2**20), truncated)

    def test_bytes_that_are_not_utf_8_are_shown_as_replacement_characters(self):
        self.fetched("shown", b"ok \xff\xfe end\n")
        data = self.collector.query_range('{service="shown"}')
        self.assertEqual(data["result"][0]["values"][0][1], "ok \ufffd\ufffd end")

    def test_both_outputs_arrive_with_their_label(self):
        script = "echo to stdout; echo to stderr >&2"
        agent = self.agent(["sh", "-c", script], self.collector.ingest, service="both")
        self.assertEqual(agent.wait(), 0)
        self.assertEqual(self.collector.text('{service="both",output="stdout"}'), b"to stdout\n")
        self.assertEqual(self.collector.text('{service="both",output="stderr"}'), b"to stderr\n")

    def test_200_megabytes_arrive_byte_for_byte(self):
        text = harness.large_corpus(200_000_000)
        self.assert_same_bytes(self.fetched("large", text), text, "large corpus")
        self.assertEqual(self.collector.count('{service="large"}'), text.count(b"\n"))

    def test_batches_of_every_size_around_a_block_of_the_compressor_arrive(self):
        # What the columns add to the line is some dozen bytes, so one of these leaves a last block of each small size.
        for size in range(2**17 - 72, 2**17 + 8):
            text = b"%06d" % size + b"x" * (size - 7) + b"\n"
            with self.subTest(size=size):
                source = self.folder / "block.txt"
                source.write_bytes(text)
                agent = self.agent(["cat", source], self.collector.ingest, service="block",
                                   flags=["--batch-bytes", "1MiB"])
                self.assertEqual(agent.wait(120), 0, agent.log_tail())
        self.assertEqual(self.collector.count('{service="block"}'), 80)

    def test_passthrough_copies_what_the_process_prints(self):
        text = b"".join(b"line %d\n" % i for i in range(2000))
        source = self.folder / "passed.txt"
        source.write_bytes(text)
        got = subprocess.run([harness.BIN / "dunlin-agent", "--listen", "off", "--", "cat", source], check=True,
                             stdout=subprocess.PIPE, timeout=30).stdout
        self.assertEqual(got, text)

    def test_outputs_that_nobody_reads_any_more_do_not_end_the_agent(self):
        reader, writer = os.pipe()
        os.close(reader)
        # The unknown variable makes it log before anything else happens.
        ended = subprocess.run([harness.BIN / "dunlin-agent", "--listen", "off", "--", "sh", "-c", "echo line; exit 5"],
                               stdout=writer, stderr=writer, env={**os.environ, "DUNLIN_NOT_A_FLAG": "1"}, timeout=60)
        os.close(writer)
        self.assertEqual(ended.returncode, 5)


if __name__ == "__main__":
    harness.need("zstd")
    harness.main()
