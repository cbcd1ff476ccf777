"""The data: Debian's package index, a record for each package, in the clients' line format."""

import base64
import json
import subprocess

PARTITIONS = 3


def murmur2(key):
    """The hash of Kafka's default partitioner."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h = 0x9747B28C ^ len(key)
    whole = len(key) // 4 * 4
    for at in range(0, whole, 4):
        k = int.from_bytes(key[at:at + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = h * m & mask ^ k
    rest = key[whole:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def stanzas():
    """(name, stanza) of each package that apt knows."""
    index = subprocess.run(["apt-cache", "dumpavail"], check=True, stdout=subprocess.PIPE).stdout
    records = [stanza for stanza in index.split(b"\n\n") if stanza.startswith(b"Package: ")]
    if len(records) < 10_000:
        raise SystemExit(f"apt knows {len(records)} packages only: run `apt-get update`")
    for stanza in records:
        yield stanza[len(b"Package: "):stanza.index(b"\n")], stanza


class Data:
    """A file of records, and what each partition must hold in the end."""

    def __init__(self, path, records):
        self.path, self.count, self.bytes = path, 0, 0
        self.expected = {partition: [] for partition in range(PARTITIONS)}
        with open(path, "w", encoding="ascii") as lines:
            for key, value in records:
                partition = (murmur2(key) & 0x7FFFFFFF) % PARTITIONS
                self.expected[partition].append((key, value))
                self.count += 1
                self.bytes += len(key) + len(value)
                k, v = base64.b64encode(key).decode(), base64.b64encode(value).decode()
                lines.write(f'{{"p":{partition},"k":"{k}","v":"{v}"}}\n')

    def differences(self, path):
        """What is wrong with the records that a client read: missing, doubled, changed, moved."""
        read = {partition: [] for partition in range(PARTITIONS)}
        offsets = {partition: -1 for partition in range(PARTITIONS)}
        with open(path, encoding="ascii") as lines:
            for line in lines:
                record = json.loads(line)
                partition = record["p"]
                key, value = base64.b64decode(record["k"]), base64.b64decode(record["v"])
                read[partition].append((key, value))
                if record["o"] <= offsets[partition]:
                    return f"offset {record['o']} of partition {partition} after {offsets[partition]}"
                offsets[partition] = record["o"]
        for partition, expected in self.expected.items():
            if read[partition] != expected:
                return self.first_difference(partition, expected, read[partition])
        return None

    @staticmethod
    def first_difference(partition, expected, read):
        doubled = len(read) - len(set(read))
        missing = len(set(expected) - set(read))
        where = next(
            (at for at, pair in enumerate(zip(expected, read)) if pair[0] != pair[1]),
            min(len(expected), len(read)),
        )
        return (
            f"partition {partition}: {len(read)} records instead of {len(expected)}, {missing} "
            f"missing, {doubled} doubled, the first difference at {where}"
        )
