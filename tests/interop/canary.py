# SPDX-License-Identifier: MIT
"""A password that may stand nowhere: not in what a tool says, not in what it writes.

The cases say "abc", which is short to read and everywhere to be found; it is replaced when they are run."""

import base64
import os

PLACEHOLDER = "abc"
CANARY = "Qz7canary+K0xv3W"             # 16 bytes: as long as a key

_BYTES = CANARY.encode()
# In base64 its letters depend on where it starts among three bytes; the outer ones are shared with neighbours.
_FORMS = [_BYTES, _BYTES.hex().encode(), _BYTES.hex().upper().encode()]
_FORMS += [base64.b64encode(b"\0" * shift + _BYTES)[(shift * 4 + 2) // 3 + 1:20] for shift in range(3)]


def put_into(words):
    """@words with the canary for the placeholder, wherever it is a secret's data."""
    words = words.replace(f"data={PLACEHOLDER}", f"data={CANARY}")
    words = words.replace(f'"data":"{PLACEHOLDER}"', f'"data":"{CANARY}"')
    if "keyid" in words:
        return words
    short, whole = (base64.b64encode(text.encode()).decode() for text in (PLACEHOLDER, CANARY))
    return words.replace(f"data={short},format=base64", f"data={whole},format=base64")


def found_in(data):
    return any(form in data for form in _FORMS)


def leaks(answer):
    """Where an answer shows the canary: one line each."""
    found = [part for part in ("stdout", "stderr")
             if found_in(getattr(answer, part).encode(errors="backslashreplace"))]
    for name in answer.files():
        with open(os.path.join(answer.folder, name), "rb") as file:
            # Written by the tool or not: an image is sparse, and what is not in its first part is data
            if found_in(file.read(1 << 20)):
                found.append(name)
    return [f"the secret stands in {where}" for where in found]
