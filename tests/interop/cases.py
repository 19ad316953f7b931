# SPDX-License-Identifier: MIT
"""The invocations that both tools are given. A line is one case: the arguments as a shell would split
them; " ;; " separates steps. A case's name is its text."""

import cases_copy
import cases_manage

SECRET = "--object secret,id=s,data=abc"
ENC = "-o encrypt.format=aes,encrypt.key-secret=s"
ENC_OPTS = "driver=qcow,file.filename=enc.qcow,encrypt.key-secret=s"

GLOBAL = """
foo
-Z
--foo
info
info z.raw s.raw
info -Z z.raw
info --foo z.raw
convrt s.raw a
inof z.raw
info --outpt=json z.raw
info --image-opt driver=raw,file.filename=z.raw
info -f rwa z.raw
info fiel:z.raw
create -f qcwo a 1M
create -o preallocaton=off a 1M
info --image-opts driver=raw,file.filenam=z.raw
info --image-opts driver=raw,raed-only=on,file.filename=z.raw
convert -O qwoc s.raw a
create -f qcow -b s.raw -F rwa a
info -f
info --output=xml z.raw
create
create -f
create a b c
create a 1M 2M
check
compare z.raw z.raw z.raw -Z
compare z.raw
map
map z.raw s.raw
convert
convert z.raw
convert -Z z.raw a
info --object secret,id=s z.raw
info --object secret,id=s,data=a,file=b z.raw
info --object secret,id=s,data=a --object secret,id=s,data=a z.raw
info --object secret,data=a z.raw
info --object secret,id=0,data=a z.raw
info --object secret,id=s,file=/nonexist z.raw
info --object secret,id=s,data=a,format=hex z.raw
info --object secret,id=s,data=!!,format=base64 z.raw
info --object secret,id=s,data=a,bogus=1 z.raw
info --object foo,id=s z.raw
info --object secret,id=s,data=YWJj,format=base64,keyid=k z.raw
info --object secret,help
"""

CREATE = """
create a 1M
create -q a 1M
create a 1M -q
create -f raw a 1048577
create a 511
create a 0
create a 0x10k
create a 1.5k
create a 1.5
create a 1e3
create a ''
create a x
create a -- -1
create a 8E
create a 99999999999999999999
create a 010
create a 1kb
create 'a b' 1M
create nodir/a 1M
create . 1M
create file:a 1M
create x:y 1M
create -f foo a 1M
create -o size=1M a
create -o size=1k,size=2k a
create -o size=1k -o size=3k a
create -o size=1M a 1M
create -o size=foo a
create -o size=99999999999999999999 a
create -o bogus=1 a 1M
create -o nocow a 1M
create -o nocow=1 a 1M
create -o nocow=yes a 1M
create -o , a 1M
create -o '' a 1M
create -o size=1M, a
create -o help
create -f qcow -o '?'
create -f raw -o help a
create -f foo -o help
create -o preallocation=off a 64k
create -o preallocation=falloc a 64k
create -o preallocation=full a 64k
create -o preallocation=metadata a 64k
create -o preallocation=bad a 64k
create -f qcow a 1M
create -f qcow a 511
create -f qcow a 1000448
create -f qcow a 0
create -f qcow a
create -f qcow a 1T
create -f qcow -F raw a 1M
create -f qcow a 1E
create -f qcow -b s.raw -F raw a ;; info a
create -f qcow . 1M
create -f qcow nodir/a 1M
create -f qcow -b s.raw -F raw a
create -f qcow -b s.raw -F raw a 3M
create -f qcow -o backing_file=s.raw,backing_fmt=raw a
create -f qcow -b q.qcow -F qcow a
create -f qcow -b q.qcow -F raw a
create -f qcow -b s.raw -F qcow a
create -f qcow -b s.raw -F foo a
create -f qcow -u -b s.raw -F foo a 1M
create -f qcow -b nope.raw -F raw a 1M
create -f qcow -u -b nope.raw -F raw a 1M
create -f qcow -u -b nope.raw -F raw a
create -f qcow -u -b nope.raw a 1M
create -f qcow -b '' a 1M
create -f qcow -b a -F raw a 1M
create -f qcow -b q.qcow a
create -f qcow -b s.raw -F raw -o backing_file=nope.raw a
create -b s.raw -F raw a
create -b s.raw a
create -o backing_file=s.raw a
create -f qcow -u -b a,b -F raw x 1M
create -u a 1M
create -f qcow -o encryption=on a 1M
create -f qcow -o encryption=off a 1M
create -f qcow -o encrypt.format=aes a 1M
create -f qcow -o encrypt.format=luks a 1M
create -f qcow -o encrypt.format=aes,encryption=on a 1M
create -f qcow -o encrypt.key-secret=s a 1M
create -f qcow -o encrypt.format=aes,encrypt.key-secret=nope a 1M
create -f qcow {SECRET} {ENC} a 1M
create -f qcow {SECRET} {ENC} -b s.raw -F raw a
create -f qcow {SECRET} -o encryption=on,encrypt.key-secret=s a 1M
create a 1M ;; create a 2M ;; info a
"""

