# SPDX-License-Identifier: MIT
"""cairn-io at a terminal, which is a pseudo-terminal here. Arguments: the program; --edit where it was built to edit lines."""

import os
import pty
import select
import signal
import sys
import tempfile
import time

PATIENCE = 60           # seconds; longer is a failure
PROMPT = b"cairn-io> "


class Session:
    """One program on a terminal of its own."""

    def __init__(self, program, *words, term="xterm"):
        self.heard = b""
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM=term, HOME="/nonexistent", LC_ALL="C.UTF-8")
            os.execv(program, [program, *words])
        self.hear(PROMPT)

    def read(self):
        """Returns whether there was something."""
        if not select.select([self.terminal], [], [], PATIENCE)[0]:
            raise AssertionError(f"nothing more was said after {self.heard!r}")
        try:
            data = os.read(self.terminal, 4096)
        except OSError:         # the other end is closed
            return False
        self.heard += data
        return bool(data)

    def hear(self, text):
        """Waits for @text, and takes what was said up to its end."""
        while text not in self.heard:
            assert self.read(), f"{text!r} was not said, but {self.heard!r}"
        said, _, self.heard = self.heard.partition(text)
        return said + text

    def type(self, text):
        os.write(self.terminal, text)

    def run(self, line, answer):
        """Types a line, whose echo may come twice: what is typed early the terminal itself shows, too."""
        self.type(line + b"\n")
        self.hear(answer + b"\r\n" + PROMPT)

    def end(self):
        """Returns what is left to hear, and the exit status (128 + n for signal n)."""
        while self.read():
            pass
        os.close(self.terminal)
        deadline = time.monotonic() + PATIENCE
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                break
            assert time.monotonic() < deadline, "it does not end"
            time.sleep(0.01)
        if os.WIFSIGNALED(status):
            return self.heard, 128 + os.WTERMSIG(status)
        return self.heard, os.WEXITSTATUS(status)


def end_of_input_ends_the_line(start):
    session = start()
    session.run(b"length", b"1 MiB")
    session.type(b"\x04")
    rest, status = session.end()
    assert rest.endswith(b"\r\n"), rest
    assert status == 0


def end_of_input_is_not_lost_while_a_command_runs(start):
    session = start()
    session.type(b"sleep 300\n\x04")
    assert session.end()[1] == 0


def quit_ends(start):
    session = start()
    session.type(b"bogus\n")
    session.hear(b'command "bogus" not found\r\n' + PROMPT)
    session.type(b"quit\n")
    assert session.end()[1] == 1


def interrupt_drops_the_line(start):
    session = start()
    session.type(b"bogus")
    session.hear(b"bogus")
    session.type(b"\x03")
    session.hear(b"\r\n" + PROMPT)
    session.run(b"length", b"1 MiB")
    session.type(b"\x04")
    assert session.end()[1] == 0


def interrupt_from_elsewhere_drops_the_line(start):
    session = start()
    session.type(b"bogus")
    session.hear(b"bogus")
    os.kill(session.pid, signal.SIGINT)
    session.hear(b"\r\n" + PROMPT)
    session.run(b"length", b"1 MiB")
    session.type(b"\x04")
    assert session.end()[1] == 0


def interrupt_ends_a_running_command(start):
    session = start()
    session.type(b"length\nsleep 1000000\n")
    session.hear(b"1 MiB\r\n" + PROMPT)
    deadline = time.monotonic() + PATIENCE
    while True:
        time.sleep(0.2)         # where it does not run by then, the line is dropped, and typed again
        session.type(b"\x03")
        pid, status = os.waitpid(session.pid, os.WNOHANG)
        if pid:
            break
        assert time.monotonic() < deadline, "it does not end"
        session.type(b"sleep 1000000\n")
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGINT
    os.close(session.terminal)


def started_request_reports_above_the_prompt(start):
    session = start()
    session.type(b"aio_write -P 1 0 64k\n")
    session.hear(b"wrote 65536/65536 bytes at offset 0\r\n")
    session.hear(PROMPT)
    session.run(b"length", b"1 MiB")
    session.type(b"\x04")
    assert session.end()[1] == 0


def hangup_ends(start):
    session = start()
    os.close(session.terminal)
    _, status = os.waitpid(session.pid, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGHUP or \
        os.WIFEXITED(status)


def line_is_edited(start):
    session = start()
    session.type(b"engthx\x7f\x01l\n")          # backspace, to the start
    session.hear(b"1 MiB\r\n" + PROMPT)
    session.type(b"bogus\x15length\n")          # all deleted
    session.hear(b"1 MiB\r\n" + PROMPT)
    session.type(b"quit\n")
    assert session.end()[1] == 0


def history_is_kept(start):
    session = start()
    session.run(b"length", b"1 MiB")
    session.type(b"help foo\n")
    session.hear(b"command foo not found\r\n" + PROMPT)
    session.type(b"\x1b[A\x1b[A\n")
    session.hear(b"1 MiB\r\n" + PROMPT)
    session.type(b"quit\n")
    assert session.end()[1] == 1


def commands_are_completed(start):
    session = start()
    session.type(b"aio_\t")
    session.hear(b"aio_flush  aio_read  aio_write\r\n")
    session.type(b"f\t\n")
    session.hear(PROMPT)
    session.type(b"help len\t\n")
    session.hear(b"length -- ")
    session.type(b"\x15qui\t\n")
    assert session.end()[1] == 0


def characters_of_several_bytes_are_one(start):
    session = start()
    session.type("bogüß\x7f\x7f\x7fgus\n".encode())
    session.hear(b'command "bogus" not found\r\n')
    session.type(b"quit\n")
    assert session.end()[1] == 1


ALWAYS = [end_of_input_ends_the_line, end_of_input_is_not_lost_while_a_command_runs, quit_ends,
          interrupt_drops_the_line, interrupt_from_elsewhere_drops_the_line,
          interrupt_ends_a_running_command,
          started_request_reports_above_the_prompt, hangup_ends]
EDITED = [line_is_edited, history_is_kept, commands_are_completed,
          characters_of_several_bytes_are_one]


def main(program, edit=None):
    failed = 0
    with tempfile.TemporaryDirectory(prefix="cairn-terminal-") as folder:
        image = os.path.join(folder, "a")
        with open(image, "wb") as file:
            file.truncate(1 << 20)
        cases = [(case, term) for term in ("xterm", "dumb") for case in ALWAYS]
        cases += [(case, "xterm") for case in EDITED] if edit else []
        for case, term in cases:
            name = f"{case.__name__.replace('_', ' ')} ({term})"
            try:
                case(lambda: Session(program, "-f", "raw", image, term=term))
                print(f"ok {name}")
            except AssertionError as error:
                failed += 1
                print(f"not ok {name}: {error!r}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
