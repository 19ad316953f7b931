# SPDX-License-Identifier: MIT
"""The invocations that cairn-io and the peer's tool are given; see compare.py for the form. Where a group
stands under an image, each line is a command, run on that image by -c."""

SECRET = "--object secret,id=s,data=abc"
WRONG = "--object secret,id=s,data=wrong"
ENC = "driver=qcow,file.filename=enc.qcow,encrypt.key-secret=s"

COMMAND_LINE = """
-Z
--bogus
a b
-c help a b
-h
--help
-V
--version
-c help
-c 'help read'
-c 'help aio_write'
-c 'help foo'
-c '? length'
-c ?
-c bogus
-c ''
-c '   '
-c length
-c 'read 0 1'
-c 'write 0 1'
-c flush
-c close
-c map
-c info
-c aio_flush
-c 'alloc 0'
-c 'discard 0 1'
-c 'truncate 1'
-c q
-c 'quit now'
-c raed
-c 'help raed'
-f raw s.raw z.raw
-f raw s.raw 'read 0 512'
-f raw s.raw -c 'truncate -m ful 2M'
-c quit -c bogus
-c bogus -c quit
-f raw nope
-f qcow nope
nope
-r nope
-f foo s.raw
-f raw .
-r -f raw .
-f raw ''
''
-f qcow s.raw -c length
-f raw q.qcow -c length
-r q.qcow -c info
q.qcow -c info
s.raw -c info
-r s.raw -c info
-t foo -f raw s.raw
-t none -f raw s.raw -c 'read 0 4k' -c 'read 1 3'
-t writethrough -f raw s.raw -c 'write -P 1 0 4k' -c 'read -P 1 0 4k'
-t directsync -f raw s.raw -c 'write -P 1 0 4k' -c 'read -P 1 0 4k' -c 'write -P 2 1 3'
-t unsafe -f raw s.raw -c 'write -P 1 0 4k' -c flush
-t writeback -f qcow q.qcow -c 'write -P 1 0 4k' -c flush
-t writethrough -f qcow q.qcow -c 'write -P 1 0 4k'
-t directsync -f qcow q.qcow -c 'write -P 1 0 4k' -c 'write -P 2 4097 3'
-t none -f qcow q.qcow -c 'write -P 1 0 4k' -c 'read -P 1 1 3'
-n -f qcow q.qcow -c 'write -P 1 0 4k'
-n -f raw s.raw -c 'write -P 1 100 5000' -c 'read -P 1 100 5000'
-m -f raw s.raw -c 'write -P 1 0 4k' -c 'read -P 1 0 4k'
-m -n -f raw s.raw -c 'write -P 1 0 4k' -c 'read -P 1 0 4k' -c 'aio_read -P 1 0 4k 0'
-m -t none -f qcow q.qcow -c 'writev -P 1 0 4k 3' -c 'readv -P 1 1 4k'
-k -f raw s.raw -c length
-k -n -f raw s.raw -c 'read 0 4k'
-k -t none -f qcow q.qcow -c 'write -P 4 0 4k'
-i threads -f raw s.raw -c length
-i native -f raw s.raw -c length
-i foo -f raw s.raw -c length
--aio=threads --cache=none --format raw --read-only --cmd length s.raw
-d foo -f raw s.raw
-d unmap -f raw s.raw -c 'discard 0 64k' -c map
-d on -f raw s.raw -c 'discard 0 64k' -c 'read -P 0 0 64k'
-d ignore -f raw s.raw -c 'discard 0 64k' -c map
-d off -f qcow q.qcow -c 'discard 0 64k' -c map
-U -f raw s.raw
-U -f qcow q.qcow -c length
-r -U -f qcow q.qcow -c 'read 0 1'
-U -r -f raw s.raw -c 'write 0 1'
-r -f raw s.raw -c 'write 0 1' -c length
-r -f qcow q.qcow -c 'write 0 1'
-r -f qcow q.qcow -c 'aio_write 0 1' -c 'writev 0 1' -c 'discard 0 1' -c 'truncate 5' -c flush
-r -f qcow q.qcow -c 'write -z 0 4k' -c 'read 0 1' -c 'write x'
-r -f raw s.raw -c 'write' -c 'write 0 1 2'
-f raw --image-opts s.raw
--image-opts s.raw
--image-opts driver=raw,file.filename=s.raw -c length
--image-opts file.filename=q.qcow -c info
--image-opts driver=qcow,file.filename=nope -c length
--image-opts driver=nope,file.filename=s.raw
--image-opts driver=raw,file.filename=s.raw,bogus=1
--image-opts driver=raw,file.filename=s.raw,file.bogus=1
--image-opts driver=raw
--image-opts driver=raw,offset=4096,size=8192,file.filename=s.raw -c length -c 'write -P 3 0 8k' -c 'write 0 8193'
--image-opts driver=raw,offset=2M,file.filename=s.raw
--image-opts driver=raw,size=4096,file.filename=s.raw -c 'truncate 8k'
--image-opts driver=qcow,file.driver=qcow,file.file.filename=q.qcow
--image-opts -r driver=qcow,file.filename=q.qcow -c 'write 0 1'
--image-opts driver=qcow,read-only=on,file.filename=q.qcow -c 'write 0 1'
--image-opts driver=raw,discard=unmap,file.filename=s.raw,file.discard=unmap -c 'discard 0 64k' -c map
--image-opts driver=raw,discard=foo,file.filename=s.raw
--image-opts driver=raw,detect-zeroes=foo,file.filename=s.raw
--image-opts driver=raw,detect-zeroes=on,file.filename=s.raw -c 'write -P 0 0 64k' -c 'read -P 0 0 64k'
--image-opts driver=raw,node-name=0bad,file.filename=s.raw
--image-opts driver=file,filename=s.raw -c 'read 0 512' -c info
--image-opts driver=file,locking=off,filename=s.raw -c length
-r --image-opts driver=raw,file.filename=s.raw,read-only -c length
-r --image-opts driver=raw,noread-only,file.filename=s.raw -c length
-r --image-opts driver=raw,file.filename=s.raw,read-only,bogus
--image-opts driver=file,filename=
--image-opts driver=file
--image-opts ''
--image-opts driver=raw,file.aio=native,file.filename=s.raw
--image-opts driver=raw,cache.direct=on,file.filename=s.raw -c 'read 0 512'
json:{
json:[]
'json:{"driver":"raw","file":{"driver":"file","filename":"s.raw"}}' -c length -c 'write -P 9 0 512'
'json:{"driver":"qcow","file.filename":"q.qcow"}' -c info
-r 'json:{"driver":"raw","offset":"512","size":1024,"file.filename":"s.raw"}' -c length
"json:{'driver':'raw','file.filename':'s.raw'}" -c length
'json:{"driver":"raw","driver":"raw","file.filename":"s.raw"}'
'json:{"driver":"foo"}'
file:s.raw -f raw -c length
foo:s.raw -c length
--image-opts filename=s.raw
--image-opts driver=raw,filename=s.raw
--image-opts bogus=1
./s.raw -f raw -c length
/dev/null -f raw -c length -c 'read 0 1'
--image-opts driver=file,filename=/dev/null
--image-opts driver=host_device,filename=s.raw
-r bits8.qcow
-r -f qcow version2.qcow
-r -f qcow version4.qcow
-r -f qcow tiny.qcow
-r -f qcow huge.qcow
-r -f qcow crypt.qcow
-r -f qcow l2bits.qcow
-r -f qcow longname.qcow
-r -f qcow orphan.qcow
-f qcow orphan.qcow
-r -f qcow corrupt.qcow -c 'read 0 1M' -c 'read 0 64k'
"""