INFO = """
info z.raw
info s.raw
info u.raw
info e.raw
info odd.raw
info -f raw q.qcow
info 'with space.raw'
info q.qcow
info -f qcow q.qcow
info -f qcow z.raw
info -f foo z.raw
info odd.qcow
info tera.qcow
info c.qcow
info enc.qcow
info o.qcow
info oq.qcow
info orphan.qcow
info nope
info two.qcow2
info .
info ''
info x:y
info file:z.raw
info /dev/null
info -U q.qcow
info --output=json z.raw
info --output=json u.raw
info --output=json q.qcow
info --output=json enc.qcow
info --output=json o.qcow
info --output=json orphan.qcow
info --output=json tera.qcow
info --output=json --output=human q.qcow
info --backing-chain l3.qcow
info --backing-chain --output=json l3.qcow
info --backing-chain --output=json z.raw
info --backing-chain orphan.qcow
info --backing-chain loop1.qcow
info --image-opts driver=raw,file.filename=z.raw
info --image-opts driver=qcow,file.driver=file,file.filename=q.qcow
info --image-opts driver=qcow,file.filename=nope
info --image-opts driver=foo,file.filename=z.raw
info --image-opts driver=raw,bogus=1,file.filename=z.raw
info --image-opts driver=raw,file.bogus=1,file.filename=z.raw
info --image-opts z.raw
info --image-opts driver=raw
info --image-opts driver=raw,offset=512,size=4096,file.filename=s.raw
info --image-opts driver=raw,offset=2M,file.filename=s.raw
info --image-opts driver=raw,size=2M,file.filename=s.raw
info --image-opts -f raw z.raw
info 'json:{"driver":"raw","file":{"driver":"file","filename":"z.raw"}}'
info 'json:{"driver":"qcow","file.filename":"q.qcow"}'
info "json:{'driver':'qcow','file':{'driver':'file','filename':'q.qcow'}}"
info 'json:{bad'
info 'json:[]'
info bits8.qcow
info bits17.qcow
info l2bits.qcow
info crypt.qcow
info -f qcow version4.qcow
info -f qcow version2.qcow
info tiny.qcow
info huge.qcow
info longname.qcow
"""

CHECK = """
check z.raw
check -f raw q.qcow
check -q z.raw
check --output=json z.raw
check -r leaks z.raw
check -r foo z.raw
check --output=foo z.raw
check -T foo z.raw
check nope
check z.raw s.raw
check -f qcow z.raw
check orphan.qcow
check q.qcow
check c.qcow
check -q q.qcow
check --output=json q.qcow
check o.qcow
check --image-opts -f raw z.raw
"""

