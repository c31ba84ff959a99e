"""A file as it lies in the store: compressed with a trained dictionary, sealed to its device and name. Pure.

The seal holds a tag of the content and the zstd frame. The tag makes the ETag: sealing draws a nonce, so the
sealed bytes of equal content differ, while a phone that has this content must get its 304.
"""

import base64
import functools
import hashlib
import threading
from pathlib import Path

import zstandard

from accounts.sealing import Keyring, SealError
from provisioning import wire

DICTIONARY = Path(__file__).with_name("files.zdict")
LEVEL = 12  # publishing is rare and reading daily; beyond it a file of a few kilobytes gains nothing
TAG = 16


class _Tools(threading.local):
    """zstandard's objects are not to be shared by threads."""

    def __init__(self) -> None:
        dictionary = trained_dictionary()
        self.compressor = zstandard.ZstdCompressor(level=LEVEL, dict_data=dictionary, write_checksum=False)
        self.decompressor = zstandard.ZstdDecompressor(dict_data=dictionary)
        self.plain = zstandard.ZstdDecompressor()


@functools.cache
def trained_dictionary() -> zstandard.ZstdCompressionDict | None:
    """Return the dictionary that is shipped beside this module."""
    try:
        return zstandard.ZstdCompressionDict(DICTIONARY.read_bytes())
    except FileNotFoundError:
        return None


def content_tag(body: bytes) -> bytes:
    """Return sixteen letters that stand for exactly this content."""
    return base64.urlsafe_b64encode(hashlib.sha256(body).digest()[: TAG * 3 // 4])


def seal_file(keyring: Keyring, code: str, name: str, body: bytes) -> bytes:
    """Return the file's body as it may lie in the store; only its own device and name open it again."""
    return keyring.seal(content_tag(body) + _tools.compressor.compress(body), wire.file_about(code, name))


def open_file(keyring: Keyring, code: str, name: str, sealed: bytes) -> bytes:
    """Return the body; SealError when it is another device's, damaged, or of a key or dictionary we lack."""
    return open_with_tag(keyring, code, name, sealed)[0]


def open_with_tag(keyring: Keyring, code: str, name: str, sealed: bytes) -> tuple[bytes, bytes]:
    """Return the body and the tag that was sealed with it."""
    plain = keyring.open(sealed, wire.file_about(code, name))
    frame = memoryview(plain)[TAG:]
    try:
        return _tools.decompressor.decompress(frame), plain[:TAG]
    except zstandard.ZstdError:
        pass
    try:  # sealed before there was a dictionary
        return _tools.plain.decompress(frame), plain[:TAG]
    except zstandard.ZstdError as error:
        raise SealError("the file was compressed with a dictionary that is not this program's") from error


_tools = _Tools()