QCOW = """
read
read 0
read 0 1 2
read -Z 0 1
read -P
read x 1
read 0 x
read -1 1
read -- -1 1
read 0 -- -1
read 8E 1
read 0 8E
read 0 3G
read 0 2147483137
read 2M 512
read 1M 0
read 0 0
read 1048575 1
read 1048575 2
read 0x10 0x20
read 0x1k 1
read 1.5k 1
read 1.5 1
read 1e3 1
read 010 1
read 1kb 1
read 0b 512b
read -P 300 0 1
read -P x 0 1
read -P -1 0 1
read -P 010 0 1
read -P 08 0 1
read -P 0x1f 0 1
read -P 0 64k 64k
read -P 0 60k 64k
read -s 1 0 1
read -l 1 0 1
read -l 5 0 3G
read -l 5 x 1
read -b -s 1 1 10
read -P 0 -s 1 -l 5 64k 10
read -P 0 -s 9 -l 5 64k 10
read -P 0 -s 11 64k 10
read -P 0 -s x 64k 10
read -P 0 -l x 64k 10
read -P 1 -s 4 64k 10
read -P 1 -l 4 64k 10
read -P 0 -l 0 64k 10
read -P 0 -s -1 0 10
read -b 0 512
read -b 0 1
read -b 1 512
read -v 0 40
read -v 704 k
read -v 716800 40
read -v 716803 40
read -vq 0 40
read -vC 0 40
read -C 0 512
read -C -P 1 64k 512
read -Cq 0 512
read -P 1 -q 64k 512
read -a 0 1
read -p 0 1
read -P 1 -s 0 -l 2147483136 0 1
r 0 1
r 0
r
write
write 0
write 0 1 2
write -Z 0 1
write 0 1
write 64k 512
write 100 5000
write -P 7 1M 512
write -P 7 1048000 1000
write -P 7 1048000 576
write 0 3G
write 0 0
write -b 0 512
write -b 0 1
write -bz 0 512
write -bc 0 512
write -bc 0 1
write -fc 0 1
write -fb 0 1
write -n 0 1
write -u 0 1
write -zP 1 0 4k
write -zs u.raw 0 1
write -P 1 -s u.raw 0 1
write -P 300 0 1
write -z -P 300 0 1
write -z 0 8k
write -z 64k 100
write -z 0 3G
write -z 0 0
write -zf 4k 4k
write -s nope 0 1
write -s . 0 1
write -s /dev/null 0 1
write -s u.raw 0 4k
write -s u.raw 64k 100
write -s u.raw 10 700
write -C 0 512
write -q 0 512
write -Cq -P 3 0 512
write -p 0 512
write -f 0 512
write -c 0 4k
write -c 64k 4k
write -c -P 1 64k 4k
write -c 1020k 4k
write -c 0 1k
write -c 0 8k
write -c 0 1
write -c 1 512
write -c 2M 4k
write -c 2M 8k
write -c 1016k 8k
write -c 1016k 12k
write -c 512 4k
write -c 0 0
write -cz 0 4k
write -zn 0 7E
write -zn 0 4k
write -zunC 0 0
write -zs nope 0 1
w 0 1
w -Z 0 1
readv
readv 0
readv -Z 0 1
readv 0 1
readv 0 1 2 3
readv 0 512 0 512
readv x 1
readv 0 x
readv 0 1 x
readv 1M 1
readv 0 1G 1G
readv 0 1G 3G
readv -P 0 64k 1k 2k
readv -P 1 64k 1k 2k
readv -P 300 0 1
readv -v 716800 5 5 30
readv -C 0 512 512
readv -q 0 512 512
readv -qv 0 512 512
writev
writev 0
writev -Z 0 1
writev -P 300 0 1
writev -P 9 64k 512 100 4k
writev 0 1
writev 0 0
writev -f 64k 1k
writev 1M 1
writev 0 1 3G
writev 0 x
writev x 1
writev -C 0 512 512
writev -q 0 512 512
aio_read
aio_read 0
aio_read -Z 0 1
aio_read 0 512
aio_read 0 512 3 512
aio_read -P 0 64k 1k
aio_read -v 716800 5 5 30
aio_read -qv 0 40
aio_read -C 0 512
aio_read -i 0 512
aio_read -i x 512
aio_read x 1
aio_read 0 x
aio_read -P 300 0 1
aio_read 0 3G
aio_write
aio_write 0
aio_write -Z 0 1
aio_write 0 512
aio_write -P 5 64k 512 3 512
aio_write -f 64k 512
aio_write -q 64k 512
aio_write -C 64k 512
aio_write -i 0 512
aio_write -u 0 1
aio_write -zP 1 0 4k
aio_write -z 0 4k 4k
aio_write -z 0 x
aio_write -z x 1
aio_write x 1
aio_write 0 x
aio_write -P 300 0 1
aio_write 0 3G
aio_write -z 0 3G
aio_write -u -z 64k 1
aio_write -zu 0 1 1
aio_write -ui 0 1
aio_write -iz x
aio_flush
aio_flush 1
flush
f
flush 1
discard
discard 0
discard 0 1 2
discard -Z 0 1
discard 0 64k
discard 100 4k
discard x 1
discard 0 x
discard 0 3G
discard 2M 1
discard 0 0
discard -C 0 64k
discard -q 0 64k
d 0 512
truncate
truncate 1 2
truncate -Z 1
truncate x
truncate -m foo 2M
truncate -m
truncate -m off
truncate -m off 1 2
truncate 8E
alloc
alloc 0
alloc 0 1 2
alloc 0 1M
alloc 64k 128k
alloc 100
alloc 100 512
alloc 512 100
alloc 0 1
alloc x
alloc 0 x
alloc 2M
alloc 1M
alloc 0 2M
alloc 0 0
alloc 8E
alloc -- -1
alloc 1048575 2
alloc 1048575
a 0
map
map 1
length
length 1
l
info
info 1
i
close
close 1
c
open
open q.qcow
open -Z q.qcow
sleep
sleep x
sleep 1
sleep 0
sleep 1k
sleep 1.5
sigraise
sigraise x
sigraise 0
sigraise 15
sigraise 9
sigraise 64k
sigraise 100
sigraise 2147483648
abort
quit
q
help nothing
help q
help ?
help length length
"""

