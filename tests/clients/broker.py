"""A Millstream on a directory of its own, and the little of the protocol that the driver needs."""

import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
BINARY = pathlib.Path(os.environ.get("MILLSTREAM", TARGET / "release" / "millstream"))


def command(directory, port, settings):
    """How the binary is started: the only place that knows its command line."""
    listen = f"127.0.0.1:{port}"
    options = [part for setting in settings for part in ("--set", setting)]
    return [BINARY, "serve", "--data", directory, "--listen", listen, "--cores", "2", *options]


class Broker:
    def __init__(self, settings=()):
        self.settings = settings
        self.directory = tempfile.mkdtemp(prefix="millstream-clients-")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.process = None
        self.start()

    def start(self):
        self.log = open(f"{self.directory}.log", "ab")
        self.process = subprocess.Popen(
            command(self.directory, self.port, self.settings),
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
        )
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"the broker ended: {self.last_words()}")
            try:
                self.ask_versions()
                return
            except OSError:
                time.sleep(0.02)
        raise RuntimeError("the broker does not answer after 60 s")

    def ask_versions(self):
        """ApiVersions version 0. The port takes connections before the broker has started."""
        request = struct.pack(">hhih", 18, 0, 1, -1)
        with socket.create_connection(("127.0.0.1", self.port), 60) as stream:
            stream.sendall(struct.pack(">i", len(request)) + request)
            if not stream.recv(1):
                raise OSError("closed before it answered")

    def last_words(self):
        return pathlib.Path(f"{self.directory}.log").read_text()[-2000:]

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """An orderly end."""
        self.process.terminate()
        if self.process.wait(60):
            raise RuntimeError(
                f"the broker ended with {self.process.returncode}: {self.last_words()}"
            )

    def runs(self):
        return self.process.poll() is None

    def remove(self):
        if self.runs():
            self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)
        pathlib.Path(f"{self.directory}.log").unlink(missing_ok=True)

    def create_topic(self, name, partitions, settings=()):
        """CreateTopics version 2."""
        def text(value):
            return struct.pack(">h", len(value)) + value.encode()

        configs = b"".join(text(key) + text(value) for key, value in settings)
        body = struct.pack(">i", 1) + text(name) + struct.pack(">ihi", partitions, 1, 0)
        body += struct.pack(">i", len(settings)) + configs + struct.pack(">i?", 30_000, False)
        request = struct.pack(">hhi", 19, 2, 1) + text("driver") + body
        with socket.create_connection(("127.0.0.1", self.port), 30) as stream:
            stream.sendall(struct.pack(">i", len(request)) + request)
            answer = stream.makefile("rb")
            answer = answer.read(struct.unpack(">i", answer.read(4))[0])
        # Correlation id, throttle time, one topic, its name.
        (length,) = struct.unpack_from(">h", answer, 12)
        (code,) = struct.unpack_from(">h", answer, 14 + length)
        if code:
            raise RuntimeError(f"CreateTopics answered {code} for {name}")