MAP = """
map z.raw
map s.raw
map e.raw
map u.raw
map q.qcow
map odd.qcow
map empty.qcow
map o.qcow
map oq.qcow
map grown.qcow
map l5.qcow
map giga.qcow
map c.qcow
map nope
map orphan.qcow
map -f qcow z.raw
map --output=json z.raw
map -s 2M --output=json z.raw
map --output=json e.raw
map --output=json s.raw
map --output=json u.raw
map --output=json odd.raw
map --output=json q.qcow
map --output=json odd.qcow
map --output=json empty.qcow
map --output=json o.qcow
map --output=json oq.qcow
map --output=json grown.qcow
map --output=json l5.qcow
map --output=json giga.qcow
map --output=json c.qcow
map --output=json {SECRET} --image-opts {ENC_OPTS}
map {SECRET} --image-opts {ENC_OPTS}
map --output=json -s 4k -l 100 s.raw
map --output=json -s 60k -l 100k q.qcow
map --output=json --start-offset=1000 --max-length=8k o.qcow
map -s 60k -l 100k o.qcow
map -s foo z.raw
map -s -1 z.raw
map -l foo z.raw
map -s 8E z.raw
map --output=foo z.raw
map enc.qcow
"""

COMPARE = """
compare s.raw same.raw
compare s.raw q.qcow
compare q.qcow s.raw
compare -f raw -F qcow s.raw q.qcow
compare -F raw q.qcow s.raw
compare s.raw diff.raw
compare s.raw diff2.raw
compare s.raw z.raw
compare s.raw longer.raw
compare longer.raw s.raw
compare s.raw tail.raw
compare tail.raw s.raw
compare longer.raw tail.raw
compare -s s.raw same.raw
compare -s s.raw longer.raw
compare -s s.raw q.qcow
compare -s s.raw diff.raw
compare -s z.raw full.raw
compare -s o.qcow s.raw
compare -q s.raw diff.raw
compare -q s.raw longer.raw
compare c.qcow s.raw
compare c.qcow q.qcow
compare o.qcow s.raw
compare oq.qcow s.raw
compare grown.qcow s.raw
compare l5.qcow l4.qcow
compare l5.qcow l5.qcow
compare giga.qcow giga.qcow
compare e.raw e.raw
compare e.raw z.raw
compare u.raw e.raw
compare nope s.raw
compare s.raw nope
compare -f qcow s.raw q.qcow
compare -F foo s.raw q.qcow
compare -T foo s.raw q.qcow
compare -T none s.raw q.qcow
compare --image-opts -f raw s.raw q.qcow
compare {SECRET} --image-opts {ENC_OPTS} driver=raw,file.filename=s.raw
compare enc.qcow s.raw
compare -p s.raw same.raw
compare -p -q s.raw same.raw
compare corrupt.qcow s.raw
compare s.raw corrupt.qcow
compare orphan.qcow s.raw
"""

