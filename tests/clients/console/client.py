"""Kafka's console producer and consumer with the two verbs of ../README.md.

The producer reads lines and chooses partitions by the key: the data has to be without newlines, in
the partitions that Kafka's default partitioner chooses. The consumer reads one partition for each
run; how many records each has is asked first.
"""

import os
import subprocess
import sys

import pathlib

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "python"))
import lines  # noqa: E402

SEPARATOR = "\x1e"


def java(tool, *arguments):
    lib = os.environ["KAFKA_LIB"]
    options = ["-Xmx256M", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
    return ["java", *options, "-cp", f"{lib}/*", f"org.apache.kafka.tools.{tool}", *arguments]


def produce(bootstrap, topic, compression, path):
    acknowledged = lines.Acknowledged()
    command = java(
        "ConsoleProducer", "--bootstrap-server", bootstrap, "--topic", topic,
        "--compression-codec", compression, "--request-required-acks", "-1",
        "--command-property", "enable.idempotence=true",
        "--command-property", "delivery.timeout.ms=120000",
        "--reader-property", "parse.key=true",
        "--reader-property", f"key.separator={SEPARATOR}",
    )
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as child:
        for _partition, key, value in lines.read(path):
            child.stdin.write(key + SEPARATOR.encode() + value + b"\n")
            # Handed over, not acknowledged: it does not tell.
            acknowledged.one()
        child.stdin.close()
    acknowledged.tell()
    if child.returncode:
        sys.exit(f"ended with {child.returncode}")


def consume(bootstrap, topic, count):
    offsets = java("GetOffsetShell", "--bootstrap-server", bootstrap, "--topic", topic)
    told = subprocess.run(offsets, check=True, stdout=subprocess.PIPE, text=True).stdout
    records = {int(p): int(n) for _, p, n in (line.split(":") for line in told.split())}
    if sum(records.values()) != int(count):
        sys.exit(f"there are {records} records, not {count}")
    for partition in (partition for partition, number in records.items() if number):
        command = java(
            "consumer.ConsoleConsumer", "--bootstrap-server", bootstrap, "--topic", topic,
            "--partition", str(partition), "--offset", "earliest",
            "--max-messages", str(records[partition]), "--timeout-ms", "30000",
            "--formatter-property", "print.key=true", "--formatter-property", "print.offset=true",
            "--formatter-property", f"key.separator={SEPARATOR}",
        )
        run = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        for text in run.stdout.splitlines():
            offset, key, value = text.split(SEPARATOR.encode(), 2)
            offset = int(offset.removeprefix(b"Offset:"))
            sys.stdout.write(lines.line(partition, offset, key, value))


{"produce": produce, "consume": consume}[sys.argv[1]](*sys.argv[2:])
