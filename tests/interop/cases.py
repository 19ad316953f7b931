# SPDX-License-Identifier: MIT
"""The invocations that both tools are given. A line is one case: the arguments as a shell would split
them; " ;; " separates steps. A case's name is its text."""

import cases_copy
import cases_graph
import cases_manage
import cases_options
import cases_secrets

SECRET = "--object secret,id=s,data=abc"
ENC = "-o encrypt.format=aes,encrypt.key-secret=s"
ENC_OPTS = "driver=qcow,file.filename=enc.qcow,encrypt.key-secret=s"

GLOBAL = """
foo
help
help create
version
-Z
--foo
-f raw create a 1M
-q -f raw info z.raw
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
info --output=xml
info --output=xml -Z
check --output=xml -r bar z.raw
map --output=xml
map --output=xml -s 0x1k s.raw
map --output=xml -s x s.raw
measure --output=xml --size x
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
-T foo info z.raw
--trace foo info z.raw
-T
-Z info
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
create -o help a
create -o help -f qcow a
create -f qcow -o help
create -f raw -o size=1M,help
create -o '?' a
create -f file -o help
create -f file a 1M
create -f host_device /dev/null 0
create -o preallocation a 1k
create -o extent_size_hint=1M a 1k
create -o extent_size_hint=foo a 1k
create -o extent_size_hint=8G a 1k
create -o nocow=on,nocow=off a 1k
create -o ,size=1k a
create -o =1k a
create -f qcow -o backing_file=a,,b,backing_fmt=raw -u x 1M
create -f qcow -o backing_file= a 1M
create -f qcow -o backing_file=s.raw a
create -f qcow -o backing_fmt=raw a 1M
create -f qcow -b s.raw a
create -f qcow -F raw -b s.raw -o backing_fmt=qcow a
create -f qcow -b s.raw -F raw -u a
create -f qcow -b s.raw -F raw -u a 1M
create -f qcow -b s.raw -F raw s.raw
create -f qcow -b ./s.raw -F raw s.raw 1M
create -f qcow -b . -F raw a
create -f qcow -b o.qcow -F qcow a
create -f qcow -b orphan.qcow -F qcow a
create -f qcow -b orphan.qcow -F qcow a 1M
create -f qcow -b enc.qcow -F qcow a
create -f qcow -b e.raw -F raw a
create -f qcow -b u.raw -F raw a
create -f qcow -b odd.raw -F raw a ;; info a
create -f qcow -b s.raw -F raw -o encryption=off a
create -f qcow -o encryption=on,encrypt.format=luks a 1M
create -f qcow -o encrypt.format=foo a 1M
create -f qcow -o encrypt.format= a 1M
create -f qcow -o encrypt.format=aes,encrypt.key-secret= a 1M
create -f qcow -o encrypt.bogus=1 a 1M
create -f qcow -o encryption=maybe a 1M
create -f qcow -o preallocation=full a 1M
create -f qcow -o preallocation=falloc a 1M ;; info a
create -f qcow -o preallocation=metadata a 1M
create -f qcow -o nocow=on,preallocation=off,extent_size_hint=64k a 1M
create -f qcow -f raw a 1M
create -f raw -f qcow a 1M
create -q -f qcow a 1M ;; create -q -f qcow a 2M ;; info a
create -f qcow a 2 ;; info a
create -f qcow a 1
create -f qcow a 512
create -f qcow a 16G
create -f qcow a 8E
create a
create -f qcow
create '' 1M
create / 1M
create nodir/ 1M
create s.raw/x 1M
create -Z a 1M
create --object secret,id=s,data=abc a 1M
create -u -f qcow a 1M
create -b s.raw -F raw -f raw a
create -F raw a 1M
create -F foo a 1M
create -f qcow -F foo a 1M
create -f qcow -b nope -F foo a 1M
create -f qcow -b s.raw -F file a
create -f qcow -u -b s.raw -F file a 1M
create -f qcow -b file:s.raw -F raw a ;; info a
create -f qcow -b 'json:{"driver":"raw","file.filename":"s.raw"}' -F raw a
create -f qcow -b x:y -F raw a 1M
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
info -U -f raw q.qcow
info --force-share z.raw
info --format raw z.raw
info --format=raw q.qcow
info -f raw -f qcow q.qcow
info -q z.raw
info -p z.raw
info --output=human z.raw
info --output json z.raw
info --output=JSON z.raw
info --output= z.raw
info --backing-chain z.raw
info --backing-chain oq.qcow
info --backing-chain --output=json oq.qcow
info --backing-chain -f raw oq.qcow
info --backing-chain enc.qcow
info --backing-chain -U l5.qcow
info --backing-chain loop1.qcow --output=json
info --backing-chain nope
info --backing-chain --image-opts driver=qcow,file.filename=o.qcow
info --image-opts driver=qcow,file.filename=enc.qcow
info {SECRET} --image-opts {ENC_OPTS}
info --image-opts driver=qcow,file.filename=enc.qcow,encrypt.key-secret=nope
info --image-opts driver=qcow,file.filename=q.qcow,encrypt.key-secret=nope
info --image-opts driver=qcow,file.filename=enc.qcow,encrypt.format=luks
info --image-opts driver=qcow,file.filename=enc.qcow,encrypt.format=aes
info --image-opts driver=qcow,file.filename=q.qcow,encrypt.format=aes
info --image-opts driver=qcow,file.filename=q.qcow,encrypt.format=foo
info q.qcow q.qcow
info -- z.raw
info z.raw --
info --image-opts driver=raw,nocache.direct,file.filename=s.raw
info --image-opts s.raw
info --image-opts ''
info --image-opts ,
info --image-opts driver=raw,
info --image-opts driver=raw,,file.filename=s.raw
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
check -f foo z.raw
check -r
check -r leaks -r all z.raw
check -U z.raw
check -U -r all q.qcow
check -T none z.raw
check --repair=leaks z.raw
check enc.qcow
check corrupt.qcow
check empty.qcow
check bits8.qcow
check -q --output=json z.raw
check --image-opts driver=raw,file.filename=z.raw
check oq.qcow
check l5.qcow
check -p z.raw
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
map -f foo s.raw
map -f raw q.qcow
map -f qcow q.qcow
map --output=json l1.qcow
map -U q.qcow
map --start-offset=0 --max-length=0 s.raw
map --output=json --start-offset=0 --max-length=0 s.raw
map --output=json -s 1M s.raw
map --output=json -s 8E s.raw
map --output=json -l 8E s.raw
map --output=json -l -5 s.raw
map --output=json -s 1 -l 1 s.raw
map --output=json -s 0x1000 -l 4k s.raw
map --output=json -s 1.5k s.raw
map --output=json corrupt.qcow
map --output=json full.raw
map full.raw
map --output=json 'with space.raw'
map 'with space.raw'
map --image-opts driver=raw,file.filename=s.raw
map --image-opts --output=json driver=raw,offset=512,file.filename=s.raw
map --image-opts driver=raw,offset=512,file.filename=s.raw
map -q s.raw
map -Z s.raw
map --output=json --output=human s.raw
map {SECRET} --image-opts driver=qcow,file.filename=q.qcow,encrypt.key-secret=s
map {SECRET} --image-opts driver=qcow,file.filename=enc.qcow,encrypt.key-secret=nope
map --image-opts driver=qcow,file.filename=enc.qcow,encrypt.format=luks,encrypt.key-secret=s
map --image-opts driver=qcow,file.filename=q.qcow,encrypt.format=aes,encrypt.key-secret=s
map {SECRET} --image-opts driver=qcow,file.filename=q.qcow,encrypt.format=aes,encrypt.key-secret=s
map --image-opts driver=raw,file.filename=s.raw,read-only
map --image-opts ''
map --image-opts driver=raw,file.filename=s.raw,
map --image-opts ,driver=raw,file.filename=s.raw
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
compare
compare s.raw
compare s.raw s.raw s.raw
compare -f foo s.raw s.raw
compare -p s.raw diff.raw
compare -p nope s.raw
compare -s -p s.raw same.raw
compare -s u.raw u.raw
compare -s q.qcow q.qcow
compare -s longer.raw s.raw
compare -s empty.qcow empty.qcow
compare -s z.raw z.raw
compare -q nope s.raw
compare -q corrupt.qcow s.raw
compare -U q.qcow s.raw
compare -T unsafe s.raw s.raw
compare -t none s.raw s.raw
compare -f raw -f qcow -F raw q.qcow s.raw
compare -F qcow q.qcow s.raw
compare -f raw s.raw q.qcow
compare bits8.qcow s.raw
compare s.raw bits8.qcow
compare --image-opts driver=raw,file.filename=s.raw driver=foo
compare --image-opts -F raw driver=raw,file.filename=s.raw s.raw
compare u.raw odd.raw
compare odd.raw odd.qcow
compare /dev/null e.raw
compare . s.raw
compare '' s.raw
compare -Z a b
compare -f
compare -p s.raw nope
compare -p -q nope s.raw
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
convert -p nope a
convert -p s.raw nodir/a
convert -p -O foo s.raw a
convert -p -o help -O qcow
convert -q s.raw nodir/a
convert -m 16 -W -O qcow s.raw a
convert -m 4 -O qcow s.raw a
convert -m 01 s.raw a
convert -m -1 s.raw a
convert -r 0 s.raw a
convert -r 1G s.raw a
convert -r -1 s.raw a
convert -S 4k -S 0 s.raw a
convert -S 1000 s.raw a
convert -S 0x200 s.raw a
convert -S 16M s.raw a
convert -S 16777217 s.raw a
convert -S 16777728 s.raw a
convert -S '' s.raw a
convert -S -1 s.raw a
convert -c -S 64k -O qcow s.raw a
convert -c -S 0 -O qcow s.raw a
convert -c -m 1 -O qcow s.raw a
convert -c q.qcow a
convert -c -O qcow z.raw a
convert -c -O qcow odd.raw a
convert -c -n -O qcow s.raw empty.qcow
convert -c -n -O raw s.raw z.raw
convert -n z.raw s.raw
convert -n -O raw s.raw longer.raw
convert -n -O qcow s.raw q.qcow
convert -n -O foo s.raw longer.raw
convert -n -B z.raw -F raw -O qcow s.raw empty.qcow
convert -n -B z.raw -O qcow s.raw empty.qcow
convert -n -F raw -O qcow s.raw empty.qcow
convert -n -o help s.raw a
convert -n -O qcow --target-is-zero z.raw empty.qcow
convert -n --target-is-zero -O qcow s.raw o.qcow
convert -n -S 0 z.raw same.raw
convert -n s.raw .
convert -n --target-image-opts s.raw driver=qcow,file.filename=empty.qcow
convert -n --target-image-opts s.raw bogus
convert -n --target-image-opts s.raw driver=raw,offset=512,file.filename=longer.raw
convert -n --target-image-opts {SECRET} s.raw {ENC_OPTS}
convert -n --target-image-opts s.raw driver=qcow,file.filename=enc.qcow
convert --target-image-opts -O raw -n s.raw driver=raw,file.filename=longer.raw
convert --image-opts --target-image-opts -n driver=raw,file.filename=s.raw driver=raw,file.filename=longer.raw
convert -B s.raw -F raw -O qcow s.raw a
convert -B s.raw -F raw -O qcow o.qcow a
convert -B s.raw -F raw -O qcow grown.qcow a
convert -B s.raw -F raw -O qcow -c o.qcow a
convert -B s.raw -F raw -O qcow z.raw a
convert -B z.raw -F raw -O qcow o.qcow a
convert -B nope -F raw -O qcow o.qcow a
convert -B s.raw -F qcow -O qcow o.qcow a
convert -B '' -F raw -O qcow o.qcow a
convert -B s.raw -F raw -O qcow o.qcow s.raw
convert -B l3.qcow -F qcow -O qcow l5.qcow a
convert -O qcow -o backing_file=s.raw o.qcow a
convert -O qcow -o backing_file=s.raw,backing_fmt=raw s.raw z.raw a
convert -O qcow -o backing_fmt=raw o.qcow a
convert -B s.raw -F raw -O qcow -o backing_file=z.raw o.qcow a
convert s.raw z.raw q.qcow a
convert e.raw e.raw a
convert u.raw u.raw a
convert s.raw e.raw a
convert -f raw s.raw q.qcow a
convert -O qcow odd.raw odd.qcow a
convert -c -O qcow s.raw odd.raw a
convert -W s.raw odd.raw q.qcow a
convert -n s.raw z.raw longer.raw
convert -l x s.raw z.raw a
convert -l '' s.raw a
convert -l snapshot.id=1,snapshot.name=x q.qcow a
convert -l snapshot.id q.qcow a
convert -l snapshot.id=1,bogus q.qcow a
convert --bitmaps s.raw z.raw a
convert --bitmaps --skip-broken-bitmaps q.qcow a
convert --skip-broken-bitmaps q.qcow a
convert --bitmaps -O qcow q.qcow a
convert -C -O qcow s.raw a
convert -C -W s.raw a
convert -C q.qcow a
convert -C -n s.raw longer.raw
convert -C -S 0 s.raw a
convert --salvage s.raw a
convert --salvage -O qcow corrupt.qcow a
convert --salvage nope a
convert --salvage -c -O qcow corrupt.qcow a
convert -s x s.raw a
convert -U s.raw a
convert -t none -O qcow s.raw a
convert -t directsync s.raw a
convert -t writeback -T unsafe s.raw a
convert -T none s.raw a
convert -o preallocation=falloc s.raw a
convert -o preallocation=full s.raw a
convert -o preallocation=metadata s.raw a
convert -o preallocation=bad s.raw a
convert -o nocow=on s.raw a
convert -o extent_size_hint=64k s.raw a
convert -o size=1k s.raw a
convert -o bogus s.raw a
convert -O qcow -o encryption=on s.raw a
convert -O qcow {SECRET} -o encryption=on,encrypt.key-secret=s s.raw a
convert -O qcow {SECRET} {ENC} odd.raw a
convert -O qcow {SECRET} {ENC} -B s.raw -F raw o.qcow a
convert -O qcow {SECRET} -o encrypt.format=luks,encrypt.key-secret=s s.raw a
convert -O qcow -o encrypt.key-secret=s s.raw a
convert -O qcow {SECRET} {ENC} -W s.raw a
convert -O qcow {SECRET} {ENC} -n s.raw enc.qcow
convert a
convert s.raw
convert -O
convert -f qcow q.qcow s.raw a
convert s.raw a -O qcow
convert s.raw -O qcow a -p
convert -O raw -O qcow s.raw a
convert s.raw ''
convert '' a
convert s.raw s.raw/x
convert s.raw x:y
convert s.raw file:a
convert file:s.raw a
convert -O file s.raw a
convert -f file s.raw a
convert . a
convert /dev/null a
convert bits8.qcow a
convert -f qcow two.qcow2 a
convert --image-opts driver=qcow,file.filename=orphan.qcow,backing= a
convert -T foo -t foo s.raw a
convert -T foo nope a
convert -O foo nope a
convert -o bogus=1 nope a
convert -c nope a
convert -B s.raw nope a
convert -m 0 nope
"""

GROUPS = {
    "global": GLOBAL, "create": CREATE, "info": INFO, "check": CHECK, "map": MAP,
    "compare": COMPARE, "convert": CONVERT, **cases_copy.GROUPS, **cases_graph.GROUPS,
    **cases_manage.GROUPS, **cases_options.GROUPS, **cases_secrets.GROUPS,
}


def all_cases():
    """(group, text) of every case, its place-holders filled in."""
    for group, table in GROUPS.items():
        for line in table.strip().splitlines():
            for name, value in (("SECRET", SECRET), ("ENC_OPTS", ENC_OPTS), ("ENC", ENC)):
                line = line.replace("{" + name + "}", value)
            yield group, line
