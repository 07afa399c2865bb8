"""Detects the encoding of a text, and decodes it."""

from __future__ import annotations

import codecs
import re

from engine.errors import BadData

ENCODINGS = (
    *(
        "utf-8",
        "utf-16",
        "utf-16-le",
        "utf-16-be",
        "utf-32",
        "cp1252",
        "latin-1",
        "iso8859-15",
        "cp1250",
        "iso8859-2",
        "cp1251",
    ),
    *(
        "koi8-r",
        "cp1253",
        "cp1254",
        "cp1255",
        "cp1256",
        "cp1257",
        "cp437",
        "cp850",
        "mac-roman",
        "cp932",
        "gb18030",
        "big5",
        "cp949",
    ),
)
"""Encodings a person can choose. (Python has others that do not encode text, or are slow.)"""

BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decode_text(data: bytes, encoding: str | None = None) -> tuple[str, str, list[str]]:
    """(text without a byte order mark, encoding, notes). Raises BadData."""
    if encoding is not None:
        encoding = _check_encoding(encoding)
        if (read := _try_decode(data, encoding)) is None:
            raise BadData(f"The file cannot be read as {encoding}: leave the encoding open, or choose another.")
        return read[0], encoding, read[1]
    for mark, name in BOMS:
        if data.startswith(mark):
            if (read := _try_decode(data, name)) is None:
                raise BadData(f"The file is marked as {name} and cannot be read so: write it anew, or choose an encoding.")
            return read[0], name, read[1]
    for guess in (_guess_utf16, lambda _: "utf-8", _guess_eight_bit):
        name = guess(data)
        if name and (read := _try_decode(data, name)) is not None:
            return read[0], name, read[1]
    return data.decode("latin-1"), "latin-1", []


BROKEN = 0.05
"""Largest share of non-ASCII characters that may be invalid in a file of an encoding."""


def _try_decode(data: bytes, encoding: str) -> tuple[str, list[str]] | None:
    """(text without a byte order mark, notes); None where more than a few characters are invalid in this encoding."""
    try:
        return data.decode(encoding).removeprefix("\ufeff"), []
    except UnicodeError as error:
        cut = isinstance(error, UnicodeDecodeError) and error.end == len(data) and error.start >= len(data) - 4
    text = data.decode(encoding, "replace").removeprefix("\ufeff")
    whole = sum(not c.isascii() for c in text)
    lost = text.count("\N{REPLACEMENT CHARACTER}")
    if lost > BROKEN * whole and not (cut and lost < whole):
        return None
    note = f"{lost:,} broken characters were replaced by \N{REPLACEMENT CHARACTER}: if there are many, choose another encoding."
    return text, [note if lost > 1 else "One broken character was replaced by \N{REPLACEMENT CHARACTER}."]


def _check_encoding(encoding: str) -> str:
    try:
        name = codecs.lookup(encoding).name
    except (LookupError, ValueError, TypeError):
        name = ""
    for known in ENCODINGS:
        if codecs.lookup(known).name == name:
            return known
    if name == "utf-8-sig":
        return "utf-8"
    raise BadData(f"There is no encoding of that name here; choose one of {', '.join(ENCODINGS)}.")


def _guess_utf16(data: bytes) -> str:
    """The byte order of UTF-16 without a mark: every second byte of ASCII letters is zero."""
    head = data[:4096]
    even, odd = head[::2], head[1::2]
    if len(odd) >= 4:
        if odd.count(0) > 0.6 * len(odd) and even.count(0) < 0.1 * len(even):
            return "utf-16-le"
        if even.count(0) > 0.6 * len(even) and odd.count(0) < 0.1 * len(odd):
            return "utf-16-be"
    return ""


HIGH = re.compile(rb"[\x80-\xff]")

WORD = re.compile(rb"[A-Za-z\x80-\xff]{2,}")

