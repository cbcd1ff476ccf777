"""Kafka's own kafka-dump-log reads our segments, every record of them."""

import pathlib
import re
import subprocess

from clients import JAVA, KAFKA_LIB, Failed

DUMPING = re.compile(r"^Dumping .*/(\d+)\.log$")
PACKAGE = re.compile(r"^\| offset: (\d+) .* key: (\S+) payload: Round: (\d+)$")
BATCH = re.compile(r"^baseOffset: (\d+) lastOffset: (\d+) count: (\d+) .*isvalid: (\w+)")
RECORD = re.compile(r"^\| offset: (\d+) ")


def dumped(directory, topic, partition, *options):
    """What kafka-dump-log says of a partition's segments, and the segments."""
    segments = sorted(pathlib.Path(directory, f"{topic}-{partition}").glob("*.log"))
    if not segments:
        raise Failed(f"no segments of {topic}-{partition} in {directory}")
    command = [
        *JAVA, "-cp", f"{KAFKA_LIB}/*", "org.apache.kafka.tools.DumpLogSegments",
        "--deep-iteration", *options, "--files", ",".join(str(path) for path in segments),
    ]
    ran = subprocess.run(
        command, capture_output=True, text=True, errors="replace", timeout=120, check=False
    )
    return ran, segments


def records(directory, topic, partition, torn_end):
    """The number of records in a partition's segments, which must follow each other from 0, and of
    the segments. With `torn_end`, as after a kill, the last batch may be there in part: the rest of
    it is in the write-ahead log.
    """
    ran, segments = dumped(directory, topic, partition)
    text = ran.stdout + ran.stderr
    expected, torn = 0, None
    for line in ran.stdout.splitlines():
        batch, record = BATCH.match(line), RECORD.match(line)
        if torn and (batch or not torn_end):
            raise Failed(f"{topic}-{partition}: {torn}")
        if batch and batch.group(4) != "true":
            torn = line
        if record and not torn:
            if int(record.group(1)) != expected:
                raise Failed(f"{topic}-{partition}: offset {expected} should come, but: {line}")
            expected += 1
    if torn and not torn_end:
        raise Failed(f"{topic}-{partition}: {torn}")
    # A compressed batch that is torn cannot be iterated.
    if (ran.returncode or "Exception" in text) and not torn:
        raise Failed(f"kafka-dump-log of {topic}-{partition} ended with {ran.returncode} after {expected} records: {ran.stderr[-800:]}")
    return expected, len(segments)


def packages(directory, topic, partition):
    """(base offset of the segment, offset, package, round) of each record of a compacted partition,
    whose offsets rise."""
    ran, _ = dumped(directory, topic, partition, "--print-data-log")
    segment, found, before = None, [], -1
    for line in ran.stdout.split("\n"):
        if dumping := DUMPING.match(line):
            segment = int(dumping.group(1))
        if (batch := BATCH.match(line)) and batch.group(4) != "true":
            raise Failed(f"{topic}-{partition}: {line}")
        if not RECORD.match(line):
            continue
        record = PACKAGE.match(line)
        if not record or int(record.group(1)) <= before:
            raise Failed(f"{topic}-{partition}: behind offset {before}: {line}")
        before = int(record.group(1))
        found.append((segment, before, record.group(2), int(record.group(3))))
    if ran.returncode or "Exception" in ran.stderr or not found:
        raise Failed(f"kafka-dump-log of {topic}-{partition} ended with {ran.returncode}: {ran.stderr[-800:]}")
    return found
