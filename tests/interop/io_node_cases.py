# SPDX-License-Identifier: MIT
"""Invocations that change what stands above or below the open image, as io_cases.py has the others."""

from io_cases import ENC, SECRET, WRONG, lines

REOPEN = """
-c reopen
-f raw s.raw -c reopen
-f raw s.raw -c 'reopen x'
-f raw s.raw -c 'reopen -r x'
-f raw s.raw -c 'reopen -Z'
-f raw s.raw -c 'reopen -r -w'
-f raw s.raw -c 'reopen -wr'
-f raw s.raw -c 'reopen -r -r' -c 'write 0 1'
-f raw s.raw -c 'reopen -c'
-f raw s.raw -c 'reopen -o'
-f raw s.raw -c 'reopen -c foo' -c 'write -P 1 0 1'
-f raw s.raw -c 'reopen -r' -c 'write 0 1' -c 'reopen -w' -c 'write -P 1 0 1'
-r -f raw s.raw -c 'write 0 1' -c 'reopen -w' -c 'write -P 1 0 1'
-r -f raw s.raw -c reopen -c 'write 0 1'
-f qcow q.qcow -c 'reopen -r' -c 'write 0 1' -c 'discard 0 4k' -c 'read 0 1' -c flush
-r -f qcow q.qcow -c 'reopen -w' -c 'write -P 1 0 1' -c 'reopen -r' -c 'read -P 1 0 1'
-r -f qcow o.qcow -c 'reopen -w' -c 'write -P 1 0 1' -c map
-f qcow l5.qcow -c 'reopen -r' -c 'reopen -w -c none' -c 'write -P 1 5 5'
-f raw s.raw -c 'reopen -c none' -c 'read 0 512' -c 'write -P 1 1 3' -c 'read -P 1 1 3'
-f raw s.raw -c 'reopen -c directsync' -c 'write -P 1 1 3' -c 'reopen -c writeback' -c 'read -P 1 1 3'
-f raw s.raw -c 'reopen -c writethrough' -c 'write -P 1 0 512'
-f raw s.raw -c 'reopen -c unsafe' -c 'write -P 1 0 512' -c flush
-f raw s.raw -c 'reopen -c none -c unsafe' -c 'read 0 512'
-f qcow q.qcow -c 'reopen -c none' -c 'write -P 1 1 3' -c 'reopen -c writethrough' -c 'write -P 2 100 9'
-r -f raw s.raw -c 'reopen -w -c none' -c 'write -P 1 0 512'
-t none -f raw s.raw -c 'reopen -c writeback' -c 'write -P 1 1 3'
-t writethrough -f raw s.raw -c 'reopen -c writeback' -c 'write -P 1 1 3'
-k -n -f raw s.raw -c 'reopen -c writeback' -c 'read 0 512'
-f raw s.raw -c 'reopen -o driver=qcow' -c length
-f raw s.raw -c 'reopen -o driver=raw' -c length
-f raw s.raw -c 'reopen -o node-name=x'
-f raw s.raw -c 'reopen -o foo=1'
-f raw s.raw -c 'reopen -o a=1 -o b=2'
-f raw s.raw -c 'reopen -o file=x'
-f raw s.raw -c 'reopen -o file='
-f raw s.raw -c 'reopen -o file.filename=x'
-f raw s.raw -c 'reopen -o file.filename=s.raw' -c 'read 0 1'
-f raw s.raw -c 'reopen -o file.driver=file'
-f raw s.raw -c 'reopen -o file.driver=raw'
-f raw s.raw -c 'reopen -o file.locking=off'
-f raw s.raw -c 'reopen -o file.aio=native'
-f raw s.raw -c 'reopen -o force-share=on'
-f raw s.raw -c 'reopen -r -o force-share=on'
-f raw s.raw -c 'reopen -r -o read-only=on' -c 'write -P 1 0 1'
-f raw s.raw -c 'reopen -w -o read-only=on' -c 'write -P 1 0 1'
-f raw s.raw -c 'reopen -o read-only=on' -c 'write -P 1 0 1'
-r -f raw s.raw -c 'reopen -o read-only=off' -c 'write -P 1 0 1'
-r -f raw s.raw -c 'reopen -o noread-only' -c 'write -P 1 0 1'
-f raw s.raw -c 'reopen -r -o cache.direct' -c 'read 0 512'
-f raw s.raw -c 'reopen -o read-only=foo' -c 'write -P 1 0 1'
-f raw s.raw -c 'reopen -c none -o cache.direct=off' -c 'read 0 512'
-f raw s.raw -c 'reopen -c writeback -o cache.no-flush=on'
-f raw s.raw -c 'reopen -c writeback -o cache.writeback=on'
-f raw s.raw -c 'reopen -o cache.direct=on' -c 'read 0 512' -c 'write -P 1 1 3'
-f raw s.raw -c 'reopen -o cache.direct=on -o cache.direct=off' -c 'read 0 512'
-f raw s.raw -c 'reopen -o cache.no-flush=on' -c 'write -P 1 1 3'
-f raw s.raw -c 'reopen -o detect-zeroes=foo'
-f raw s.raw -c 'reopen -o detect-zeroes=on' -c 'write -P 0 0 64k' -c 'read -P 0 0 64k'
-f raw s.raw -c 'reopen -o detect-zeroes=unmap' -c 'write -P 0 0 64k'
-d unmap -f raw s.raw -c 'reopen -o detect-zeroes=unmap' -c 'write -P 0 0 64k'
-f raw s.raw -c 'reopen -o discard=unmap,detect-zeroes=unmap' -c 'write -P 0 0 64k'
-f raw s.raw -c 'reopen -o discard=foo'
-f raw s.raw -c 'reopen -o discard=ignore' -c 'discard 0 64k' -c map
-f raw s.raw -c 'reopen -o discard=unmap' -c 'discard 0 64k' -c map
-f raw s.raw -c 'reopen -o offset=512' -c length -c 'read 1047552 512'
-f raw s.raw -c 'reopen -o offset=2M' -c length
-f raw s.raw -c 'reopen -o size=512' -c length -c 'read 512 1'
-f raw s.raw -c 'reopen -o ,'
-f qcow o.qcow -c 'reopen -o backing.driver=qcow'
-f qcow o.qcow -c 'reopen -o backing.read-only=off' -c 'write -P 1 0 1'
-f qcow o.qcow -c 'reopen -o backing.file.filename=x'
-f qcow o.qcow -c 'reopen -o backing='
-f qcow o.qcow -c 'reopen -o backing=x'
-f qcow q.qcow -c 'reopen -o backing=x'
--image-opts driver=qcow,file.filename=o.qcow,backing.driver=raw,backing.file.filename=s.raw,backing.node-name=b -c 'reopen -o backing=b' -c map
-f qcow o.qcow -c 'reopen -o encrypt.key-secret=s'
-f qcow o.qcow -c 'reopen -o encrypt.format=aes'
-f raw s.raw -c 'aio_write -P 1 0 512' -c 'reopen -r'
-f raw s.raw -c 'aio_write -q -P 1 0 512k' -c 'reopen -r -c none' -c 'read -P 1 0 512k'
--image-opts driver=raw,file.filename=s.raw -c 'reopen -r' -c 'write 0 1'
-c 'open -r -o driver=raw s.raw' -c 'reopen -w' -c 'write -P 1 0 1'
-c 'open -r s.raw' -c 'reopen -w' -c 'write -P 1 0 1'
-c 'help reopen'
"""