RAW = """
read 0 1
read 1M 1
read -b 0 512
write -P 7 0 1M
write -P 7 1048575 1
write 1M 1
write -z 0 64k
write -zu 0 64k
write -zn 0 64k
write -zun 0 64k
write -zunf 0 64k
write -zn 0 3G
write -z 1M 1
write -c 0 64k
write -b 0 512
write -f -P 1 5 5
discard 0 64k
truncate 2M
truncate 700
truncate 512k
truncate 0
truncate 0x10000
truncate -m off 2M
truncate -m falloc 2M
truncate -m full 2M
truncate -m metadata 2M
truncate -m full 512k
truncate -m foo 512k
truncate x
truncate 8E
truncate 7E
truncate
t 2M
alloc 0 1M
alloc 64k 64k
map
info
length
aio_write -z 0 64k
aio_write -zu 128k 64k
"""

UNALIGNED = """
length
read 600 424
read -v 690 30
read 1000 100
write -P 7 690 30
write -P 7 0 1024
write -P 7 1000 25
map
alloc 0 1k
discard 0 512
truncate 1000
"""

EMPTY = """
map
length
alloc 0
read 0 0
read 0 1
write 0 1
write 0 0
truncate 1k
discard 0 0
"""

OVERLAY = """
map
alloc 0 1M
alloc 4k 8k
read -P 17 4k 8k
read -P 17 4k 9k
write -P 3 64k 100
write -P 3 100 1k
write -z 4k 4k
write -z 100 10
write -c -P 3 64k 512
discard 4k 8k
discard 64k 64k
info
"""

