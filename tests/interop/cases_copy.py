# SPDX-License-Identifier: MIT
"""Invocations of dd. As in cases.py."""

DD = """
dd
dd if=s.raw
dd of=a
dd if=s.raw of=a
dd if=s.raw of=a foo=1
dd foo if=s.raw of=a
dd foo bs=x
dd bs=x foo
dd if=s.raw of=a coutn=1
dd if=s.raw of=a bs=1M
dd if=s.raw of=a bs=0
dd if=s.raw of=a bs=x
dd if=s.raw of=a bs=2G
dd if=s.raw of=a bs=2147483647
dd if=s.raw of=a bs=2147483648
dd if=s.raw of=a bs=-1
dd if=s.raw of=a bs=
dd if=s.raw of=a bs=1000
dd if=s.raw of=a bs=100 count=77
dd if=s.raw of=a bs=1.5k
dd if=s.raw of=a bs=0x10k
dd if=s.raw of=a count=3
dd if=s.raw of=a count=0
dd if=s.raw of=a count=x
dd if=s.raw of=a count=
dd if=s.raw of=a count=-1
dd if=s.raw of=a count=8E
dd if=s.raw of=a count=7E bs=4k
dd if=s.raw of=a skip=3
dd if=s.raw of=a skip=x
dd if=s.raw of=a skip=2047
dd if=s.raw of=a skip=2048
dd if=s.raw of=a skip=2049
dd if=s.raw of=a skip=4096 count=1
dd if=s.raw of=a skip=7E bs=4k
dd if=s.raw of=a skip=1 bs=1000
dd if=s.raw of=a skip=1 count=2 bs=1000
dd if=s.raw of=a skip=2 count=3 bs=4k
dd if=s.raw of=a skip=2 count=1 bs=4k
dd if=s.raw of=a skip=5 count=300 bs=4k
dd if=s.raw of=nodir/a skip=5000
dd if=s.raw of=a skip=5000 -O qcow
dd if=u.raw of=a
dd if=u.raw of=a bs=700
dd if=u.raw of=a bs=100 skip=6
dd if=u.raw of=a bs=100 skip=7
dd if=u.raw of=a bs=100 skip=11
dd if=e.raw of=a
dd if=e.raw of=a skip=1
dd if=s.raw of=a -O qcow
dd -O qcow if=s.raw of=a
dd -O qcow if=s.raw of=a bs=100 count=1
dd -O qcow if=s.raw of=a count=0
dd -O qcow if=e.raw of=a
dd -O foo if=s.raw of=a
dd -O foo if=nope of=a
dd -O foo if=s.raw of=a skip=5000
dd -O rwa if=s.raw of=a
dd -O file if=s.raw of=a
dd -f foo if=s.raw of=a
dd -f qcow if=s.raw of=a
dd -f qcow if=q.qcow of=a
dd if=q.qcow of=a
dd -f raw if=q.qcow of=a
dd if=c.qcow of=a
dd if=o.qcow of=a
dd if=grown.qcow of=a
dd if=tera.qcow of=a bs=1M count=1
dd if=giga.qcow of=a bs=64M count=1
dd if=nope of=a
dd if=nope of=a bs=x
dd if=s.raw of=nodir/a
dd if=s.raw of=.
dd if=s.raw of=z.raw
dd if=s.raw of=q.qcow
dd if=s.raw of=s.raw
dd if=s.raw of=./s.raw
dd if=o.qcow of=s.raw
dd if=q.qcow of=q.qcow -O qcow
dd if=q.qcow of=q.qcow
dd if=s.raw if=z.raw of=a
dd if=s.raw of=a of=b
dd if=s.raw of=a bs=1k bs=4k
dd if=s.raw of=a count=1 count=2
dd --image-opts if=driver=raw,file.filename=s.raw of=a
dd --image-opts if=driver=raw,offset=1k,size=64k,file.filename=s.raw of=a
dd --image-opts -f raw if=s.raw of=a
dd --image-opts -f raw if=nope of=a
dd --image-opts -f raw if=nope
dd -U if=s.raw of=a
dd --force-share if=q.qcow of=a
dd -q if=s.raw of=a
dd -p if=s.raw of=a
dd -n if=s.raw of=a
dd --object secret,id=s,data=abc if=s.raw of=a
dd {SECRET} --image-opts if={ENC_OPTS} of=a
dd -Z if=s.raw of=a
dd --foo if=s.raw of=a
dd if=enc.qcow of=a
dd if=orphan.qcow of=a
dd if=corrupt.qcow of=a bs=1M
dd if= of=a
dd if=s.raw of=
dd if=s.raw of=a seek=1
dd if=s.raw of=a conv=notrunc
dd if=s.raw of=a =1
dd if=s.raw of=a =
dd if=s.raw of=a bs
dd if=s.raw of=x:y
dd if=s.raw of=x:y bs=x
dd if=s.raw of=file:a
dd if=s.raw of=/dev/null
dd if=s.raw of=/dev/null count=0
dd if=/dev/null of=a
"""

GROUPS = {"dd": DD}
