"""Decompression that stops where it is told to, so that a bomb costs no more than its limit."""

import zlib

import brotli


class BrokenBody(Exception):
    """The bytes are not compressed as said."""


class Inflate:
    """gzip (RFC 1952, also of several members) and deflate (zlib or, as often sent, raw)."""

    def __init__(self) -> None:
        self.zlib = zlib.decompressobj(wbits=47)  # gzip or zlib, by its header
        self.fresh = True

    @property
    def complete(self) -> bool:
        return self.zlib.eof

    def feed(self, data: bytes, room: int) -> bytes:
        """What `data` inflates to, but at most one byte more than there is room for. Raises BrokenBody."""
        try:
            return self._feed(data, room)
        except zlib.error as error:
            raise BrokenBody(str(error)) from None

    def _feed(self, data: bytes, room: int) -> bytes:
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


class Unbrotli:
    """br (RFC 7932)."""

    def __init__(self) -> None:
        self.brotli = brotli.Decompressor()

    @property
    def complete(self) -> bool:
        return bool(self.brotli.is_finished())

    def feed(self, data: bytes, room: int) -> bytes:
        """What `data` unpacks to, but hardly more than there is room for (32 KiB). Raises BrokenBody."""
        out = bytearray()
        try:
            while len(out) <= room:
                out += self.brotli.process(data, output_buffer_limit=room + 1 - len(out))
                data = b""  # it keeps what it has not unpacked yet
                if self.brotli.can_accept_more_data() or self.brotli.is_finished():
                    break
        except brotli.error as error:
            raise BrokenBody(str(error)) from None
        return bytes(out)


#: of the Content-Encoding, what undoes it
DECODERS: dict[str, type[Inflate] | type[Unbrotli]] = {
    "gzip": Inflate,
    "x-gzip": Inflate,
    "deflate": Inflate,
    "br": Unbrotli,
}
