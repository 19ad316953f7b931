# SPDX-License-Identifier: MIT
"""Invocations of the commands that work on one image as it is: resize, measure, bench, snapshot,
amend, bitmap. As in cases.py."""

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

BENCH = """
bench
bench s.raw -c 10
bench s.raw -c 10 -q
bench -c 10 -d 4 -s 8k -S 16k -o 4k -w -f raw s.raw
bench -c 10 -d 4 -s 8k -S 16k -o 4k -w s.raw
bench -c 10 -w --flush-interval=5 -d 4 -f raw s.raw
bench -c 10 -w --flush-interval=5 -d 4 --no-drain -f raw s.raw
bench -c 10 -w --flush-interval=3 -d 4 --no-drain -f raw s.raw
bench -c 10 -w --flush-interval=3 -d 4 -f raw s.raw
bench -c 10 --flush-interval=3 -d 4 -f raw s.raw
bench -c 11 -w --flush-interval=5 -d 5 -f raw s.raw
bench -c 10 --no-drain -f raw s.raw
bench -c 10 -w --no-drain -f raw s.raw
bench -c 10 --pattern=65 -w -f raw s.raw
bench -c 10 --pattern=256 -w -f raw s.raw
bench -c 10 --pattern=255 -w -f raw s.raw
bench -c 10 --pattern=0x41 -w -f raw s.raw
bench -c 10 --pattern=-1 -w -f raw s.raw
bench -c 10 --pattern=x -w -f raw s.raw
bench -c 10 --pattern= -w -f raw s.raw
bench -c 10 --pattern=65 s.raw
bench -c x s.raw
bench -c '' s.raw
bench -c -1 s.raw
bench -c 0 s.raw
bench -c 010 s.raw
bench -c 0x10 s.raw
bench -c +5 s.raw
bench -c 5x s.raw
bench -c 1k s.raw
bench -c 2147483648 s.raw
bench -c 2147483647 -d x s.raw
bench -d -1 s.raw
bench -d 0 -c 0 s.raw
bench -c 10 -d 1k s.raw
bench -c 10 -d 2147483648 s.raw
bench -c 10 -d 100000 s.raw
bench -c 10 -s x s.raw
bench -c 10 -s 0 s.raw
bench -c 10 -s 3G s.raw
bench -c 10 -s 2147483647 s.raw
bench -c 10 -s 2147483648 s.raw
bench -c 10 -s 2M s.raw
bench -c 10 -S x s.raw
bench -c 10 -S 0 s.raw
bench -c 10 -S 2147483648 s.raw
bench -c 10 -o x s.raw
bench -c 10 -o 2M s.raw
bench -c 10 -o 1M s.raw
bench -c 10 -o 8E s.raw
bench -c 10 -o -1 s.raw
bench -c 10 -s 1000 -S 3000 s.raw
bench -c 10 -s 700k s.raw
bench -c 10 -S 700k s.raw
bench -c 10 -w -f raw -S 700k --pattern=7 s.raw
bench -c 0 e.raw
bench -c 10 u.raw
bench -c 3 -s 512 u.raw
bench -c 10 -t foo s.raw
bench -c 10 -t none s.raw
bench -c 10 -t writethrough -w -f raw s.raw
bench -c 10 -n s.raw
bench -c 10 -n -t none s.raw
bench -c 10 -i native s.raw
bench -c 10 -i native -t none s.raw
bench -c 10 -i threads s.raw
bench -c 10 -i threads -n s.raw
bench -c 10 -i io_uring s.raw
bench -c 10 -i foo s.raw
bench -c 10 -U s.raw
bench -c 10 -U -w s.raw
bench -c 10 -w q.qcow
bench -c 300 -d 16 -w --pattern=3 q.qcow
bench -c 300 -w --pattern=3 o.qcow
bench -c 10 q.qcow
bench -c 10 nope
bench -c 10 s.raw z.raw
bench -c 10 -f qcow s.raw
bench -c 10 -f foo s.raw
bench -c 10 --image-opts driver=raw,file.filename=s.raw
bench -c 10 --image-opts -f raw s.raw
bench -c 10 enc.qcow
bench -c 10 {SECRET} --image-opts {ENC_OPTS}
bench -c 10 corrupt.qcow
bench -c 300 corrupt.qcow
bench -c 10 --flush-interval=x -w s.raw
bench -c 10 --flush-interval=-1 -w -f raw s.raw
bench -c 10 --flush-interval=0 -w -f raw s.raw
bench -c 10 --flush-interval=1k -w -f raw s.raw
bench -Z s.raw
bench -c 10 -w --flush-interval=5 -d 4 -q -f raw s.raw
bench -c 10 -p s.raw
bench -c 20000 -d 17000 s.raw
"""

