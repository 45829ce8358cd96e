"""Reads topics out of a bucket the way tools written for KafScale do: by object names, segment
footers and indexes alone. Knows nothing of manifests, of the commit log, or of this project's code;
written from docs/formats/segment.md and Kafka's description of record batches. Python 3.8 or later,
standard library only.

    kafscale_reader.py records BUCKET NAMESPACE            every record, one JSON array a line
    kafscale_reader.py seek BUCKET NAMESPACE TOPIC PARTITION OFFSET...
                                                           for each offset: [offset of the batch
                                                           found, its position, batches walked]
"""

import gzip
import json
import os
import struct
import sys

HEADER = struct.Struct(">4sHHqiqI")
FOOTER = struct.Struct(">Iq4s")
INDEX_HEADER = struct.Struct(">4sHiiH")
INDEX_ENTRY = struct.Struct(">qi")
# base offset, length, leader epoch, magic, CRC, attributes, last offset delta, first and greatest
# timestamp, producer id and epoch, base sequence, record count
BATCH = struct.Struct(">qiibIhiqqqhii")


class Broken(Exception):
    """Something is not what its format says."""


def expect(condition, what):
    if not condition:
        raise Broken(what)


def crc32c_table():
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


TABLE = crc32c_table()


def crc32c(data):
    value = 0xFFFFFFFF
    for byte in data:
        value = TABLE[(value ^ byte) & 0xFF] ^ (value >> 8)
    return value ^ 0xFFFFFFFF


def base_offset(name, ending):
    if not (name.startswith("segment-") and name.endswith(ending)):
        return None
    digits = name[len("segment-") : -len(ending)]
    return int(digits) if digits.isdigit() else None


def discover(bucket, namespace):
    """Complete segments by topic and partition: body and index are there, and the footer is."""
    found = {}
    root = os.path.join(bucket, namespace)
    for topic in sorted(os.listdir(root)):
        for partition in os.listdir(os.path.join(root, topic)):
            folder = os.path.join(root, topic, partition)
            if not partition.isdigit() or not os.path.isdir(folder):
                continue
            names = set(os.listdir(folder))
            bases = sorted(b for b in (base_offset(name, ".kfs") for name in names) if b is not None)
            for base in bases:
                index = "segment-%020d.index" % base
                path = os.path.join(folder, "segment-%020d.kfs" % base)
                with open(path, "rb") as file:
                    file.seek(-4, os.SEEK_END)
                    complete = index in names and file.read(4) == b"END!"
                if complete:
                    segment = Segment(path, os.path.join(folder, index), base)
                    found.setdefault((topic, int(partition)), []).append(segment)
    return found


class Segment:
    def __init__(self, path, index_path, base):
        self.path = path
        self.index_path = index_path
        self.base = base
        self.size = os.path.getsize(path)
        footer = self.read(self.size - FOOTER.size, self.size)
        self.crc, self.last, end = FOOTER.unpack(footer)
        expect(end == b"END!", path + " has no footer")

    def read(self, start, end):
        """A range, as of an object in a store."""
        with open(self.path, "rb") as file:
            file.seek(start)
            return file.read(end - start)

    def verify(self):
        magic, version, flags, base, count, created, reserved = HEADER.unpack(self.read(0, 32))
        expect(magic == b"KAFS" and version == 1, self.path + " is no segment of version 1")
        expect(flags == 0 and reserved == 0, self.path + " has flags")
        expect(base == self.base, self.path + " begins elsewhere")
        expect(count == self.last - base + 1, self.path + " counts its records otherwise")
        expect(created > 0, self.path + " was never made")
        body = self.read(32, self.size - FOOTER.size)
        expect(crc32c(body) == self.crc, self.path + " fails its CRC-32C")
        return body

    def index(self):
        with open(self.index_path, "rb") as file:
            data = file.read()
        magic, version, count, interval, reserved = INDEX_HEADER.unpack_from(data)
        expect(magic == b"IDX\0" and version == 1, self.index_path + " is no index of version 1")
        expect(reserved == 0 and interval > 0, self.index_path + " has an odd header")
        expect(len(data) == 16 + 12 * count, self.index_path + " has another length")
        entries = [INDEX_ENTRY.unpack_from(data, 16 + 12 * at) for at in range(count)]
        expect(entries[0] == (self.base, 32), self.index_path + " starts elsewhere")
        return entries

    def seek(self, offset):
        """Where the batch with `offset` begins: by the index, then from batch to batch."""
        entries = self.index()
        low, high = 0, len(entries)
        while low + 1 < high:
            middle = (low + high) // 2
            if entries[middle][0] <= offset:
                low = middle
            else:
                high = middle
        base, position = entries[low]
        walked = 0
        while True:
            head = BATCH.unpack(self.read(position, position + BATCH.size))
            expect(walked > 0 or head[0] == base, self.index_path + " points between batches")
            if head[0] + head[6] >= offset:
                return head[0], position, walked
            position += 12 + head[1]
            walked += 1


def batches(body):
    at = 0
    while at < len(body):
        head = BATCH.unpack_from(body, at)
        end = at + 12 + head[1]
        expect(head[3] == 2 and end <= len(body), "a batch is broken")
        expect(crc32c(body[at + 21 : end]) == head[4], "a batch fails its CRC-32C")
        yield head, body[at + BATCH.size : end]
        at = end


class Cursor:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def varint(self):
        shift = value = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return (value >> 1) ^ -(value & 1)
            shift += 7

    def blob(self):
        length = self.varint()
        if length < 0:
            return None
        self.at += length
        return self.data[self.at - length : self.at]


def text(blob):
    return None if blob is None else blob.decode("utf-8")


def records(head, data):
    codec = head[5] & 7
    expect(codec in (0, 1), "a batch is compressed by what the standard library lacks")
    cursor = Cursor(gzip.decompress(data) if codec == 1 else data)
    for _ in range(head[12]):
        end = cursor.varint() + cursor.at
        cursor.at += 1
        timestamp = head[7] + cursor.varint()
        offset = head[0] + cursor.varint()
        key, value = text(cursor.blob()), text(cursor.blob())
        headers = [[text(cursor.blob()), text(cursor.blob())] for _ in range(cursor.varint())]
        expect(cursor.at == end, "a record has another length")
        yield offset, timestamp, key, value, headers
    expect(cursor.at == len(cursor.data), "a batch has more records than it says")


def print_records(bucket, namespace):
    for (topic, partition), segments in discover(bucket, namespace).items():
        following = segments[0].base
        for segment in segments:
            # Beside a merged segment its other parts lie for a while.
            if segment.last < following:
                continue
            expect(segment.base == following, segment.path + " leaves a hole")
            segment.index()
            for head, data in batches(segment.verify()):
                expect(head[0] == following, segment.path + " leaves a hole inside")
                for record in records(head, data):
                    print(json.dumps([topic, partition, *record]))
                following = head[0] + head[6] + 1
            expect(following == segment.last + 1, segment.path + " ends elsewhere")


def print_seeks(bucket, namespace, topic, partition, offsets):
    segments = discover(bucket, namespace)[(topic, int(partition))]
    for offset in map(int, offsets):
        segment = next(each for each in segments if each.base <= offset <= each.last)
        print(json.dumps(segment.seek(offset)))


if __name__ == "__main__":
    if sys.argv[1] == "records":
        print_records(*sys.argv[2:])
    else:
        print_seeks(*sys.argv[2:6], sys.argv[6:])