GROWN = """
map
alloc 0 2M
read -P 20 1500k 4k
read -P 0 1504k 500k
write -P 1 1M 1
write -P 1 1048500 100
"""

COMPRESSED = """
map
read -v 716800 40
write -P 1 716801 10
write -z 700k 4k
write -c -P 1 700k 4k
alloc 0 1M
discard 700k 4k
"""

ENCRYPTED = """
info
map
read -P 0 200k 4k
read -v 716800 40
write -P 1 0 512
write -P 1 100 1000
write -z 64k 4k
write -c 0 4k
readv 0 5 5
"""

SEVERAL = """
-f qcow q.qcow -c 'write -P 5 0 4k' -c 'read -P 5 0 4k'
-f qcow q.qcow -c bogus -c 'write -P 5 0 4k' -c length
-f qcow q.qcow -c close -c length
-f qcow q.qcow -c close -c 'open -o driver=qcow q.qcow' -c length
-f qcow q.qcow -c close -c close
-f qcow q.qcow -c 'write -q -P 5 64k 4k' -c q -c 'write -P 6 0 4k'
-f qcow q.qcow -c '  read   0	1  '
-f qcow q.qcow -c 'aio_write -P 4 64k 4k' -c aio_flush -c 'aio_read -P 4 64k 4k'
-f qcow q.qcow -c 'aio_write -q -P 4 64k 4k' -c 'aio_write -q -P 5 100k 4k' -c aio_flush -c map
-f qcow q.qcow -c 'aio_read -q 0 4k' -c close
-f qcow q.qcow -c 'aio_read 2M 4k'
-f qcow q.qcow -c 'aio_write 2M 4k' -c aio_flush
-f qcow q.qcow -c 'aio_read -P 7 0 4k' -c aio_flush -c length
-f qcow q.qcow -c 'aio_write -q -z 0 4k' -c aio_flush -c 'read -P 0 0 4k'
-f qcow empty.qcow -c 'write -P 1 0 1' -c map -c 'write -P 2 1023k 1k' -c map -c 'alloc 0 1M'
-f qcow empty.qcow -c 'write -c -P 1 0 4k' -c 'write -c -P 2 4k 4k' -c 'read -P 1 0 4k' -c map
-f qcow empty.qcow -c 'write -P 1 0 1M' -c 'read -P 1 0 1M' -c 'read -P 1 -s 4k -l 4k 0 1M'
-f qcow odd.qcow -c length -c 'write -P 1 999424 1k' -c 'write -P 1 1000448 1'
-f qcow odd.qcow -c 'write -c -P 1 999424 1k'
-f qcow tera.qcow -c length -c 'read -P 3 1099511562240 64k' -c 'alloc 512G 8k'
-f qcow giga.qcow -c map
-f raw s.raw -c 'truncate 2M' -c length -c 'write -P 1 1M 1M' -c 'truncate 512k' -c length
-f raw s.raw -c 'truncate 1000' -c length -c 'read 1000 24' -c 'read 1024 1'
-f qcow q.qcow -c 'help length' -c bogus
-f qcow q.qcow -c 'write -c -P 1 64k 4k' -c 'read -P 1 64k 4k' -c 'write -P 2 64k 1k' -c 'read -P 1 65k 3k'
-f raw s.raw -c 'write -P 7 0 64k' -c 'discard 0 64k' -c 'read -P 7 0 64k'
-f raw s.raw -c 'write -P 0xff 0 1' -c 'write -P 0377 1 1' -c 'write -P 255 2 1' -c 'read -P 255 0 3'
s.raw -c 'write -P 1 0 512'
s.raw -c 'write -s q.qcow 0 512'
s.raw -c 'write -s q.qcow 0 4'
s.raw -c 'write -s q.qcow 512 512'
s.raw -c 'write -s q.qcow 0 1M'
"""

