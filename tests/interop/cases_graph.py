# SPDX-License-Identifier: MIT
"""Invocations of commit and rebase: see cases.py."""

COMMIT = """
commit o.qcow
commit o.qcow ;; info o.qcow ;; convert -f qcow o.qcow a
commit -p o.qcow
commit -q o.qcow
commit -q -p o.qcow
commit -f qcow o.qcow
commit --format qcow o.qcow
commit -d o.qcow
commit -d -q o.qcow ;; compare -f raw -F qcow s.raw o.qcow
commit -b s.raw o.qcow
commit -b ./s.raw o.qcow
commit -b nope.raw o.qcow
commit -b o.qcow o.qcow
commit -b '' o.qcow
commit grown.qcow
commit grown.qcow ;; info s.raw
commit oq.qcow
commit oq.qcow ;; compare oq.qcow q.qcow
commit oq.qcow ;; info oq.qcow
commit l1.qcow
commit l3.qcow
commit l3.qcow ;; compare l3.qcow l2.qcow
commit -b l1.qcow l3.qcow ;; compare l3.qcow l1.qcow
commit -b s.raw l5.qcow ;; compare -F raw l5.qcow s.raw
commit -b l4.qcow l5.qcow
commit -d -b s.raw l5.qcow
commit -t none o.qcow
commit -t writeback o.qcow
commit -t writethrough o.qcow
commit -t directsync o.qcow
commit -t unsafe o.qcow
commit -t foo o.qcow
commit -r 0 o.qcow
commit -r 10M o.qcow
commit -r 1x o.qcow
commit -r 1.5 o.qcow
commit -r -1 o.qcow
commit -r 9E o.qcow
commit s.raw
commit -f raw s.raw
commit q.qcow
commit -f qcow s.raw
commit -f foo o.qcow
commit orphan.qcow
commit nope.qcow
commit
commit a b
commit -Z o.qcow
commit -b
commit --image-opts driver=qcow,file.filename=o.qcow
commit --image-opts -f qcow driver=qcow,file.filename=o.qcow
commit --image-opts driver=qcow,file.filename=q.qcow,backing.file.filename=longer.raw,backing.driver=raw
commit --image-opts driver=qcow,file.filename=o.qcow,read-only=on
commit {SECRET} --image-opts {ENC_OPTS}
create -q -f qcow -b s.raw -F raw a ;; commit a ;; commit a ;; compare -F raw -f qcow a s.raw
create -q -f qcow -b q.qcow -F qcow a 2M ;; commit -p a ;; compare a q.qcow
"""

REBASE = """
rebase o.qcow
rebase
rebase -b s.raw
rebase a b -b s.raw
rebase -b same.raw -F raw o.qcow
rebase -b same.raw -F raw o.qcow ;; compare -F raw same.raw o.qcow
rebase -p -b same.raw -F raw o.qcow
rebase -q -b same.raw -F raw o.qcow
rebase -b same.raw o.qcow
rebase -u -b same.raw o.qcow
rebase -u -b same.raw -F raw o.qcow
rebase -u -b nope.raw -F raw o.qcow
rebase -u o.qcow
rebase -u -b '' o.qcow
rebase -b '' o.qcow
rebase -b '' -F raw o.qcow
rebase -b nope.raw -F raw o.qcow
rebase -b nope.raw o.qcow
rebase -b same.raw -F foo o.qcow
rebase -u -b same.raw -F foo o.qcow
rebase -b same.raw -F qcow o.qcow
rebase -b o.qcow -F qcow o.qcow
rebase -b l1.qcow -F qcow l3.qcow
rebase -b s.raw -F raw l5.qcow
rebase -b same.raw -F raw s.raw
rebase -f raw -b same.raw -F raw s.raw
rebase -b q.qcow -F qcow empty.qcow
rebase -b longer.raw -F raw o.qcow
rebase -b z.raw -F raw o.qcow
rebase -t foo -b same.raw -F raw o.qcow
rebase -T foo -b same.raw -F raw o.qcow
rebase -t none -T none -b same.raw -F raw o.qcow
rebase -f qcow -b same.raw -F raw o.qcow
rebase -f foo -b same.raw -F raw o.qcow
rebase -f qcow -b same.raw -F raw s.raw
rebase -U -b same.raw -F raw o.qcow
rebase -b same.raw -F raw orphan.qcow
rebase -u -b same.raw -F raw orphan.qcow
rebase -b same.raw -F raw nope.qcow
rebase -Z -b same.raw -F raw o.qcow
rebase -b
rebase --image-opts -f qcow -b same.raw -F raw driver=qcow,file.filename=o.qcow
rebase --image-opts -b same.raw -F raw driver=qcow,file.filename=o.qcow
rebase {SECRET} --image-opts -b same.raw -F raw {ENC_OPTS}
"""

# A new image in the place of a file that its backing file needs.
CHAIN = """
create -f qcow -b o.qcow -F qcow s.raw ;; compare -f raw -F raw s.raw same.raw
convert -O qcow -B o.qcow -F qcow z.raw s.raw ;; compare -f raw -F raw s.raw same.raw
"""

GROUPS = {"commit": COMMIT, "rebase": REBASE, "chain": CHAIN}
