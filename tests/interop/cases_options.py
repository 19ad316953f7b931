# SPDX-License-Identifier: MIT
"""How images and sizes can be written: option strings, json: names, prefixes, suffixes. As in cases.py."""

OPTIONS = r"""
info --image-opts driver=qcow,file.driver=qcow,file.file.filename=q.qcow
convert -O qcow q.qcow in.raw ;; convert -f raw -O qcow in.raw nest.qcow ;; info --image-opts driver=qcow,file.driver=qcow,file.file.filename=nest.qcow
convert -O qcow q.qcow in.raw ;; convert -f raw -O qcow in.raw nest.qcow ;; map --output=json --image-opts driver=qcow,file.driver=qcow,file.file.filename=nest.qcow
convert -O qcow q.qcow in.raw ;; convert -f raw -O qcow in.raw nest.qcow ;; convert --image-opts driver=qcow,file.driver=qcow,file.file.filename=nest.qcow out.raw ;; compare -F qcow out.raw q.qcow
info --image-opts driver=raw,file.driver=raw,file.file.filename=s.raw
info --image-opts driver=raw,offset=512,file.driver=raw,file.offset=1024,file.file.filename=s.raw
info --image-opts driver=raw,offset=0,file.filename=s.raw
info --image-opts driver=raw,size=1M,file.filename=s.raw
info --image-opts driver=raw,size=1M,file.driver=file,file.filename=s.raw
info --image-opts driver=file,filename=s.raw
info --image-opts file.filename=s.raw
info --image-opts file.filename=q.qcow
info --image-opts file.driver=file,file.filename=q.qcow
info --image-opts driver=raw,file.filename=s.raw,read-only=on
info --image-opts driver=raw,file.filename=s.raw,cache.direct=on
info --image-opts driver=raw,file.filename=s.raw,node-name=foo
info --image-opts driver=raw,file.filename=s.raw,node-name=0bad
info --image-opts driver=raw,file.filename=s.raw,discard=foo
info --image-opts filename=s.raw
info --image-opts driver=raw,filename=s.raw
info --image-opts driver=qcow,filename=q.qcow
info --image-opts bogus=1
info --image-opts drvier=raw
info --image-opts s.raw
create ./a:b 1M ;; create a:b 1M
info --image-opts driver=raw,file.filename=s.raw,detect-zeroes=foo
info --image-opts driver=raw,file.filename=s.raw,detect-zeroes=unmap
info --image-opts driver=raw,file.filename=s.raw,detect-zeroes=on,discard=unmap
info --image-opts driver=raw,file.filename=s.raw,read-only
info --image-opts driver=raw,file.filename=s.raw,noread-only
convert -c -n --target-image-opts s.raw driver=raw,file.filename=longer.raw
convert -c -n --target-image-opts s.raw driver=qcow,file.filename=empty.qcow
convert -n --target-image-opts s.raw driver=qcow,file.filename=empty.qcow,read-only
convert -n --target-image-opts s.raw driver=qcow,file.filename=empty.qcow,nosuch
info --image-opts driver=raw,file.filename=s.raw,read-only=1
info --image-opts driver=raw,file.filename=s.raw,read-only=
info --image-opts driver=raw,file.filename=s.raw,read-only=yes
info --image-opts driver=raw,file.filename=s.raw,force-share=on
info --image-opts driver=raw,file.filename=s.raw,auto-read-only=on
info --image-opts driver=raw,file.filename=s.raw,file.locking=off
info --image-opts driver=raw,file.filename=s.raw,file.locking=foo
info --image-opts driver=raw,file.filename=s.raw,file.aio=native
info --image-opts driver=raw,file.filename=s.raw,file.aio=native,cache.direct=on
info --image-opts driver=raw,file.filename=s.raw,file.aio=native,file.cache.direct=on
info --image-opts driver=raw,file.filename=s.raw,file.aio=foo
info --image-opts driver=raw,file.filename=s.raw,file.drop-cache=on
info --image-opts driver=raw,file.filename=s.raw,file.x-check-cache-dropped=on
info --image-opts driver=raw,file.filename=s.raw,file.node-name=bar
info --image-opts driver=raw,file=bar
info --image-opts driver=qcow,file.filename=q.qcow,backing=null
info --image-opts driver=qcow,file.filename=o.qcow,backing=null
info --image-opts driver=qcow,file.filename=o.qcow,backing=
info --image-opts driver=qcow,file.filename=q.qcow,backing=
map --image-opts driver=qcow,file.filename=o.qcow,backing=
map --image-opts driver=qcow,file.filename=o.qcow,backing=null
map --image-opts driver=qcow,file.filename=orphan.qcow,backing=
info --image-opts driver=qcow,file.filename=o.qcow,backing.driver=raw
info --image-opts driver=qcow,file.filename=o.qcow,backing.driver=raw --backing-chain
info --image-opts driver=qcow,file.filename=o.qcow,backing.file.filename=z.raw
map --output=json --image-opts driver=qcow,file.filename=o.qcow,backing.file.filename=z.raw
map --output=json --image-opts driver=qcow,file.filename=o.qcow,backing.driver=raw
map --output=json --image-opts driver=qcow,file.filename=o.qcow,backing.driver=qcow
map --output=json --image-opts driver=qcow,file.filename=orphan.qcow,backing.file.filename=s.raw
map --output=json --image-opts driver=qcow,file.filename=o.qcow,backing.filename=s.raw
map --output=json --image-opts driver=qcow,file.filename=o.qcow,backing.bogus=1
map --image-opts driver=qcow,file.filename=o.qcow,backing.driver=raw,backing.offset=512
convert --image-opts driver=qcow,file.filename=o.qcow,backing.driver=raw,backing.offset=512,backing.file.filename=s.raw a
compare --image-opts driver=qcow,file.filename=o.qcow,backing.file.filename=z.raw driver=raw,file.filename=s.raw
map --output=json 'json:{"driver":"qcow","file":{"driver":"file","filename":"o.qcow"},"backing":null}'
info 'json:{"driver":"qcow","file":{"driver":"file","filename":"o.qcow"},"backing":null}'
info 'json:{"driver":"raw","offset":"1k","size":"4k","file.filename":"s.raw"}'
info 'json:{"driver":"raw","offset":1024,"size":4096,"file.filename":"s.raw"}'
info 'json:{"driver":"raw","file":{"driver":"file","filename":"s.raw","locking":"off"}}'
info 'json:{"driver":"raw","read-only":true,"file.filename":"s.raw"}'
info 'json:{"driver":"raw","read-only":"on","file.filename":"s.raw"}'
info 'json:{"driver":"raw","driver":"raw","file.filename":"s.raw"}'
info 'json:{"driver":"foo","file.filename":"s.raw"}'
info 'json:{"file.filename":"s.raw"}'
info 'json:{"file":{"filename":"q.qcow"}}'
info 'json:{}'
info 'json:'
info 'json:"x"'
info 'json:{"driver":"qcow"}'
info 'json:{"driver":"raw","file":"nonode"}'
info 'json:{"driver":"raw","file.filename":"nope"}'
info 'json:{"driver":"raw","file.filename":"s.raw"'
info 'json:{"driver":"raw","file.filename":"s.raw"} x'
info "json:{'driver':'raw','file.filename':'s.raw'}"
info json:bad
create -f qcow 'json:{"driver":"qcow","file.filename":"a"}' 1M
convert s.raw 'json:{"driver":"raw","file.filename":"a"}'
convert -n s.raw 'json:{"driver":"raw","file.filename":"same.raw"}'
convert -n -O qcow s.raw 'json:{"driver":"qcow","file.filename":"empty.qcow"}'
compare 'json:{"driver":"raw","file.filename":"s.raw"}' same.raw
map 'json:{"driver":"raw","file.filename":"s.raw"}'
check 'json:{"driver":"raw","file.filename":"s.raw"}'
info file:s.raw
info file:nope
info file:
info file:file:s.raw
info ./s.raw
info s.raw -f raw
info a:b
info ./a:b
info ./nope:x
create ./a:b 1M ;; info ./a:b
create file:a:b 1M ;; info ./a:b
info host_device:/dev/null
info host_device:s.raw
info -f file s.raw
info -f host_device s.raw
info -f host_device /dev/null
info --image-opts driver=file,filename=/dev/null
info --image-opts driver=host_device,filename=s.raw
info --image-opts driver=host_device,filename=/dev/null
info --image-opts driver=host_cdrom,filename=s.raw
info /dev/zero
map --output=json /dev/zero
map /dev/null
info two.qcow2 -f qcow
info -f qcow2 two.qcow2
info --image-opts driver=qcow,file.driver=raw,file.file.filename=o.qcow
info --output=json --image-opts driver=qcow,file.driver=raw,file.file.filename=o.qcow
info --image-opts driver=qcow,file.driver=raw,file.offset=0,file.file.filename=o.qcow
map --image-opts driver=qcow,file.driver=raw,file.file.filename=o.qcow
convert --image-opts driver=raw,file.driver=qcow,file.file.filename=o.qcow a
check --image-opts driver=raw,file.driver=qcow,file.file.filename=q.qcow
info --backing-chain --image-opts driver=qcow,file.driver=raw,file.file.filename=o.qcow
measure --image-opts driver=raw,file.driver=qcow,file.file.filename=q.qcow
bench -c 2 --image-opts driver=raw,file.driver=qcow,file.file.filename=q.qcow
"""

SIZES = r"""
create a 1k
create a 1K
create a 1m
create a 1b
create a 1B
create a 1.25M
create a .5k
create a 1.
create a 0.3k
create a 0.0001k
create a 1e3k
create a 0x
create a 0xg
create a 0x1.8k
create a ' 1k'
create a '1k '
create a 1kk
create a +1k
create a -1k
create -- a -1k
create a 18446744073709551615
create a inf
create a nan
create -o size=0x10k a
create -o size=1.5k a
create -o size=1.5 a
create -o size=-1 a
create -o size= a
create -o size=8E a
create -o size=16E a
create -o size=17179869184G a
create -o size a
create -o nosize a
create -o size=1k,, a
create -o size=1k,,x a
create -o size=1k,bogus a
create a 1M b
create a 10MB
create a '10 MiB'
create -o size=10MB a
create 1G a
create -f qcow 1G a
create 1G 2x
create a b
info --image-opts driver=raw,size=1MB,file.filename=s.raw
convert -S 4KB s.raw a
resize -f raw s.raw 10MB
resize -f raw 10M s.raw
resize -f raw 10M 1.x
resize -f raw --preallocation=ful s.raw 10M
"""

GROUPS = {"options": OPTIONS, "sizes": SIZES}
