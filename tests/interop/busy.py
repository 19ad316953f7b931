# SPDX-License-Identifier: MIT
"""Images that another process holds open: both tools must be stopped, or let through, alike, and a busy image
must stay as it was."""

import os
import shutil
import subprocess

COMMANDS = {
    "q.qcow": ["info q.qcow", "info -U q.qcow", "map q.qcow", "compare q.qcow s.raw",
               "convert q.qcow a", "convert -U q.qcow a", "create -f qcow q.qcow 1M",
               "create -f raw q.qcow 1M", "convert -O qcow s.raw q.qcow",
               "convert -n -O qcow s.raw q.qcow", "info -f raw q.qcow",
               "resize -f raw q.qcow 2M", "dd if=q.qcow of=a", "dd -U if=q.qcow of=a",
               "dd -O qcow if=s.raw of=q.qcow", "dd if=s.raw of=q.qcow", "bench -c 1 q.qcow",
               "bench -w -c 1 q.qcow", "bench -c 1 -w -f raw q.qcow", "snapshot q.qcow",
               "snapshot -l q.qcow", "snapshot -U -l q.qcow", "measure q.qcow", "measure -U q.qcow",
               "amend -o size=1 q.qcow", "bitmap --clear q.qcow b", "check -f raw q.qcow"],
    "s.raw": ["info s.raw", "map s.raw", "convert s.raw a", "convert -U s.raw a",
              "compare s.raw same.raw", "convert -n same.raw s.raw", "dd -f raw if=s.raw of=a",
              "dd if=same.raw of=s.raw", "bench -w -c 10 -f raw --pattern=3 s.raw",
              "resize -f raw s.raw 2M", "measure s.raw", "create s.raw 2M", "convert same.raw s.raw"],
}


class Holder:
    """A qemu-io that has an image open until it is let go."""

    def __init__(self, folder, image, flags):
        form = "qcow" if image.endswith(".qcow") else "raw"
        self.process = subprocess.Popen(["qemu-io", *flags, "-f", form, image], cwd=folder,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdin.write("length\n")
        self.process.stdin.flush()
        while "MiB" not in self.process.stdout.readline():
            pass

    def release(self):
        self.process.communicate("quit\n")


def run_one(options, base, answer_class, image, flags, command):
    """Returns what differs, as text, or None."""
    results = []
    for side, program in (("ours", options.ours), ("theirs", options.peer)):
        folder = os.path.join(options.work, f"busy-{side}")
        os.mkdir(folder)
        base.copy_to(folder, base.names_in(command + " " + image))
        holder = Holder(folder, image, flags)
        answer = answer_class(folder)
        answer.run(program, command)
        holder.release()
        with open(os.path.join(folder, image), "rb") as file:
            content = file.read()
        results.append((answer.status, answer.stdout, answer.stderr, content))
        shutil.rmtree(folder)
    ours, theirs = results
    if ours == theirs:
        return None
    return f"\n  ours   {ours[:3]}\n  theirs {theirs[:3]}"


def run(options, base, answer_class):
    failed = count = 0
    for image, commands in COMMANDS.items():
        for flags in ([], ["-r"]):
            for command in commands:
                count += 1
                difference = run_one(options, base, answer_class, image, flags, command)
                if difference:
                    failed += 1
                    print(f"DIFFERS {command}, {image} held by qemu-io {flags}: {difference}")
    print(f"{count} invocations on busy images, {failed} differ")
    return failed
