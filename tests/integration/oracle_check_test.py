"""The oracle's own eyes: each way in which lines can be wrong is seen."""

import dataclasses
import unittest
import zlib

from oracle_check import Boot, Counters, Stored, judge


def line(number, name="w1.b1", output=b"o", text=b"some \x00\xff text"):
    head = b"%s %s %d " % (name.encode(), output, number)
    return Stored(number * 10, head + b"%08x " % zlib.crc32(text, zlib.crc32(head)) + text)


def gap(time, lines, reason="mem_full"):
    return Stored(time, b"dunlin: lines missing here", lines, reason)


def whole_boot(lines, **changes):
    boot = Boot("w1.b1", {"stdout": lines, "stderr": 0}, {"stdout": lines, "stderr": 0}, complete=True,
                last=Counters(captured=lines, acknowledged=lines), on_wire=((lines, 0),))
    return dataclasses.replace(boot, **changes)


class OracleCheckTest(unittest.TestCase):
    def assert_seen(self, verdict, words):
        self.assertTrue(any(words in v for v in verdict.violations), verdict.violations)

    def test_everything_there_once_is_fine(self):
        verdict = judge(whole_boot(100), {"stdout": [line(n) for n in range(1, 101)]})
        self.assertEqual((verdict.violations, verdict.present, verdict.marked, verdict.lost), ([], 100, 0, 0))

    def test_a_hole_that_a_marker_explains_is_fine(self):
        boot = whole_boot(10, on_wire=((6, 4),),
                          last=Counters(captured=10, acknowledged=6, dropped={"mem_full": 4}))
        entries = [line(n) for n in (1, 2, 3, 8, 9, 10)] + [gap(71, 3), gap(72, 1)]
        self.assertEqual(judge(boot, {"stdout": entries}).violations, [])

    def test_the_end_may_be_lost_by_a_kill_and_by_nothing_else(self):
        entries = [line(n) for n in range(1, 8)]
        killed = whole_boot(10, complete=False, on_wire=((5, 0), (7, 0), (9, 0)), last=Counters(captured=9, acknowledged=5, queued=4))
        verdict = judge(killed, {"stdout": entries})
        self.assertEqual((verdict.violations, verdict.lost), ([], 3))
        self.assert_seen(judge(whole_boot(10, on_wire=((7, 0),)), {"stdout": entries}), "nothing was killed")

    def test_violations_are_seen(self):
        entries = [line(n) for n in range(1, 11)]
        cases = [
            ("twice", entries + [line(4)]),
            ("missing without a marker", entries[:4] + entries[5:]),
            ("missing without a marker", entries[:4] + entries[6:] + [gap(51, 1)]),
            ("or a later one was expected", entries + [gap(41, 1)]),
            ("or a later one was expected", entries[:4] + [dataclasses.replace(line(5), time=75)] + entries[5:]),
            ("never written", entries + [Stored(200, b"hello")]),
            ("never written", entries + [line(11, name="w1.b2")]),
            ("never written", entries + [line(11, output=b"e")]),
            ("other bytes", entries[:9] + [Stored(100, line(10).line[:-1] + b"T")]),
            ("were written", entries + [line(11)]),
            ("acknowledged on the wire", entries[:9]),
            ("neither stored nor in a marker", entries[:9]),
            ("markers say", entries + [gap(101, 1)]),
            ("11 in markers are stored", entries[:0] + [gap(101, 11)]),
            ("and 1 in markers are stored", entries + [gap(101, 1)]),
        ]
        for words, stored in cases:
            with self.subTest(words=words):
                self.assert_seen(judge(whole_boot(10), {"stdout": stored}), words)

    def test_half_a_batch_is_seen(self):
        killed = whole_boot(10, complete=False, on_wire=((5, 0), (7, 0)), last=Counters(captured=10, acknowledged=5, queued=5))
        for there, fine in ((4, False), (5, True), (6, False), (7, True), (8, False)):
            violations = judge(killed, {"stdout": [line(n) for n in range(1, there + 1)]}).violations
            self.assertEqual(violations == [], fine, violations)

    def test_counters_that_disagree_are_seen(self):
        entries = {"stdout": [line(n) for n in range(1, 11)]}
        self.assert_seen(judge(whole_boot(10, last=Counters(captured=9, acknowledged=10)), entries), "captured")
        self.assert_seen(judge(whole_boot(10, last=Counters(captured=10, acknowledged=9)), entries), "counted as ack")
        self.assert_seen(judge(whole_boot(10, complete=False, last=Counters(acknowledged=11)), entries), "are stored")
        self.assert_seen(judge(whole_boot(10, complete=False, held_to_be_safe=11), entries), "were safe")
        self.assertIsNone(Counters(10, 4, 3, 2, {"mem_full": 1}).violation())
        self.assertIsNotNone(Counters(10, 4, 3, 2, {"mem_full": 2}).violation())


if __name__ == "__main__":
    unittest.main(verbosity=2)