OPEN = """
-c open
-c 'open nope'
-c 'open -r nope'
-c 'open s.raw' -c info
-c 'open -r s.raw' -c info -c 'write 0 1'
-c 'open -o driver=raw s.raw' -c 'write -P 1 0 1'
-c 'open -o driver=raw s.raw nope'
-c 'open -o driver=raw,file.filename=s.raw' -c info
-c 'open -o driver=raw -o file.filename=s.raw' -c info
-c 'open -o file.filename=s.raw -o driver=qcow' -c info
-c 'open -o driver=foo s.raw'
-c 'open -o driver=qcow,file.filename=nope'
-c 'open -o driver=qcow s.raw'
-c 'open -r -o driver=raw,read-only s.raw' -c length
-c 'open -r -o driver=raw,noread-only s.raw' -c length
-c 'open -o driver=raw,read-only s.raw' -c length
-c 'open -o bogus=1 s.raw'
-c 'open -o driver=raw,bogus=1 s.raw'
-c 'open -o'
-c 'open -r'
-c 'open -n -o driver=raw s.raw' -c 'read 0 512'
-c 'open -k -o driver=raw s.raw'
-c 'open -nk -o driver=raw s.raw' -c 'read 0 512'
-c 'open -i threads -o driver=raw s.raw' -c length
-c 'open -i foo -o driver=raw s.raw'
-c 'open -t foo -o driver=raw s.raw'
-c 'open -t none -o driver=raw s.raw' -c 'write -P 1 1 5'
-c 'open -t unsafe -o driver=raw s.raw' -c 'write -P 1 1 5'
-c 'open -d foo -o driver=raw s.raw'
-c 'open -d unmap -o driver=raw s.raw' -c 'discard 0 64k' -c map
-c 'open -U s.raw'
-c 'open -rU -o driver=raw s.raw' -c length
-c 'open -Z s.raw'
-c 'open -o driver=qcow q.qcow' -c 'open -o driver=raw s.raw' -c info
-c 'open -o driver=qcow q.qcow' -c close -c 'open -o driver=raw s.raw' -c info
-c 'open -o driver=qcow o.qcow' -c map
-c 'open s.raw' -c close -c 'open s.raw' -c length
-c 'open json:{"driver":"raw","file.filename":"s.raw"}' -c length
-c 'open -o driver=qcow enc.qcow'
-c 'open -o read-only=on,driver=raw s.raw' -c 'write 0 1'
-c 'open -r -o read-only=off,driver=raw s.raw' -c 'write 0 1'
-r -c 'open -o driver=raw s.raw' -c 'write -P 1 0 1'
-f qcow -c 'open q.qcow' -c info
-f raw -c 'open q.qcow' -c info
-U -c 'open -o driver=raw s.raw' -c 'write -P 1 0 1'
-t none -c 'open -o driver=raw s.raw' -c 'write -P 1 0 1'
-t foo -c 'open -o driver=raw s.raw' -c 'write -P 1 0 1'
-d foo -c 'open -o driver=raw s.raw' -c 'write -P 1 0 1'
-d unmap -c 'open -o driver=raw s.raw' -c 'discard 0 64k' -c map
--image-opts -c 'open driver=raw,file.filename=s.raw' -c length
--image-opts -c 'open -o driver=raw s.raw' -c length
-f qcow nope -c 'open -o driver=raw s.raw' -c length
"""

