# SPDX-License-Identifier: MIT
"""Invocations of the commands that work on one image as it is: resize, measure. As in cases.py."""

RESIZE = """
resize s.raw 2M
resize -f raw s.raw 2M
resize -f raw s.raw +1M
resize -f raw s.raw -512k
resize -f raw --shrink s.raw -512k
resize -f raw --shrink s.raw -- -512k
resize --shrink -f raw -q s.raw 512k
resize -f raw s.raw 0
resize -f raw s.raw +0
resize -f raw s.raw -2M
resize -f raw s.raw --shrink -1M
resize -f raw s.raw -1M --shrink
resize -f raw s.raw 1M
resize -f raw s.raw 1000000
resize -f raw --shrink s.raw 1000000
resize -f raw s.raw 8E
resize -f raw s.raw 7E
resize -f raw s.raw +8E
resize -f raw s.raw +7E
resize -f raw s.raw 9223372036854775807
resize -f raw s.raw +18446744073709551615
resize --shrink -f raw s.raw -18446744073709551615
resize -f raw s.raw x
resize -f raw s.raw 1.5
resize -f raw s.raw ''
resize -f raw s.raw +
resize -f raw s.raw -
resize -f raw s.raw ++1k
resize -f raw s.raw +-1
resize -f raw s.raw 99999999999999999999
resize -f raw s.raw 1kb
resize -f raw s.raw 0x10k
resize -f raw s.raw
resize s.raw
resize
resize --help
resize 1M
resize a b c
resize -f raw a b 1M
resize nope x
resize --preallocation=full -f raw s.raw +64k
resize --preallocation=falloc -f raw s.raw +64k
resize --preallocation=metadata -f raw s.raw +64k
resize --preallocation=foo -f raw s.raw +64k
resize --preallocation=full --shrink -f raw s.raw 64k
resize --preallocation=full -f raw s.raw 64k
resize --preallocation=full -f raw s.raw 1M
resize --preallocation=off --shrink -f raw s.raw 64k
resize q.qcow 2M
resize q.qcow 1M
resize q.qcow -1k
resize --shrink q.qcow -1k
resize q.qcow -2M
resize q.qcow +0
resize nope 1M
resize -f foo s.raw 1M
resize -f qcow s.raw 1M
resize --image-opts driver=raw,file.filename=s.raw 2M
resize --image-opts driver=raw,size=64k,file.filename=s.raw 2M
resize --image-opts driver=raw,size=64k,file.filename=s.raw 64k
resize --image-opts driver=raw,offset=4k,file.filename=s.raw 2M
resize --image-opts driver=raw,offset=4k,file.filename=s.raw +2M
resize --image-opts driver=raw,offset=4k,size=64k,file.filename=s.raw 2M
resize --image-opts -f raw s.raw 2M
resize -Z s.raw 2M
resize o.qcow 2M
resize enc.qcow 2M
resize u.raw +0
resize u.raw 700
resize --shrink u.raw -1
resize --shrink -f raw u.raw 699
resize -f raw e.raw +0
resize -f raw -q s.raw -1k
resize -f raw s.raw -h
resize --object secret,id=s,data=abc -f raw s.raw 2M
resize -f raw s.raw 2M ;; resize --shrink -f raw s.raw -1M ;; info s.raw
"""

MEASURE = """
measure
measure --size 1M
measure --size 1M s.raw
measure --size 1000
measure --size 0
measure --size x
measure --size 8E
measure --size -1
measure --size 1.5
measure -O raw s.raw
measure s.raw
measure u.raw
measure e.raw
measure s.raw z.raw
measure -f raw
measure -f raw --size 1M
measure --image-opts --size 1M
measure -l x --size 1M
measure --image-opts
measure -O qcow s.raw
measure -O qcow --size 1M
measure -O foo --size 1M
measure -O foo s.raw
measure --output=json --size 1M
measure --output=json s.raw
measure --output=foo s.raw
measure -o bogus=1 --size 1M
measure -o bogus=1 s.raw
measure -O qcow -o bogus=1 s.raw
measure -o size=2M --size 1M
measure -o size=2M s.raw
measure -o size=2M
measure -o size=foo s.raw
measure -o nocow=bad s.raw
measure -o preallocation=full s.raw
measure -o help
measure -O qcow -o help s.raw
measure -o , s.raw
measure -l x s.raw
measure -l snapshot.foo=bar s.raw
measure -l snapshot.id=1 s.raw
measure -f qcow s.raw
measure -f foo s.raw
measure nope
measure -O foo nope
measure --image-opts driver=raw,file.filename=s.raw
measure --image-opts -f raw s.raw
measure -U s.raw
measure -q s.raw
measure -Z
measure enc.qcow
measure {SECRET} --image-opts {ENC_OPTS}
measure o.qcow
measure q.qcow
measure orphan.qcow
measure --object secret,id=s,data=abc s.raw
measure -O file --size 1M
measure --size 9223372036854775807
measure --size 9223372036854775296
"""

GROUPS = {"resize": RESIZE, "measure": MEASURE}
