"""What has to be true of one boot of one agent, from what was written, promised, counted and stored. Pure: no programs.

A *boot* is one start of an agent and of the writer below it. Lines of each output carry numbers from 1, so that
everything that came, came twice, or did not come is known by number.
"""

import dataclasses
import zlib

OUTPUTS = {"stdout": b"o", "stderr": b"e"}


@dataclasses.dataclass
class Stored:
    """One entry of the store: a line, or a gap marker."""

    time: int
    line: bytes
    gap_lines: int = 0
    gap_reason: str = ""


@dataclasses.dataclass
class Counters:
    """The agent's own, at one scrape."""

    captured: int = 0
    acknowledged: int = 0
    queued: int = 0
    spooled: int = 0
    dropped: dict = dataclasses.field(default_factory=dict)  # by reason, without zeros

    def dropped_lines(self):
        return sum(self.dropped.values())

    def violation(self):
        accounted = self.acknowledged + self.queued + self.spooled + self.dropped_lines()
        if self.captured != accounted:
            return f"{self.captured} lines captured, {accounted} accounted for: {self}"
        return None


@dataclasses.dataclass
class Boot:
    """What is known of a boot besides the store."""

    name: str
    begun: dict  # output: lines given to write(2)
    written: dict  # output: of them, those whose write(2) has returned
    complete: bool = False  # it ended, or rests, with nothing left to send: no window of loss
    last: Counters = dataclasses.field(default_factory=Counters)
    held_to_be_safe: int = 0  # lines that must be accounted for whatever was killed
    # (lines, lines in gap markers) of the batches that went over the wire, up to one of them. Up to the first of these a
    # collector has acknowledged; those behind it may be stored or not, but wholly and in order.
    on_wire: tuple = ((0, 0),)


@dataclasses.dataclass
class Verdict:
    violations: list
    present: int = 0
    marked: int = 0
    lost: int = 0  # in the documented window


def number_of(name, output, entry):
    """The number of a line, or why it is none of this boot's."""
    parts = entry.line.split(b" ", 4)
    if len(parts) != 5 or parts[0] != name.encode() or parts[1] != OUTPUTS[output] or not parts[2].isdigit():
        return None, f"a line that was never written: {entry.line[:80]!r}"
    crc = zlib.crc32(parts[4], zlib.crc32(b" ".join(parts[:3]) + b" "))
    if parts[3] != b"%08x" % crc:
        return None, f"a line with other bytes than were written: {entry.line[:80]!r}"
    return int(parts[2]), None


def follow(boot, output, entries):
    """One output by time: numbers rise by one, except over gap markers, which say by how much."""
    verdict = Verdict([])
    where = f"{boot.name} {output}"
    seen = set()
    expected = 1
    for entry in sorted(entries, key=lambda e: e.time):
        if entry.gap_reason:
            verdict.marked += entry.gap_lines
            expected += entry.gap_lines
            continue
        number, wrong = number_of(boot.name, output, entry)
        if wrong:
            verdict.violations.append(f"{where}: {wrong}")
            continue
        verdict.present += 1
        if number in seen:
            verdict.violations.append(f"{where}: line {number} is there twice")
            continue
        seen.add(number)
        if number < expected:
            verdict.violations.append(f"{where}: line {number} came where {expected} or a later one was expected")
            continue
        if number > expected:
            verdict.violations.append(f"{where}: lines {expected} to {number - 1} are missing without a marker")
        expected = number + 1
    verdict.lost = boot.begun[output] - (expected - 1)
    if verdict.lost < 0:
        verdict.violations.append(f"{where}: {expected - 1} lines are there or in markers, {boot.begun[output]} were written")
    return verdict


def judge(boot, stored):
    """`stored`: output to its entries."""
    total = Verdict([])
    reasons = {}
    for output in OUTPUTS:
        entries = stored.get(output, [])
        verdict = follow(boot, output, entries)
        total.violations += verdict.violations
        total.present += verdict.present
        total.marked += verdict.marked
        total.lost += verdict.lost
        for entry in entries:
            if entry.gap_reason:
                reasons[entry.gap_reason] = reasons.get(entry.gap_reason, 0) + entry.gap_lines

    def demand(condition, what):
        if not condition:
            total.violations.append(f"{boot.name}: {what}")

    demand((total.present, total.marked) in boot.on_wire,
           f"{total.present} lines and {total.marked} in markers are stored; acknowledged on the wire are {boot.on_wire[0]}, "
           f"with those sent after them {boot.on_wire[1:]}")
    demand(boot.last.acknowledged <= total.present,
           f"the agent counted {boot.last.acknowledged} lines as acknowledged, {total.present} are stored")
    demand(total.present + total.marked >= boot.held_to_be_safe,
           f"{boot.held_to_be_safe} lines were safe, {total.present} are stored and {total.marked} in markers")
    if boot.complete:
        demand(len(boot.on_wire) == 1, f"something was sent and not acknowledged: {boot.on_wire}")
        demand(total.lost == 0, f"{total.lost} lines are neither stored nor in a marker, and nothing was killed")
        demand(boot.last.captured == sum(boot.written.values()),
               f"{boot.last.captured} lines captured, {sum(boot.written.values())} written")
        demand(boot.last.acknowledged == total.present,
               f"{boot.last.acknowledged} lines counted as acknowledged, {total.present} stored")
        demand(boot.last.dropped == reasons, f"{boot.last.dropped} counted as dropped, markers say {reasons}")
    return total