BREAK = """
-c 'break pwritev A'
-c 'wait_break A'
-f raw s.raw -c break
-f raw s.raw -c 'break pwritev'
-f raw s.raw -c 'break pwritev A B'
-f raw s.raw -c 'break pwritev A'
-f raw s.raw -c 'break foo A' -c length
-f raw s.raw -c remove_break
-f raw s.raw -c 'remove_break A B'
-f raw s.raw -c 'remove_break A'
-f raw s.raw -c resume
-f raw s.raw -c 'resume A' -c length
-f raw s.raw -c 'resume A B'
-f raw s.raw -c wait_break
-f raw s.raw -c 'wait_break A B'
-f qcow q.qcow -c 'break pwritev A'
-f qcow q.qcow -c 'remove_break A'
-f qcow q.qcow -c 'resume A'
-r -f qcow o.qcow -c 'break cor_write A'
-f raw s.raw -c 'help break'
-f raw s.raw -c 'help wait_break'
-f raw s.raw << break pwritev A\\nresume A\\nlength\\n
"""

BLKDEBUG = """
-f raw blkdebug::s.raw -c info -c length
-f raw blkdebug::s.raw -c 'break foo A' -c 'break pwritev A' -c length
-f raw blkdebug::s.raw -c 'remove_break A' -c 'resume A'
-f raw blkdebug::s.raw -c 'break pwritev A' -c 'resume A'
-f raw blkdebug::s.raw -c 'break pwritev A' -c 'remove_break A' -c 'remove_break A' -c 'resume A' -c 'write -P 1 0 512'
-f raw blkdebug::s.raw -c 'break pwritev A' -c 'aio_write -P 1 0 512' -c 'wait_break A' -c 'resume A' -c aio_flush
-f raw blkdebug::s.raw -c 'break pwritev A' -c 'aio_write -P 1 0 512' -c 'wait_break A' -c 'wait_break A' -c 'resume A'
-f raw blkdebug::s.raw -c 'break pwritev A' -c 'aio_write -P 1 0 512' -c 'wait_break A' -c 'read 0 512' -c 'resume A' -c aio_flush -c 'read -P 1 0 512'
-f raw blkdebug::s.raw -c 'break pwritev A' -c 'aio_write -P 1 0 512' -c 'wait_break A' -c 'remove_break A'
-f raw blkdebug::s.raw -c 'break pwritev_done A' -c 'aio_write -P 1 0 512' -c 'wait_break A' -c 'read -P 1 0 512' -c 'resume A'
-f raw blkdebug::s.raw -c 'break pwritev A' -c 'break pwritev_done B' -c 'aio_write -P 1 0 512' -c 'wait_break A' -c 'resume A' -c 'wait_break B' -c 'resume B'
-f raw blkdebug::s.raw -c 'break pwritev A' -c 'break pwritev A' -c 'aio_write -P 1 0 512' -c 'wait_break A' -c 'resume A' -c 'wait_break A' -c 'resume A'
-f raw blkdebug::s.raw -c 'break pwritev A' -c 'break pwritev B' -c 'aio_write -q -P 1 0 512' -c 'wait_break B' -c 'resume B' -c 'wait_break A' -c 'resume A'
-f raw blkdebug::s.raw -c 'break pwritev A' -c 'aio_write -q -P 1 0 512' -c 'aio_write -P 2 512 512' -c 'wait_break A' -c 'sleep 50' -c 'resume A'
-f raw blkdebug::s.raw -c 'break pwritev_zero A' -c 'aio_write -z 0 64k' -c 'wait_break A' -c 'resume A'
-f raw blkdebug::s.raw -c 'break pwritev A' -c 'aio_write -q -P 1 0 512' -c 'wait_break A' -c 'resume A' -c quit -c length
-f raw blkdebug::s.raw << break pwritev A\\naio_write -P 1 0 512\\nwait_break A\\nresume A\\n
--image-opts driver=blkdebug,align=4k,image.driver=file,image.filename=s.raw -c 'break pwritev_rmw_head A' -c 'aio_write -P 1 512 512' -c 'wait_break A' -c 'resume A'
--image-opts driver=blkdebug,align=4k,image.driver=file,image.filename=s.raw -c 'break pwritev_rmw_after_head A' -c 'aio_write -P 1 512 512' -c 'wait_break A' -c 'resume A'
--image-opts driver=blkdebug,align=4k,image.driver=file,image.filename=s.raw -c 'break pwritev_rmw_tail A' -c 'aio_write -P 1 0 4608' -c 'wait_break A' -c 'resume A'
--image-opts driver=blkdebug,align=4k,image.driver=file,image.filename=s.raw -c 'break pwritev_rmw_after_tail A' -c 'aio_write -P 1 0 4608' -c 'wait_break A' -c 'resume A'
-f qcow blkdebug::q.qcow -c 'break pwritev A' -c 'aio_write -P 1 64k 512' -c 'wait_break A' -c 'resume A' -c aio_flush -c 'read -P 1 64k 512'
-f qcow blkdebug::q.qcow -c 'break foo A'
"""

