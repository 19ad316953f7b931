# SPDX-License-Identifier: MIT
"""A third reader: libqcow, by its shared library. It follows no backing files by itself, so a chain is
opened level by level. Encrypted images are left to the peer."""

import ctypes
import ctypes.util


def load():
    """The library, or None where it is not installed."""
    name = ctypes.util.find_library("qcow")
    if not name:
        return None
    lib = ctypes.CDLL(name)
    lib.libqcow_file_read_buffer_at_offset.restype = ctypes.c_ssize_t
    lib.libqcow_file_read_buffer_at_offset.argtypes = [
        ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int64, ctypes.c_void_p]
    lib.libqcow_file_open.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int,
                                      ctypes.c_void_p]
    lib.libqcow_file_get_media_size.argtypes = [ctypes.c_void_p, ctypes.c_void_p,
                                                ctypes.c_void_p]
    lib.libqcow_file_close.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    lib.libqcow_file_free.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    return lib


class Image:
    """One image file, read only."""

    def __init__(self, lib, path):
        self.lib = lib
        self.file = ctypes.c_void_p()
        if lib.libqcow_file_initialize(ctypes.byref(self.file), None) != 1:
            raise OSError("libqcow: no memory")
        if lib.libqcow_file_open(self.file, path.encode(), 1, None) != 1:
            raise OSError(f"libqcow cannot open {path}")

    def size(self):
        size = ctypes.c_uint64()
        if self.lib.libqcow_file_get_media_size(self.file, ctypes.byref(size), None) != 1:
            raise OSError("libqcow: no size")
        return size.value

    def read(self, offset, length):
        data = b""
        while len(data) < length:
            buffer = ctypes.create_string_buffer(length - len(data))
            count = self.lib.libqcow_file_read_buffer_at_offset(
                self.file, buffer, len(buffer), offset + len(data), None)
            if count <= 0:
                raise OSError(f"libqcow cannot read at {offset + len(data)}")
            data += buffer.raw[:count]
        return data

    def close(self):
        self.lib.libqcow_file_close(self.file, None)
        self.lib.libqcow_file_free(ctypes.byref(self.file), None)
