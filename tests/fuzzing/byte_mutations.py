"""Damage: changes of bytes, and of what is inside gzips, zips, PNGs and tables."""

import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from random import Random

#: Sizes that overflow, and those beside them.
NUMBERS = (0, 1, 2, 3, 127, 128, 255, 256, 65_535, 2**31 - 1, 2**31, 2**32 - 1)
WORDS = (
    b"",
    b"-1",
    b"256",
    b"nan",
    b"1e9",
    b"9" * 400,
    b"0x1",
    b"\xff",
    b"\x00",
    b"\xc2\xb2",
    b" ",
)
SEPARATORS = (b",", b" ", b"\n", b"\r\n", b"\t", b";", b"\xe2\x80\xa8")
NAMES = (
    "../../evil.png",
    "/etc/0_1.png",
    "__MACOSX/a/b/._1_1.png",
    "a\\b\\1_1.png",
    "\x00",
    "é/è/1_1.png",
)
NAMES += (
    "x/y/1_999999999999.png",
    "000001.jpg",
    "q/000001.jpg",
    "a/b/.DS_Store",
    "x" * 60_000,
    "a/b/",
)
BOMB = 4 << 20
Mutation = Callable[[bytes, Random], bytes]


def damage(content: bytes, rng: Random) -> bytes:
    """Change some bytes: flip, overwrite, cut, insert, repeat, or write a size of note."""
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        place = rng.randrange(len(changed) + 1)
        # Headers decide on more than what follows them.
        place = min(place, rng.choice((16, 64, len(changed))))
        length = min(rng.choice((1, 2, 4, 8, 64)), len(changed) - place)
        match rng.randrange(8):
            case 0 if length:
                changed[place] ^= 1 << rng.randrange(8)
            case 1 if length:
                changed[place : place + length] = rng.randbytes(length)
            case 2:
                del changed[place:]
            case 3:
                del changed[place : place + length]
            case 4:
                changed[place:place] = rng.randbytes(rng.choice((1, 4, 100)))
            case 5:
                changed[place:place] = changed[place : place + length] * 3
            case 6:
                order = rng.choice(("<I", ">I", "<H", ">H"))
                size = struct.calcsize(order)
                number = rng.choice(NUMBERS) % (1 << 8 * size)
                changed[place : place + size] = struct.pack(order, number)
            case _:
                changed[place : place + length] = bytes(length)
    return bytes(changed)


def inside_gzip(mutation: Mutation) -> Mutation:
    """Change what is zipped, or make a bomb, a second member or garbage of what follows."""

    def changed(content: bytes, rng: Random) -> bytes:
        inner = mutation(gzip.decompress(content), rng)
        if rng.random() < 0.002:
            inner += bytes(BOMB)
        ending = rng.choice((b"", b"", b"", b"\x00", b"garbage", gzip.compress(inner[:9], mtime=0)))
        return gzip.compress(inner, 1, mtime=0) + ending

    return changed


def table(content: bytes, rng: Random) -> bytes:
    """Change the words, the separators, the lines or the encoding of a table."""
    lines = content.splitlines(keepends=True)
    at = rng.randrange(len(lines))
    words = lines[at].split(b",") if b"," in lines[at] else lines[at].split(b" ")
    match rng.randrange(8):
        case 0:
            words[rng.randrange(len(words))] = rng.choice(WORDS)
            lines[at] = b",".join(words)
        case 1:
            lines[at] = lines[at].replace(b",", b" ").replace(b" ", rng.choice(SEPARATORS))
        case 2:
            lines.insert(at, lines[rng.randrange(len(lines))])
        case 3:
            del lines[at]
        case 4:
            return b"\xef\xbb\xbf" + content
        case 5:
            return content.decode("latin-1").encode(rng.choice(("utf-16", "utf-8", "utf-32")))
        case 6:
            lines.insert(0, b"image_id,partition\r\n")
        case _:
            return content.replace(b"\n", rng.choice(SEPARATORS))
    return b"".join(lines)


def png(content: bytes, rng: Random) -> bytes:
    """Change a chunk of a PNG, its checksum made to fit, so that decoders look further."""
    chunks, place = [], 8
    while place < len(content):
        (size,) = struct.unpack(">I", content[place : place + 4])
        chunks.append((content[place + 4 : place + 8], content[place + 8 : place + 8 + size]))
        place += 12 + size
    at = rng.randrange(len(chunks))
    kind, data = chunks[at]
    match rng.randrange(6):
        case 0:
            pixels = zlib.decompress(data) if kind == b"IDAT" else data
            data = damage(pixels, rng)
            data = zlib.compress(data, 1) if kind == b"IDAT" else data
        case 1:
            data = damage(data, rng)
        case 2:
            kind = rng.choice(
                (b"IDAT", b"PLTE", b"tRNS", b"iCCP", b"zTXt", b"acTL", b"IEND", b"xxxx")
            )
        case 3:
            chunks.insert(at, chunks[rng.randrange(len(chunks))])
        case 4:
            data = zlib.compress(bytes(BOMB >> 4), 1)
        case _:
            chunks.insert(at, (b"zTXt", b"k\x00\x00" + zlib.compress(bytes(BOMB >> 2))))
    chunks[at] = kind, data
    return content[:8] + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def inside_zip(mutation: Mutation) -> Mutation:
    """Write a zip anew: a member's content, name, method or number is another."""

    def changed(content: bytes, rng: Random) -> bytes:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [(name, archive.read(name)) for name in archive.namelist()]
        at = rng.randrange(len(members))
        name, inner = members[at]
        method = zipfile.ZIP_DEFLATED if rng.random() < 0.9 else rng.choice((0, 12, 14))
        match rng.randrange(8):
            case 0:
                members[at] = rng.choice(NAMES), inner
            case 1:
                members.append((rng.choice(NAMES), inner))
            case 2:
                del members[at]
            case 3:
                members.append((f"__MACOSX/{name}", b"mac"))
            case 4 if rng.random() < 0.02:
                members[at] = name, bytes(BOMB)
            case _:
                members[at] = name, mutation(inner, rng)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", method, compresslevel=1) as archive:
            for name, inner in members:
                # No date: it would be another one in every run.
                archive.writestr(zipfile.ZipInfo(name or "x"), inner, method)
        return packed.getvalue()

    return changed


def headers_of_zip(content: bytes, rng: Random) -> bytes:
    """Overwrite a field of a zip's headers: flags, method, sizes, offsets."""
    changed = bytearray(content)
    marks = (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06")
    starts = [i for mark in marks for i in _all(content, mark)]
    for _ in range(rng.choice((1, 1, 2, 3))):
        place = rng.choice(starts) + rng.randrange(4, 46)
        changed[place : place + 2] = struct.pack("<H", rng.choice(NUMBERS) % 65_536)
    return bytes(changed)


def _all(content: bytes, mark: bytes) -> list[int]:
    found, place = [], content.find(mark)
    while place >= 0:
        found.append(place)
        place = content.find(mark, place + 1)
    return found
