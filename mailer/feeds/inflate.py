"""Decompression that stops where it is told to, so that a bomb costs no more than its limit."""

import zlib


class Inflate:
    """gzip (RFC 1952, also of several members) and deflate (zlib or, as often sent, raw)."""

    def __init__(self) -> None:
        self.zlib = zlib.decompressobj(wbits=47)  # gzip or zlib, by its header
        self.fresh = True

    @property
    def complete(self) -> bool:
        return self.zlib.eof

    def feed(self, data: bytes, room: int) -> bytes:
        """What `data` inflates to, but at most one byte more than there is room for. Raises zlib.error."""
        out = bytearray()
        while data and len(out) <= room:
            if self.zlib.eof:
                if not data.startswith(b"\x1f\x8b"):
                    break  # padding after the last member
                self.zlib = zlib.decompressobj(wbits=47)
            try:
                out += self.zlib.decompress(data, room + 1 - len(out))
            except zlib.error:
                if not self.fresh:
                    raise
                self.zlib = zlib.decompressobj(wbits=-15)
                out += self.zlib.decompress(data, room + 1 - len(out))
            self.fresh = False
            data = self.zlib.unused_data if self.zlib.eof else self.zlib.unconsumed_tail
        return bytes(out)
