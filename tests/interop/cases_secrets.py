# SPDX-License-Identifier: MIT
"""Objects on the command line: each form, each mistake. As in cases.py."""

KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="      # 32 bytes, base64
IV = "MDEyMzQ1Njc4OWFiY2RlZg=="                           # 16 bytes, likewise
SEALED = f"info --object secret,id=k,data={KEY},format=base64 --object secret,id=s,keyid=k,format=base64"

SECRETS = f"""
info --object
info --object '' s.raw
info --object secret s.raw
info --object id=s s.raw
info --object secret,id=s,data=a,data=b s.raw
info --object qom-type=secret,id=s,data=abc s.raw
info --object '{{"qom-type":"secret","id":"s","data":"abc"}}' s.raw
info --object '{{"id":"s","data":"abc"}}' s.raw
info --object '{{"qom-type":"secret","data":"abc"}}' s.raw
info --object '{{"qom-type":"secret","id":"s","data":"abc","x":1}}' s.raw
info --object '{{"qom-type":"foo","id":"s","data":"a"}}' s.raw
info --object secret,id=s,data=abc,format=raw s.raw
info --object secret,id=s,data=YWJj,format=base64 s.raw
info --object secret,id=s,file=s.raw s.raw
info --object secret,id=s,file=. s.raw
info --object secret,id=a.b-c_d,data=a s.raw
info --object secret,id=1a,data=a s.raw
info --object secret,id=s,data=a,keyid=k s.raw
info --object secret,id=k,data=abc --object secret,id=s,data=YWJj,keyid=k,format=base64 s.raw
{SEALED},data=YWJj s.raw
{SEALED},data=YWJj,iv=AAAA s.raw
{SEALED},data={IV},iv=!! s.raw
{SEALED},data={IV},iv={IV} s.raw
info --object secret,? s.raw
info s.raw --object secret,id=s
convert {{SECRET}} --image-opts driver=qcow,file.filename=enc.qcow,encrypt.key-secret=nope a
convert {{SECRET}} --image-opts driver=qcow,file.filename=enc.qcow,encrypt.format=luks,encrypt.key-secret=s a
convert --image-opts driver=qcow,file.filename=q.qcow,encrypt.format=aes a
"""

GROUPS = {"secrets": SECRETS}

DIFFERENCES = {
    f"{SEALED},data={IV},iv={IV} s.raw": {
        "why": "the byte that the peer prints is one of the decrypted payload",
        "stderr": r"qemu-img: Incorrect number of padding bytes found on decrypted data\n"},
}
