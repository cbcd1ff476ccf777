"""The format that all clients read and write: one JSON object in a line, bytes as base64."""

import base64
import json
import sys


def read(path):
    """(partition, key, value) of each line of a file."""
    with open(path, encoding="ascii") as lines:
        for line in lines:
            record = json.loads(line)
            yield record["p"], base64.b64decode(record["k"]), base64.b64decode(record["v"])


def line(partition, offset, key, value):
    key = base64.b64encode(key).decode()
    value = base64.b64encode(value).decode()
    return f'{{"p":{partition},"o":{offset},"k":"{key}","v":"{value}"}}\n'


class Acknowledged:
    """Counts acknowledgements and tells the driver."""

    def __init__(self):
        self.count = 0

    def one(self):
        self.count += 1
        if self.count % 500 == 0:
            self.tell()

    def tell(self):
        # One write: others may write there too.
        sys.stderr.write(f"acked {self.count}\n")
        sys.stderr.flush()
