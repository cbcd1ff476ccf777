"""kcat (librdkafka of Debian) with the two verbs of ../README.md."""

import pathlib
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "python"))
import lines  # noqa: E402

# Neither occurs in a package index.
KEY_END, RECORD_END = "\x1e", "\x1f"


def produce(bootstrap, topic, compression, path):
    """kcat writes to one partition for each run: several run at once."""
    partitions, acknowledged = {}, lines.Acknowledged()
    for partition, key, value in lines.read(path):
        text = key + KEY_END.encode() + value + RECORD_END.encode()
        partitions.setdefault(partition, []).append(text)
    # Their words must not stand between ours.
    children, words = [], tempfile.TemporaryFile()
    for partition in partitions:
        command = [
            "kcat", "-P", "-b", bootstrap, "-t", topic, "-p", str(partition), "-z", compression,
            "-K", KEY_END, "-D", RECORD_END, "-X", "enable.idempotence=true", "-X", "linger.ms=5",
            "-X", "reconnect.backoff.max.ms=500", "-X", "message.timeout.ms=120000", "-E",
        ]
        children.append(subprocess.Popen(command, stdin=subprocess.PIPE, stderr=words))

    def feed(child, texts):
        for text in texts:
            child.stdin.write(text)
            # Handed over, not acknowledged: kcat does not tell.
            acknowledged.one()
        child.stdin.close()

    feeders = [
        threading.Thread(target=feed, args=pair) for pair in zip(children, partitions.values())
    ]
    for feeder in feeders:
        feeder.start()
    for feeder in feeders:
        feeder.join()
    codes = [child.wait() for child in children]
    acknowledged.tell()
    if any(codes):
        words.seek(0)
        sys.exit(f"kcat ended with {codes}: {words.read().decode()[-1000:]}")


def consume(bootstrap, topic, count):
    # Partition, offset, length of the key, length of the value, key, value.
    command = [
        "kcat", "-C", "-q", "-b", bootstrap, "-t", topic, "-o", "beginning", "-c", str(count),
        "-f", "%p %o %K %S\n%k%s",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        for head in iter(child.stdout.readline, b""):
            partition, offset, key_bytes, value_bytes = (int(word) for word in head.split())
            key, value = child.stdout.read(key_bytes), child.stdout.read(value_bytes)
            sys.stdout.write(lines.line(partition, offset, key, value))
    if child.returncode:
        sys.exit(f"kcat ended with {child.returncode}")


{"produce": produce, "consume": consume}[sys.argv[1]](*sys.argv[2:])