COPY_ON_READ = f"""
-C -f raw s.raw -c info -c 'read 0 64k' -c map -c 'write -P 1 0 512'
-C -f qcow o.qcow -c info -c 'read 0 64k' -c map -c 'alloc 0 1M'
--copy-on-read -f qcow o.qcow -c 'read 100 10' -c map
-C -f qcow o.qcow -c 'read 3k 2k' -c 'read -P 17 4k 8k' -c map
-C -f qcow o.qcow -c 'read 0 1M' -c map
-C -f qcow o.qcow -c 'readv 0 512 100 5' -c 'aio_read 64k 4k' -c aio_flush -c map
-C -f qcow o.qcow -c 'write -P 3 100 1k' -c 'read -P 3 100 1k' -c 'discard 0 4k' -c map
-C -f qcow oq.qcow -c 'read 64k 2k' -c map
-C -f qcow l5.qcow -c 'read -P 41 100k 1k' -c 'read -P 42 200k 2k' -c map
-C -f qcow grown.qcow -c 'read 1000k 48k' -c 'read -P 0 1100k 4k' -c map
-C -f qcow q.qcow -c 'read 0 1M' -c map
-C -f qcow c.qcow -c 'read 700k 4k' -c map
-C o.qcow -c 'read 0 512' -c map
-C -n -f qcow o.qcow -c 'read 1 3' -c map
-C -m -f qcow o.qcow -c 'read 1 3' -c map
-C -r -f qcow o.qcow -c 'read 0 512'
-C -r -f raw nope
-C -U -f qcow o.qcow
-C -f qcow nope
-C --image-opts driver=qcow,file.filename=o.qcow -c 'read 0 64k' -c map
-C --image-opts driver=qcow,read-only=on,file.filename=o.qcow -c 'read 0 64k'
-C 'json:{{"driver":"qcow","file.filename":"o.qcow"}}' -c 'read 0 64k' -c map
-C -f qcow o.qcow -c 'read 2M 1' -c 'truncate x' -c 'read -P 5 0 1'
-C -f qcow o.qcow -c 'reopen -c none' -c 'read 0 512' -c map
-C -f qcow o.qcow -c 'reopen -c writethrough' -c 'read 0 512' -c 'write -P 1 64k 100' -c map
-C -f qcow o.qcow -c 'reopen -o driver=raw' -c 'read 0 512' -c map
-C -f qcow o.qcow -c 'reopen -w' -c 'read 0 512' -c map
-C -f qcow o.qcow -c 'reopen -r' -c 'read 0 512' -c 'write -P 1 64k 100' -c map
-C -f qcow o.qcow -c close -c 'open -o driver=qcow o.qcow' -c 'read 0 512' -c map
-C -s -f raw s.raw -c 'read 100k 1k' -c map -c 'write -P 1 0 5'
-C -s -f qcow o.qcow -c 'read 0 512' -c map
-C -s -r -f raw s.raw -c 'read 0 512'
-c 'open -C -o driver=qcow o.qcow' -c info -c 'read 0 512' -c map
-c 'open -Cr -o driver=qcow o.qcow' -c length
-c 'open -Cs -o driver=qcow o.qcow' -c 'read 0 512' -c map
{SECRET} -C --image-opts {ENC} -c 'read 0 64k' -c map
--image-opts driver=copy-on-read,file.driver=qcow,file.file.filename=o.qcow -c info -c 'read 0 512' -c map
"""

