"""The verb `join` of ../README.md for clients whose consumers are polled."""

import sys
import threading


def until_stdin_ends():
    """An event that is set when whoever started this closes its stdin."""
    ended = threading.Event()

    def wait():
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    return ended


def work(poll, commit, close):
    """Writes what `poll` brings, then has it committed; what could not be comes again."""
    ended = until_stdin_ends()
    while not ended.is_set():
        lines = poll()
        if lines:
            sys.stdout.write("".join(lines))
            sys.stdout.flush()
            commit()
    close()