SNAPSHOT = """
snapshot
snapshot q.qcow
snapshot -l q.qcow
snapshot -l s.raw
snapshot s.raw
snapshot -c a q.qcow
snapshot -c a s.raw
snapshot -a a q.qcow
snapshot -a a s.raw
snapshot -a a --image-opts driver=raw,file.filename=s.raw
snapshot -d a q.qcow
snapshot -d a s.raw
snapshot -c '' q.qcow
snapshot -d '' q.qcow
snapshot -l -c a q.qcow
snapshot -c a -d b q.qcow
snapshot -a a -l q.qcow
snapshot -l -l q.qcow
snapshot -c a -c b q.qcow
snapshot -c
snapshot -c a
snapshot q.qcow s.raw
snapshot nope
snapshot -l nope
snapshot -f qcow q.qcow
snapshot -q -c a q.qcow
snapshot -q -l q.qcow
snapshot -U q.qcow
snapshot -U -l q.qcow
snapshot -U -c a q.qcow
snapshot --image-opts driver=qcow,file.filename=q.qcow
snapshot --image-opts -c a driver=raw,file.filename=s.raw
snapshot --image-opts -l s.raw
snapshot -Z q.qcow
snapshot -p -l q.qcow
snapshot -l enc.qcow
snapshot -c a enc.qcow
snapshot -l orphan.qcow
snapshot -c a orphan.qcow
snapshot -l o.qcow
snapshot -c a o.qcow
snapshot -l bits8.qcow
snapshot -l --object secret,id=s,data=abc q.qcow
"""

AMEND = """
amend
amend q.qcow
amend -p
amend -o size=2M q.qcow
amend -o size=2M s.raw
amend -o size=2M -f raw s.raw
amend -o help q.qcow
amend -o '?' q.qcow
amend -o help -f qcow
amend -o help -f foo
amend -o help -f rwa
amend -o help
amend -o help s.raw
amend -o help nope
amend -f qcow -o help nope
amend -o size=2M -o help -f qcow x y
amend -o help --image-opts -f qcow driver=qcow,file.filename=q.qcow
amend -o bogus=1 q.qcow
amend -o , q.qcow
amend -o '' q.qcow
amend -o size=2M nope
amend -o size=2M
amend -o size=2M a b
amend -f foo -o size=2M s.raw
amend -f qcow -o size=2M s.raw
amend -p -o size=2M q.qcow
amend -p -o size=2M nope
amend -p -q -o size=2M q.qcow
amend -q -o size=2M q.qcow
amend -t foo -o size=2M q.qcow
amend -t foo -o size=2M
amend -t foo -o help nope
amend -t none -o size=2M q.qcow
amend --force -o size=2M q.qcow
amend --image-opts -o size=2M driver=qcow,file.filename=q.qcow
amend --image-opts -f raw -o size=2M s.raw
amend -Z -o size=2M q.qcow
amend -U -o size=2M q.qcow
amend -o size=2M enc.qcow
amend -o size=2M orphan.qcow
amend --object secret,id=s,data=abc -o size=2M q.qcow
"""

BITMAP = """
bitmap
bitmap q.qcow b
bitmap --add q.qcow b
bitmap --add s.raw b
bitmap --add -f raw s.raw b
bitmap --add o.qcow b
bitmap --remove q.qcow b
bitmap --clear q.qcow b
bitmap --enable q.qcow b
bitmap --disable q.qcow b
bitmap --merge c q.qcow b
bitmap --merge c -b o.qcow q.qcow b
bitmap --merge c -b s.raw -F raw q.qcow b
bitmap --merge c -b nope q.qcow b
bitmap --merge c -b s.raw nope b
bitmap --merge c -F raw q.qcow b
bitmap --merge c -F foo -b s.raw q.qcow b
bitmap --merge
bitmap --add q.qcow
bitmap --add
bitmap --add q.qcow b c
bitmap --add nope b
bitmap -g 64k q.qcow b
bitmap --add -g 64k q.qcow b
bitmap --add -g 3 q.qcow b
bitmap --add -g 256 q.qcow b
bitmap --add -g 512 q.qcow b
bitmap --add -g x q.qcow b
bitmap --add -g 2G q.qcow b
bitmap --add -g 4G q.qcow b
bitmap --add -g 8E q.qcow b
bitmap --add -g 0 q.qcow b
bitmap --add -g 3 q.qcow ''
bitmap --add -g 1k -g 3 -f raw s.raw b
bitmap --add --granularity=64k -f raw s.raw b
bitmap --source-file=s.raw --source-format=raw --merge c q.qcow b
bitmap --remove -g 64k q.qcow b
bitmap --remove -b s.raw q.qcow b
bitmap --remove -F raw q.qcow b
bitmap --add -b s.raw q.qcow b
bitmap --clear -g 64k -F raw x
bitmap --clear -F raw -f raw x
bitmap --image-opts -f raw --add a
bitmap --image-opts -f raw --add s.raw b
bitmap --add --disable q.qcow b
bitmap --disable --add q.qcow b
bitmap --merge c --add -f raw s.raw b
bitmap --image-opts --add driver=raw,file.filename=s.raw b
bitmap --image-opts --add driver=raw,node-name=x,file.filename=s.raw b
bitmap --merge c --image-opts -b driver=raw,file.filename=s.raw driver=qcow,file.filename=q.qcow b
bitmap -Z q.qcow b
bitmap --add -q q.qcow b
bitmap -U --add q.qcow b
bitmap --add enc.qcow b
bitmap --remove orphan.qcow b
bitmap --add q.qcow ''
bitmap --clear q.qcow ''
bitmap --remove s.raw b
bitmap --object secret,id=s,data=abc --add q.qcow b
"""

GROUPS = {
    "resize": RESIZE, "measure": MEASURE, "bench": BENCH, "snapshot": SNAPSHOT, "amend": AMEND,
    "bitmap": BITMAP,
}