SNAPSHOT = f"""
-s -f raw s.raw -c info
-s -f raw s.raw -c length -c 'write -P 7 0 64k' -c 'read -P 7 0 64k' -c map -c 'alloc 0 1M'
-s -f raw s.raw -c 'write -P 7 100 5' -c 'read -P 7 100 5' -c map ;; -f raw s.raw -c 'read -P 7 100 5'
-s s.raw -c 'write -P 7 0 512' -c 'read -P 7 0 512'
--snapshot -f qcow q.qcow -c 'write -P 7 0 64k' -c 'read -P 7 0 64k' -c flush
-s -f qcow q.qcow -c 'write -c -P 7 64k 64k' -c 'read -P 7 64k 64k' -c 'write -c 0 4k'
-s -f qcow q.qcow -c 'write -z 0 64k' -c 'read -P 0 0 64k' -c 'writev -P 3 100 5 5' -c 'aio_write -P 4 1k 1k'
-s -f qcow q.qcow -c 'discard 0 64k' -c 'read 0 64k' -c map
-s -f qcow q.qcow -c 'read 1M 1' -c 'write 1M 1' -c 'write 1048575 1'
-s -f qcow c.qcow -c 'read -v 716800 40' -c 'write -P 1 700k 4k' -c 'read -P 1 700k 4k'
-s -f qcow o.qcow -c 'read -P 17 4k 8k' -c map -c 'write -P 1 4k 1k' -c 'read -P 17 5k 7k'
-s -f qcow l5.qcow -c 'read -P 45 500k 5k' -c 'write -P 1 100k 1' -c 'read -P 41 102401 1023'
-s -f qcow grown.qcow -c length -c 'read -P 20 1500k 4k' -c 'write -P 1 1048500 100'
-s -f raw u.raw -c length -c 'read 0 1024' -c 'write -P 1 690 30' -c 'read -P 1 690 30' -c 'read -P 0 720 304'
-s -f raw odd.raw -c length -c 'write -P 1 999936 512' -c 'read -P 1 999936 512'
-s -f qcow tera.qcow -c length -c 'write -P 1 512G 4k' -c 'read -P 1 512G 4k' -c 'read -P 3 1099511562240 64k'
-s -f raw e.raw -c length
-s -r -f raw s.raw -c 'write 0 1' -c length
-s -n -f raw s.raw -c 'read 0 512' -c 'write -P 1 1 3' -c 'read -P 1 1 3'
-s -t directsync -f qcow q.qcow -c 'write -P 1 1 3' -c 'read -P 1 1 3'
-s -k -n -f raw s.raw -c 'read 0 512' -c 'write -P 1 0 512'
-s -m -f raw s.raw -c 'write -P 1 0 512' -c 'read -P 1 0 512'
-s -U -f qcow q.qcow -c 'write -P 1 0 512'
-s -d unmap -f qcow q.qcow -c 'write -P 7 0 64k' -c 'discard 0 64k' -c length
-s -r -U -f qcow q.qcow -c 'write -P 1 0 512'
-s -f qcow nope -c length
-s nope -c length
-s -f qcow orphan.qcow -c length
-s -f qcow s.raw -c length
-s --image-opts driver=raw,file.filename=s.raw -c 'write -P 1 0 512' -c 'read -P 1 0 512'
-s --image-opts driver=raw,offset=4096,size=8192,file.filename=s.raw -c length -c 'write 8k 1'
-s --image-opts driver=qcow,read-only=on,file.filename=q.qcow -c 'write -P 1 0 512'
-s --image-opts driver=raw,file.filename=nope -c length
-s 'json:{{"driver":"raw","file.filename":"s.raw"}}' -c 'write -P 1 0 512' -c 'read -P 1 0 512'
-s -f raw s.raw -c close -c 'open -o driver=raw s.raw' -c 'write -P 1 0 512'
-s -f raw s.raw -c 'reopen -r' -c 'write 0 1' -c 'reopen -w' -c 'write 0 1'
-s -f raw s.raw -c 'reopen -c unsafe' -c 'write -P 1 0 512' -c 'read -P 1 0 512'
-s -f raw s.raw << write -P 1 0 512\\nread -P 1 0 512\\nquit
-c 'open -s nope'
-c 'open -s s.raw' -c 'write -P 1 0 512' -c 'read -P 1 0 512'
-c 'open -sr -o driver=qcow q.qcow' -c 'write 0 1'
-c 'open -s -o driver=raw,file.filename=s.raw' -c 'write -P 1 0 512' -c close -c 'open -s -o driver=qcow q.qcow' -c 'write -P 2 0 512'
-c 'open -s -U -o driver=qcow q.qcow' -c 'write -P 1 0 512'
-c 'open -s' -c length
{SECRET} -s --image-opts {ENC} -c 'read -v 716800 40' -c 'write -P 1 0 64k' -c 'read -P 1 0 64k'
{WRONG} -s --image-opts {ENC} -c 'read -P 0 0 64k'
-s -f qcow enc.qcow -c length
"""

GROUPS = {
    "reopen": lambda: lines(REOPEN),
    "break": lambda: lines(BREAK),
    "blkdebug": lambda: lines(BLKDEBUG),
    "copy-on-read": lambda: lines(COPY_ON_READ),
    "snapshot": lambda: lines(SNAPSHOT),
}
