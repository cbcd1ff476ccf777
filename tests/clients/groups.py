"""A group of one client's members: joins, leaves, kills of members and of the broker. Each record
is processed at least once; after an orderly end the group goes on exactly where it stopped."""

import json
import pathlib
import subprocess
import time

from clients import CLIENTS, ENVIRONMENT, JAVA, KAFKA_LIB, Failed, produce
from data import PARTITIONS

TIMEOUT_SECONDS = 90


class Member:
    def __init__(self, name, broker, topic, output):
        self.output, self.errors = output, output.with_suffix(".errors")
        command = [*CLIENTS[name], "join", broker.bootstrap, topic, f"group-{name}"]
        with open(output, "wb") as out, open(self.errors, "wb") as errors:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=out, stderr=errors, env=ENVIRONMENT
            )

    def kill(self):
        self.process.kill()
        self.process.wait()

    def leave(self):
        self.process.stdin.close()
        if self.process.wait(TIMEOUT_SECONDS):
            raise Failed(f"a member ended with {self.process.returncode}: {self.last_words()}")

    def last_words(self):
        return self.errors.read_text()[-1500:]

    def places(self):
        """Partition and offset of each record that it has processed, a torn last line aside."""
        lines = self.output.read_text().split("\n")[:-1]
        return [(line["p"], line["o"]) for line in map(json.loads, lines)]


def wait_for(members, count, what):
    end = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < end:
        seen = {place for member in members for place in member.places()}
        if len(seen) >= count:
            return
        time.sleep(0.2)
    words = [member.last_words() for member in members]
    raise Failed(f"{len(seen)} of {count} records processed {what}: {words}")


def lives(name, broker, topic, data, scratch):
    """All of it for one client; answers what to tell."""
    broker.create_topic(topic, PARTITIONS)
    members = []

    def join():
        member = Member(name, broker, topic, scratch / f"{topic}-{len(members)}")
        members.append(member)
        return member

    def fill():
        if produce("confluent", broker.bootstrap, topic, "none", data.path) != data.count:
            raise Failed("not all records were produced")

    try:
        first, second = join(), join()
        fill()
        wait_for(members, data.count, "by two members")
        second.kill()
        fill()
        wait_for(members, 2 * data.count, "after a member was killed")
        broker.kill()
        broker.start()
        third = join()
        fill()
        wait_for(members, 3 * data.count, "after the broker was killed")
        first.leave()
        third.leave()
        before = len(members)
        fill()
        last = join()
        wait_for(members, 4 * data.count, "by the next member")
        last.leave()
        again = len(last.places()) - data.count
        if again:
            raise Failed(f"{again} records came again after an orderly end of {before} members")
    finally:
        for member in members:
            if member.process.poll() is None:
                member.kill()
    doubled = sum(len(member.places()) for member in members) - 4 * data.count
    return f"{4 * data.count} records, {doubled} of them twice"


def decoded(directory, names, only):
    """Kafka's own tool finds the groups in the segments of __consumer_offsets."""
    segments = sorted(str(path) for path in pathlib.Path(directory).glob("__consumer_offsets-*/*.log"))
    command = [
        *JAVA, "-cp", f"{KAFKA_LIB}/*", "org.apache.kafka.tools.DumpLogSegments",
        "--offsets-decoder", "--files", ",".join(segments),
    ]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if ran.returncode or "isvalid: false" in ran.stdout or "Exception" in ran.stderr:
        raise Failed(f"ended with {ran.returncode}: {ran.stderr[-800:]}")
    missing = [name for name in names if only in (None, name) and f'"group-{name}"' not in ran.stdout]
    if missing:
        raise Failed(f"no records of the groups of {missing}: {ran.stdout[-800:]}")
    return f"{ran.stdout.count('offset: ')} records"
