"""Kafka's own kafka-dump-log reads our segments, every record of them."""

import pathlib
import re
import subprocess

from clients import JAVA, KAFKA_LIB, Failed

BATCH = re.compile(r"^baseOffset: (\d+) lastOffset: (\d+) count: (\d+) .*isvalid: (\w+)")
RECORD = re.compile(r"^\| offset: (\d+) ")


def records(directory, topic, partition, torn_end):
    """The number of records in a partition's segments, which must follow each other from 0, and of
    the segments. With `torn_end`, as after a kill, the last batch may be there in part: the rest of
    it is in the write-ahead log.
    """
    segments = sorted(pathlib.Path(directory, f"{topic}-{partition}").glob("*.log"))
    if not segments:
        raise Failed(f"no segments of {topic}-{partition} in {directory}")
    command = [
        *JAVA, "-cp", f"{KAFKA_LIB}/*", "org.apache.kafka.tools.DumpLogSegments",
        "--deep-iteration", "--files", ",".join(str(path) for path in segments),
    ]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
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
