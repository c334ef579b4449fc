"""Just enough of the wire format (docs/wire-format.md) to see what passes between an agent and a collector."""

import struct

PREFACE = b"DUNLIN\x01\n"
HEADER = struct.Struct("<IBBHQ")

HELLO, WELCOME, BATCH, ACK, REJECT, SLOW_DOWN, GOODBYE = range(1, 8)


class Frames:
    """Cuts one direction of a connection into (type, checksum, payload)."""

    def __init__(self, skip=0):
        self.skip = skip
        self.bytes = bytearray()

    def feed(self, data):
        self.bytes += data
        at = self.skip
        while len(self.bytes) - at >= HEADER.size:
            length, kind, _, _, checksum = HEADER.unpack_from(self.bytes, at)
            end = at + HEADER.size + length
            if len(self.bytes) < end:
                break
            yield kind, checksum, bytes(self.bytes[at + HEADER.size:end])
            at = end
        if at <= len(self.bytes):
            del self.bytes[:at]
            self.skip = 0


def varint(payload, at):
    value = shift = 0
    while True:
        byte = payload[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def fields(payload):
    """(number, value) of each field: an int, or bytes."""
    at = 0
    while at < len(payload):
        key, at = varint(payload, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, at = varint(payload, at)
        elif kind == 1:
            value, at = int.from_bytes(payload[at:at + 8], "little"), at + 8
        elif kind == 2:
            size, at = varint(payload, at)
            value, at = payload[at:at + size], at + size
        elif kind == 5:
            value, at = int.from_bytes(payload[at:at + 4], "little"), at + 4
        else:
            raise ValueError(f"wire type {kind}")
        yield number, value


class Batch:
    """What the outside of a batch says of it."""

    def __init__(self, payload, checksum):
        self.checksum = checksum
        self.sequence = self.first = self.entries = self.gap_lines = 0
        for number, value in fields(payload):
            if number == 1:
                self.sequence = value
            elif number == 4:
                self.entries = value
            elif number == 8:
                self.gap_lines += dict(fields(value)).get(3, 0)
            elif number == 11:
                self.first = value
        self.first = self.first or self.sequence


class Hello:
    def __init__(self, payload):
        values = dict(fields(payload))
        self.boot_id = values.get(5, b"").hex()
        self.service = values.get(7, b"").decode()
        self.deployment = values.get(8, b"").decode()