NARROW = {
    "cp1251": ("[А-яЁё]", "оеаинтсрвлк"),
    "koi8-r": ("[А-яЁё]", "оеаинтсрвлк"),
    "cp1253": ("[Ά-ώ]", "αοιετσνηυράόίέής"),
    "cp1255": ("[\u05b0-\u05ea]", "יוהלארתבשמ"),
    "cp1256": ("[\u0621-\u0652]", "اليمونرتبةع"),
}
"""Encodings of other scripts with a byte a letter: the letters, and those that are most frequent."""

OTHER_SCRIPTS = ("cp1251", "koi8_r", "cp1253", "cp1255", "cp1256", "cp932", "gb18030", "big5", "cp949")


def _guess_eight_bit(data: bytes) -> str:
    """A western code page, else one of another script for words whose bytes beyond ASCII stand side by side: no western word is
    written so, whatever the other columns hold.
    """
    head = data[: 1 << 20]
    total = len(HIGH.findall(head))
    words = [word for word in WORD.findall(head) if _count_high(word) > max(1, 0.6 * len(word))]
    beside = sum(map(_count_high, words))
    if total and beside > 0.5 * total:
        part = b" ".join(words)[: 1 << 14]
        if name := _guess_narrow(part) or _guess_wide(part):
            return name
        from charset_normalizer import from_bytes

        for match in from_bytes(part, cp_isolation=list(OTHER_SCRIPTS)):
            half = sum("\uff61" <= c <= "\uff9f" for c in str(match))  # cp932 single bytes, rare in text
            if 2 * half < beside:
                return _check_encoding(match.encoding)
    inside = sum(map(len, INSIDE.findall(head)))
    if inside and inside > 0.05 * total:  # signs such as the superscript 3 stand for letters of Central Europe
        return "iso8859-2" if re.search(rb"[\xb1\xb6\xbc]", b"".join(INSIDE.findall(head))) else "cp1250"
    return "latin-1" if re.search(rb"[\x81\x8d\x8f\x90\x9d]", head) else "cp1252"


def _guess_narrow(part: bytes) -> str:
    """The encoding of one byte a letter that makes these words of letters of its script, frequent ones above all; "" for none."""
    shares = {}
    for name, (letters, usual) in NARROW.items():
        text = part.decode(name, "replace")
        high = [c for c in text if not c.isascii()]
        odd = sum(word != word.lower() and word != word.upper() and word != word.capitalize() for word in text.split())
        if sum(re.match(letters, c) is not None for c in high) >= 0.95 * len(high) and odd <= 0.2 * len(text.split()):
            shares[name] = sum(c in usual for c in "".join(high).lower()) / max(1, len(high))
    best = max(shares, key=lambda name: shares[name], default="")
    return best if best and shares[best] > 0.4 else ""


INSIDE = re.compile(rb"(?<=[A-Za-z\xc0-\xff])[\xa1\xa3\xa5\xaf\xb1\xb3\xb6\xb9\xbc\xbe\xbf](?=[a-z\xe0-\xff])")
"""Bytes between letters that are signs in western code pages and letters in those of Central Europe."""

USUAL = {"cp949": (0xB0A1, 0xC8FE), "gb18030": (0xB0A1, 0xD7F9), "cp932": (0x8140, 0x97FC), "big5": (0xA440, 0xC67E)}
"""Codes of the usual characters of four encodings of two bytes a character, the narrowest first."""


def _guess_wide(part: bytes) -> str:
    """The encoding of East Asia that reads these words as usual characters; "" where none does."""
    shares = {}
    for name, (low, high) in USUAL.items():
        characters = [c for c in part.decode(name, "replace") if not c.isascii()]
        codes = [int.from_bytes(c.encode(name, "replace"), "big") for c in characters]
        shares[name] = sum(low <= code <= high for code in codes) / max(1, len(codes))
    best = max(shares, key=lambda name: shares[name])
    return best if shares[best] > 0.8 else ""


def _count_high(word: bytes) -> int:
    return sum(b > 127 for b in word)
