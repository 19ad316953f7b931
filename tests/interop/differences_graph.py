# SPDX-License-Identifier: MIT
"""Deliberate differences of the commands in cases_graph.py; see differences.py."""

CAN_REBASE = "qcow can change its backing file; the peer finds out at the end that it cannot"
LONG_OPTION = "every command with -f takes --format"


def rebased(*files, status=(0,)):
    """What the image holds then is compared by the tests of rebase; here, what is said and left."""
    return {"why": CAN_REBASE, "status": list(status), "stderr": "", "files": sorted(files)}


O_AND_SAME = ("o.qcow", "s.raw", "same.raw")
CHAIN = ("l1.qcow", "l2.qcow", "l3.qcow", "s.raw")


def keeps_chain(*files):
    return {"why": "the peer overwrites what the backing file rests on", "status": [1, 0],
            "stdout": r"Images are identical\.\n", "files": sorted(files),
            "stderr": r"qemu-img: (s\.raw: )?Error: Trying to create an image with the same filename as "
                      r"a backing file of 'o\.qcow'\n"}


DIFFERENCES = {
    "create -f qcow -b o.qcow -F qcow s.raw ;; compare -f raw -F raw s.raw same.raw":
        keeps_chain("o.qcow", "s.raw", "same.raw"),
    "convert -O qcow -B o.qcow -F qcow z.raw s.raw ;; compare -f raw -F raw s.raw same.raw":
        keeps_chain("o.qcow", "s.raw", "same.raw", "z.raw"),
    "commit --format qcow o.qcow": {
        "why": LONG_OPTION, "status": [0], "stdout": r"Image committed\.\n", "stderr": "",
        "files": ["o.qcow", "s.raw"]},
    "commit grown.qcow ;; info s.raw": {
        "why": "the peer writes zeros where the file has grown",
        "stdout": r"Image committed\.\n(.*\n)+disk size: \d+ KiB\n"},
    "create -q -f qcow -b q.qcow -F qcow a 2M ;; commit -p a ;; compare a q.qcow": {
        "why": "a backing file of format qcow can grow, too", "status": [0, 0, 0], "stderr": "",
        "stdout": r"    \(0\.00/100%\)\r.*\nImage committed\.\nImages are identical\.\n",
        "files": ["a", "q.qcow"]},
    "rebase -b same.raw -F raw o.qcow": rebased(*O_AND_SAME),
    "rebase -b same.raw -F raw o.qcow ;; compare -F raw same.raw o.qcow":
        rebased(*O_AND_SAME, status=(0, 1)),
    "rebase -p -b same.raw -F raw o.qcow": rebased(*O_AND_SAME),
    "rebase -q -b same.raw -F raw o.qcow": rebased(*O_AND_SAME),
    "rebase -t none -T none -b same.raw -F raw o.qcow": rebased(*O_AND_SAME),
    "rebase -f qcow -b same.raw -F raw o.qcow": rebased(*O_AND_SAME),
    "rebase -U -b same.raw -F raw o.qcow": rebased(*O_AND_SAME),
    "rebase --image-opts -b same.raw -F raw driver=qcow,file.filename=o.qcow":
        rebased(*O_AND_SAME),
    "rebase -u -b same.raw -F raw o.qcow": rebased(*O_AND_SAME),
    "rebase -u -b nope.raw -F raw o.qcow": rebased("o.qcow", "s.raw"),
    "rebase -u o.qcow": rebased("o.qcow", "s.raw"),
    "rebase -u -b '' o.qcow": rebased("o.qcow", "s.raw"),
    "rebase -b '' o.qcow": rebased("o.qcow", "s.raw"),
    "rebase -b '' -F raw o.qcow": rebased("o.qcow", "s.raw"),
    "rebase -b l1.qcow -F qcow l3.qcow": rebased(*CHAIN),
    "rebase -b s.raw -F raw l5.qcow": rebased("l4.qcow", "l5.qcow", *CHAIN),
    "rebase -b q.qcow -F qcow empty.qcow": rebased("empty.qcow", "q.qcow"),
    "rebase -b longer.raw -F raw o.qcow": rebased("longer.raw", "o.qcow", "s.raw"),
    "rebase -b z.raw -F raw o.qcow": rebased("o.qcow", "s.raw", "z.raw"),
    "rebase -u -b same.raw -F raw orphan.qcow": rebased("orphan.qcow", "same.raw"),
    "rebase --object secret,id=s,data=abc --image-opts -b same.raw -F raw "
    "driver=qcow,file.filename=enc.qcow,encrypt.key-secret=s": rebased("enc.qcow", "same.raw"),
}