PIPED = r"""
<< length
<< bogus
<< \n\n
<< quit
<< help foo\n
<< open -o driver=raw s.raw\nread 0 1\nlength
-f qcow q.qcow << length
-f qcow q.qcow << length\n
-f qcow q.qcow << read 0 512\nlength\n
-f qcow q.qcow << \n  \nlength\n
-f qcow q.qcow << bogus\nlength\n
-f qcow q.qcow << write -P 1 0 4k\nq\nwrite -P 2 0 4k\n
-f qcow q.qcow << read 2M 1\nlength\n
-f qcow q.qcow << close\nlength\nopen -o driver=raw s.raw\nlength
-f qcow q.qcow << aio_write -P 4 64k 4k\naio_flush\nmap
-f qcow q.qcow << aio_write -q -P 4 64k 4k
-f qcow q.qcow << # comment\nlength
-f qcow q.qcow << length; length\n
-f qcow q.qcow << read "0" 1\n
-f qcow q.qcow -c length << map\n
-r -f qcow q.qcow << write 0 1\n
-f qcow nope << length
-f qcow q.qcow << sigraise 15\nlength
"""

SECRETS = f"""
-f qcow enc.qcow
-r -f qcow enc.qcow -c info
-r enc.qcow -c length
{SECRET} -f qcow enc.qcow
{SECRET} --image-opts driver=qcow,file.filename=enc.qcow,encrypt.key-secret=t
{SECRET} --image-opts driver=qcow,file.filename=enc.qcow,encrypt.format=luks,encrypt.key-secret=s
{SECRET} --image-opts driver=qcow,file.filename=enc.qcow,encrypt.format=aes,encrypt.key-secret=s -c length
{SECRET} --image-opts driver=qcow,file.filename=q.qcow,encrypt.format=aes,encrypt.key-secret=s -c length
{SECRET} --image-opts driver=qcow,file.filename=q.qcow,encrypt.key-secret=s -c length
{WRONG} --image-opts {ENC} -c 'read -P 0 64k 512'
{WRONG} --image-opts {ENC} -c 'read -P 0 0 64k'
{SECRET} -c 'open -o driver=qcow,encrypt.key-secret=s enc.qcow' -c 'read -v 716800 40'
--object secret,id=s
--object secret,id=s,data=a,file=b
--object secret,data=a
--object secret,id=0,data=a
--object secret,id=s,file=/nonexist s.raw
--object secret,id=s,data=a,format=hex
--object foo,id=s
--object secret,id=s,data=a --object secret,id=s,data=b
--object secret,help
--object secret,id=s,file=u.raw -c 'help foo'
--object
-c
-f
"""


def on_image(image, commands):
    for command in commands.strip("\n").split("\n"):
        yield f'{image} -c "{command}"'


GROUPS = {
    "command line": lambda: lines(COMMAND_LINE),
    "qcow": lambda: on_image("-f qcow q.qcow", QCOW),
    "raw": lambda: on_image("-f raw s.raw", RAW),
    "raw, unmap": lambda: on_image("-d unmap -f raw s.raw", RAW),
    "unaligned": lambda: on_image("-f raw u.raw", UNALIGNED),
    "empty": lambda: on_image("-f raw e.raw", EMPTY),
    "overlay on raw": lambda: on_image("-f qcow o.qcow", OVERLAY),
    "overlay on qcow": lambda: on_image("-f qcow oq.qcow", OVERLAY),
    "chain": lambda: on_image("-f qcow l5.qcow", OVERLAY),
    "grown": lambda: on_image("-f qcow grown.qcow", GROWN),
    "compressed": lambda: on_image("-f qcow c.qcow", COMPRESSED),
    "encrypted": lambda: on_image(f"{SECRET} --image-opts {ENC}", ENCRYPTED),
    "several": lambda: lines(SEVERAL),
    "open": lambda: lines(OPEN),
    "piped": lambda: lines(PIPED),
    "secrets": lambda: lines(SECRETS),
}


def lines(text):
    return text.strip("\n").split("\n")


def all_cases(groups=GROUPS):
    for group, cases in groups.items():
        for text in cases():
            yield group, " " + text if text.startswith("<<") else text
