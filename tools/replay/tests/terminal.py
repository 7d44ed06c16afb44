"""Plays a journal on a terminal of its own and presses its keys; says what it saw as JSON.

python3 terminal.py PROGRAM JOURNAL
"""

import json
import os
import pty
import select
import signal
import sys
import termios
import time


def modes(terminal):
    return termios.tcgetattr(terminal)[3] & (termios.ICANON | termios.ECHO)


def start(arguments, output):
    """Runs the program with a terminal for keys and `output` for what it plays."""
    pid, terminal = pty.fork()
    if pid == 0:
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, 1)
        os.execv(arguments[0], arguments)
    return pid, terminal


def drain(terminal):
    while select.select([terminal], [], [], 0)[0]:
        try:
            if not os.read(terminal, 4096):
                return
        except OSError:
            return


def until(what, terminal, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        drain(terminal)
        if what():
            return True
        time.sleep(0.01)
    return False


def count(output):
    with open(output, "rb") as file:
        return file.read().count(b"\n")


def stays(output, terminal, lines, seconds=0.5):
    return not until(lambda: count(output) != lines, terminal, seconds)


def main(program, journal):
    seen = {}
    output = journal + ".out"

    pid, terminal = start([program, "play", journal, "--speed", "step"], output)
    own = termios.ICANON | termios.ECHO
    seen["keys at once"] = until(lambda: modes(terminal) == 0, terminal)
    os.write(terminal, b"s")
    seen["s steps"] = until(lambda: count(output) == 1, terminal) and stays(output, terminal, 1)
    os.write(terminal, b"\n")
    seen["enter steps"] = until(lambda: count(output) == 2, terminal)
    os.write(terminal, b"x")
    seen["other keys do nothing"] = stays(output, terminal, 2)
    os.write(terminal, b"q")
    seen["q ends"] = until(lambda: os.waitpid(pid, os.WNOHANG)[0] == pid, terminal)
    seen["mode after"] = modes(terminal) == own
    os.close(terminal)

    pid, terminal = start([program, "play", journal, "--speed", "1"], output)
    seen["plays"] = until(lambda: count(output) >= 3 and modes(terminal) == 0, terminal)
    os.write(terminal, b" ")
    time.sleep(0.3)
    drain(terminal)
    paused = count(output)
    seen["space pauses"] = stays(output, terminal, paused)
    os.write(terminal, b" ")
    seen["space resumes"] = until(lambda: count(output) > paused, terminal)
    os.kill(pid, signal.SIGUSR1)
    time.sleep(0.3)
    paused = count(output)
    seen["SIGUSR1 pauses"] = stays(output, terminal, paused)
    os.kill(pid, signal.SIGUSR2)
    seen["SIGUSR2 resumes"] = until(lambda: count(output) > paused, terminal)
    os.write(terminal, b"\x03")
    seen["Ctrl-C ends"] = until(lambda: os.waitpid(pid, os.WNOHANG)[0] == pid, terminal)
    seen["mode after Ctrl-C"] = modes(terminal) == own
    print(json.dumps(seen))


main(*sys.argv[1:])
