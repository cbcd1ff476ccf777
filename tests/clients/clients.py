"""The clients: how each is run, and what it cannot do."""

import os
import pathlib
import subprocess
import threading

HERE = pathlib.Path(__file__).resolve().parent
CACHE = HERE.parent.parent / ".cache" / "clients"
PYTHON = CACHE / "python" / "bin" / "python"
KAFKA_LIB = CACHE / "java"
JAVA = ["java", "-Xmx512M", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]

COMPRESSIONS = ("none", "gzip", "snappy", "lz4", "zstd")
CLIENTS = {
    "java": [*JAVA, "-cp", f"{CACHE / 'java-classes'}:{KAFKA_LIB}/*", "Client"],
    "console": [PYTHON, HERE / "console" / "client.py"],
    "confluent": [PYTHON, HERE / "python" / "confluent.py"],
    "kcat": [PYTHON, HERE / "kcat" / "client.py"],
    "kafka_python": [PYTHON, HERE / "python" / "kafka_python.py"],
    "kafkajs": ["node", HERE / "kafkajs" / "client.js"],
    "franz_go": [CACHE / "franz_go"],
}
CANNOT_CONSUME = {
    "kafkajs": "it consumes only as a member of a group",
}
MEMBERS = ("confluent", "java", "kafka_python", "kafkajs", "franz_go")
CONSUMERS = [name for name in CLIENTS if name not in CANNOT_CONSUME]
# These take lines: their data has no newlines.
LINES_ONLY = {"console"}
ENVIRONMENT = {
    **os.environ,
    "KAFKA_LIB": str(KAFKA_LIB),
    # The modules of kafkajs are in the cache, its program is here.
    "NODE_PATH": str(CACHE / "kafkajs" / "node_modules"),
}
TIMEOUT_SECONDS = 180


class Failed(Exception):
    pass


def produce(name, bootstrap, topic, compression, path, told=lambda count: None):
    """Runs a producer to its end; `told` hears the number of acknowledged records as it grows."""
    command = [*CLIENTS[name], "produce", bootstrap, topic, compression, path]
    said = []
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, env=ENVIRONMENT, text=True
    ) as child:
        watchdog = threading.Timer(TIMEOUT_SECONDS, child.kill)
        watchdog.start()
        acknowledged = 0
        for line in child.stderr:
            if line.startswith("acked "):
                acknowledged = int(line.split()[1])
                told(acknowledged)
            else:
                said.append(line)
        child.wait()
        watchdog.cancel()
    if child.returncode:
        raise Failed(f"{name} produce ended with {child.returncode}: {''.join(said)[-1500:]}")
    return acknowledged


def consume(name, bootstrap, topic, count, output):
    """Runs a consumer to its end, with what it reads in a file."""
    command = [*CLIENTS[name], "consume", bootstrap, topic, str(count)]
    with open(output, "wb") as out:
        try:
            ran = subprocess.run(
                command, stdout=out, stderr=subprocess.PIPE, env=ENVIRONMENT, text=True,
                timeout=TIMEOUT_SECONDS, check=False,
            )
        except subprocess.TimeoutExpired:
            raise Failed(f"{name} consume did not end in {TIMEOUT_SECONDS} s") from None
    if ran.returncode:
        raise Failed(f"{name} consume ended with {ran.returncode}: {ran.stderr[-1500:]}")
