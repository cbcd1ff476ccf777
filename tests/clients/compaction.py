"""A compacted topic of packages: what is left of it, whatever is killed when."""

import base64
import json
import pathlib
import time

from clients import Failed, consume, produce
from data import PARTITIONS, Data
import dump

# Every package comes so often, and the broker is killed so often while it does.
ROUNDS = 3
KILLS = 3
TOPIC = [
    ("cleanup.policy", "compact"), ("segment.bytes", str(1 << 20)), ("min.cleanable.dirty.ratio", "0"),
]
BROKER = ["log.cleaner.backoff.ms=50"]
PATIENCE_SECONDS = 120
# A segment is compacted when a checkpoint has it, which may be 5 s later.
QUIET_SECONDS = 8


def files(broker, topic):
    """Names and sizes of the topic's files."""
    listed = {}
    for path in pathlib.Path(broker.directory).glob(f"{topic}-*/*"):
        try:
            listed[str(path)] = path.stat().st_size
        except FileNotFoundError:
            pass
    return listed


def is_compacting(listed):
    return any(name.endswith((".cleaned", ".swap")) for name in listed)


def kill_in_the_middle(broker, topic):
    """Kills the broker while it writes segments again, if that comes soon; answers whether."""
    end = time.monotonic() + 2
    while not (caught := is_compacting(files(broker, topic))) and time.monotonic() < end:
        time.sleep(0.001)
    broker.kill()
    broker.start()
    return caught


def wait(broker, topic):
    """Until nothing changes any more."""
    end, before, since = time.monotonic() + PATIENCE_SECONDS, None, 0
    while time.monotonic() < end:
        listed = files(broker, topic)
        if listed != before or is_compacting(listed):
            before, since = listed, time.monotonic()
        if time.monotonic() - since > QUIET_SECONDS:
            return
        time.sleep(0.1)
    raise Failed(f"compaction does not come to an end in {PATIENCE_SECONDS} s")


def fill(broker, topic, path, stanzas):
    """Every package in each round, with kills; how many of those met a compaction."""
    met = 0
    for number in range(ROUNDS):
        data = Data(path, [(key, b"Round: %d\n" % number + value) for key, value in stanzas])
        left = [data.count * (kill + 1) // (KILLS + 1) for kill in range(KILLS)]

        def told(acknowledged):
            nonlocal met
            if left and left[0] <= acknowledged < data.count:
                left.pop(0)
                met += kill_in_the_middle(broker, topic)

        produce("confluent", broker.bootstrap, topic, "lz4", data.path, told)
        if left:
            raise Failed(f"{len(left)} of {KILLS} kills came too late")
    return met


def check_segments(broker, topic, names):
    """What Kafka's own tool reads: before the active segment, each package at most once, and the
    last round's stanza of it at or behind that. Answers how many records there are."""
    count, sealed_count = 0, 0
    for partition in range(PARTITIONS):
        records = dump.packages(broker.directory, topic, partition)
        active = max(segment for segment, *_ in records)
        sealed, last = set(), {}
        for segment, _, key, number in records:
            last[key] = number
            if segment == active:
                continue
            if key in sealed:
                raise Failed(f"{key} stands twice before the active segment of {topic}-{partition}")
            sealed.add(key)
        names = names - set(last)
        if old := [key for key, number in last.items() if number != ROUNDS - 1]:
            raise Failed(f"the last stanza of {len(old)} packages is lost, as that of {old[0]}")
        count += len(records)
        sealed_count += len(sealed)
    if names:
        raise Failed(f"{len(names)} packages are lost")
    return count, sealed_count


def check_consumed(broker, topic, count, expected, output):
    """What a consumer is shown last of each package is the last stanza, byte for byte."""
    consume("confluent", broker.bootstrap, topic, count, output)
    last = {}
    with open(output, encoding="ascii") as lines:
        for line in lines:
            record = json.loads(line)
            last[base64.b64decode(record["k"])] = base64.b64decode(record["v"])
    if last != expected:
        raise Failed("a consumer does not get the last stanza of each package")


def lives(broker, topic, stanzas, scratch):
    """Kills, compaction, an orderly end, and what Kafka's tool and a consumer find."""
    broker.create_topic(topic, PARTITIONS, TOPIC)
    met = fill(broker, topic, scratch / "round", stanzas)
    wait(broker, topic)
    broker.stop()
    last = {key: b"Round: %d\n" % (ROUNDS - 1) + value for key, value in stanzas}
    count, sealed = check_segments(broker, topic, {key.decode() for key in last})
    broker.start()
    check_consumed(broker, topic, count, last, scratch / "read")
    if not met:
        raise Failed("no kill met a compaction")
    kills = ROUNDS * KILLS
    return f"{count} of {ROUNDS * len(stanzas)} records, {sealed} sealed, {met} of {kills} kills in it"