CONVERT = """
convert s.raw a
convert z.raw a
convert e.raw a
convert u.raw a
convert odd.raw a
convert full.raw a
convert -f raw -O raw q.qcow a
convert s.raw z.raw a
convert u.raw odd.raw s.raw a
convert -O qcow u.raw q.qcow a
convert q.qcow a
convert c.qcow a
convert odd.qcow a
convert o.qcow a
convert l5.qcow a
convert grown.qcow a
convert -O qcow s.raw a
convert -O qcow odd.raw a
convert -O qcow l5.qcow a
convert -O qcow giga.qcow a
convert -O qcow e.raw a
convert -O qcow -S 0 s.raw a
convert -S 0 s.raw a
convert -S 64k s.raw a
convert -S 512 -O qcow s.raw a
convert -S 3 s.raw a
convert -S x s.raw a
convert -S 32M s.raw a
convert -W -O qcow s.raw a
convert -W -m 16 s.raw a
convert -m 1 s.raw a
convert -m 0 s.raw a
convert -m 17 s.raw a
convert -m x s.raw a
convert -r x s.raw a
convert -r 100M z.raw a
convert -t foo s.raw a
convert -T foo s.raw a
convert -t none -T none s.raw a
convert -t writethrough s.raw a
convert -t directsync -O qcow z.raw a
convert -O foo s.raw a
convert -f foo s.raw a
convert -f qcow s.raw a
convert nope a
convert s.raw nope a
convert s.raw nodir/a
convert s.raw .
convert -c s.raw a
convert -c -O qcow s.raw a
convert -c -W -O qcow s.raw a
convert -O qcow -o size=3M s.raw a
convert -O qcow -F raw s.raw a
convert -O qcow -B nope.raw -F raw s.raw a
convert -O qcow -o preallocation=off,nocow=off s.raw a
convert -o bogus=1 s.raw a
convert -O qcow -o bogus=1 s.raw a
convert -O qcow -o , s.raw a
convert -O qcow -o size=foo s.raw a
convert -o preallocation=full z.raw a
convert -O qcow -o help
convert -O qcow -o help s.raw
convert -O qcow -o help s.raw a
convert {SECRET} -O qcow {ENC} s.raw a
convert -O qcow {ENC} s.raw a
convert -O qcow -o encrypt.format=aes s.raw a
convert -c -O qcow {SECRET} {ENC} s.raw a
convert enc.qcow a
convert {SECRET} --image-opts {ENC_OPTS} a
convert --object secret,id=s,data=abc --image-opts driver=qcow,file.filename=enc.qcow,encrypt.key-secret=nope a
convert --image-opts driver=raw,file.filename=s.raw a
convert --image-opts driver=raw,offset=1k,size=64k,file.filename=s.raw a
convert --image-opts s.raw a
convert --image-opts -f raw s.raw a
convert -n s.raw same.raw
convert -n s.raw longer.raw
convert -n s.raw tail.raw
convert -n s.raw z.raw
convert -n s.raw nope
convert -n -O qcow s.raw empty.qcow
convert -n -O qcow z.raw q.qcow
convert -n -O qcow s.raw z.raw
convert -n -o size=1 s.raw a
convert -n --target-is-zero -O qcow s.raw empty.qcow
convert --target-is-zero s.raw a
convert -n --target-image-opts s.raw driver=raw,file.filename=longer.raw
convert -n --target-image-opts s.raw driver=raw,file.filename=nope
convert -n --target-image-opts -O raw s.raw driver=raw,file.filename=longer.raw
convert --target-image-opts s.raw driver=raw,file.filename=longer.raw
convert -O qcow -B s.raw -F raw o.qcow a
convert -O qcow -B s.raw -F raw l1.qcow a
convert -O qcow -o backing_file=s.raw,backing_fmt=raw o.qcow a
convert -O qcow -B s.raw o.qcow a
convert -O qcow -B s.raw -F raw s.raw z.raw a
convert -O qcow -B s.raw -F foo o.qcow a
convert -B s.raw -F raw o.qcow a
convert -B s.raw o.qcow a
convert -F raw s.raw a
convert -O qcow -B q.qcow -F qcow oq.qcow a
convert -C s.raw a
convert -C -S 4k s.raw a
convert -C -c s.raw a
convert -C --salvage s.raw a
convert -l x s.raw a
convert -l x q.qcow a
convert -l snapshot.foo=bar s.raw a
convert --bitmaps s.raw a
convert --bitmaps q.qcow a
convert s.raw s.raw
convert -n s.raw s.raw
convert -O qcow q.qcow q.qcow
convert -n -O qcow q.qcow q.qcow
convert s.raw ./s.raw
convert -p s.raw a
convert -p e.raw a
convert -p -q s.raw a
convert -q s.raw a
convert -U q.qcow a
convert corrupt.qcow a
convert --salvage corrupt.qcow a
convert --salvage -q corrupt.qcow a
convert orphan.qcow a
convert a.b:c a
convert s.raw a ;; convert -O qcow a b ;; compare -f raw -F qcow a b
"""

GROUPS = {
    "global": GLOBAL, "create": CREATE, "info": INFO, "check": CHECK, "map": MAP,
    "compare": COMPARE, "convert": CONVERT, **cases_copy.GROUPS, **cases_manage.GROUPS,
}


def all_cases():
    """(group, text) of every case, its place-holders filled in."""
    for group, table in GROUPS.items():
        for line in table.strip().splitlines():
            for name, value in (("SECRET", SECRET), ("ENC_OPTS", ENC_OPTS), ("ENC", ENC)):
                line = line.replace("{" + name + "}", value)
            yield group, line
