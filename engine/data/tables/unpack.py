"""Detects the kind of a file by its first bytes, and inflates a zip or gz of one file within limits."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import PurePosixPath

from engine.data.tables.sheet import shorten
from engine.errors import BadData
from engine.spec import table_limits

READ = "CSV, TSV, TXT, Excel (.xlsx), Parquet, or a zip or gz of one of them"

ZIP, GZ, PARQUET = (b"PK\x03\x04", b"PK\x05\x06"), b"\x1f\x8b", b"PAR1"

FOREIGN: tuple[tuple[bytes, str], ...] = (
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "an old Excel (.xls) or a password-protected workbook: save it as .xlsx without a password",
    ),
    (b"%PDF", "a PDF: export the table as CSV"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"Rar!", "a RAR archive: use zip"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: use zip"),
    (b"BZh", "bzip2: use gz or zip"),
    (b"\xfd7zXZ\x00", "xz: use gz or zip"),
    (b"\x28\xb5\x2f\xfd", "zstd: use gz or zip"),
    (b"SQLite format 3\x00", "a database: export one table as CSV"),
    (b"\x89HDF", "HDF5: export the table as CSV"),
    (b"ARROW1", "Feather: save it as Parquet"),
    (b"\x93NUMPY", "a NumPy array: save it as CSV"),
    (b"Obj\x01", "Avro: save it as Parquet"),
    (b"ORC", "ORC: save it as Parquet"),
    (b"RDX", "an R workspace: write the table as CSV"),
    (b"\x80\x04\x95", "a pickle, and those are never opened: save it as CSV or Parquet"),
    (b"{\\rtf", "a text document: export the table as CSV"),
)

MARKUP = (b"<!doctype", b"<html", b"<?xml", b"<svg", b"<table")

STEP, CHUNK = 1 << 16, 1 << 20
"""Bytes of a gz file inflated in one step, and bytes it may inflate to before the next check."""

MAX_MEMBERS = 10_000
"""Most members of a gz file, which follow one another; block gzip writes one per 64 KiB."""

_BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, OSError, EOFError, RuntimeError, ValueError, OverflowError, KeyError)
"""Exceptions that `zipfile` raises for damaged zips. NotImplementedError (an unsupported compression) is a RuntimeError."""


def unpack_file(data: bytes, name: str) -> tuple[bytes, str, str]:
    """(bytes, name, format) of the one table in a file; format is text, excel or parquet. Raises BadData."""
    if len(data) > table_limits.MAX_BYTES:
        raise BadData(
            f"The file has more than {table_limits.MAX_BYTES >> 20} MiB, and no more are read: send a sample of its rows, or zip it."
        )
    if data.startswith(GZ):
        data = _gunzip(data)
        name = name[:-3] if name.lower().endswith(".gz") else name
        if data[257:262] == b"ustar":
            raise BadData("The file is a tar archive: send a zip or gz of one table.")
        _refuse_archive(data)
    elif data.startswith(ZIP) and not _is_workbook(data):
        data, name = _unzip(data)
        _refuse_archive(data)
    return data, name, _find_format(data)


def open_members(data: bytes) -> zipfile.ZipFile:
    """A zip with safe members: none encrypted, at most MAX_INFLATED bytes in all. Raises BadData."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        infos = archive.infolist()
    except _BROKEN:
        raise BadData("The zip is broken: make it anew.") from None
    # zipfile never inflates a member beyond the size stated here
    if sum(info.file_size for info in infos) > table_limits.MAX_INFLATED:
        raise BadData(_describe_too_large())
    if any(info.flag_bits & 1 for info in infos):
        raise BadData("The zip is encrypted: send it without a password.")
    if any(info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for info in infos):
        raise BadData("The zip is compressed in an unusual way: make it anew with the usual one (deflate).")
    return archive


def _find_format(data: bytes) -> str:
    if not data.strip(b" \t\r\n\x00\xef\xbb\xbf"):
        raise BadData("The file is empty: send a table with a header and rows.")
    binary = not data[:1024].isascii() or b"\x00" in data[:1024]  # a CSV can begin with ORC, as its first column's name
    if data.startswith(PARQUET) and (binary or data.endswith(PARQUET)):
        return "parquet"
    if data.startswith(ZIP) and _is_workbook(data):
        return "excel"
    for magic, what in FOREIGN:
        if data.startswith(magic) and (binary or magic in (b"%PDF", b"{\\rtf")):
            raise BadData(f"The file is {what}; read are {READ}.")
    head = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(MARKUP):
        raise BadData(f"The file is a web page or XML; read are {READ}.")
    if head.startswith((b'{"', b'[{"', b"{\n", b"{\r", b"[\n", b"{ ", b"[[")):
        raise BadData(f"The file is JSON: save the table as CSV; read are {READ}.")
    return "text"


def _is_workbook(data: bytes) -> bool:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = set(archive.namelist())
    except _BROKEN:
        return False
    if "xl/workbook.bin" in names:
        raise BadData("The file is a binary workbook (.xlsb): save it as .xlsx or CSV.")
    if "content.xml" in names and "mimetype" in names:
        raise BadData("The file is an OpenDocument file (.ods): save it as .xlsx or CSV.")
    if "word/document.xml" in names or "ppt/presentation.xml" in names:
        raise BadData(f"The file is a document, no table; read are {READ}.")
    return "xl/workbook.xml" in names


def _refuse_archive(data: bytes) -> None:
    if data.startswith(GZ) or (data.startswith(ZIP) and not _is_workbook(data)):
        raise BadData("The archive holds another archive: send a zip or gz of one table.")


def _unzip(data: bytes) -> tuple[bytes, str]:
    with open_members(data) as archive:
        infos = [info for info in archive.infolist() if not info.is_dir() and not _is_litter(info.filename)]
        if not infos:
            raise BadData("The zip is empty: put one table into it.")
        if len(infos) > 1:
            raise BadData(f"The zip holds {len(infos):,} files: put one table into it.")
        try:
            with archive.open(infos[0]) as file:
                out = file.read(table_limits.MAX_INFLATED + 1)
        except _BROKEN:
            raise BadData("The zip is broken: make it anew.") from None
    if len(out) > table_limits.MAX_INFLATED:
        raise BadData(_describe_too_large())
    return out, PurePosixPath(infos[0].filename).name


def _is_litter(name: str) -> bool:
    """Whether a file is one that macOS and Windows add to archives."""
    path = PurePosixPath(name)
    return "__MACOSX" in path.parts or path.name in (".DS_Store", "Thumbs.db", "desktop.ini") or path.name.startswith("._")


def _gunzip(data: bytes) -> bytes:
    """All members of a gzip file, joined."""
    out: list[bytes] = []
    size = at = 0
    inflate = zlib.decompressobj(wbits=31)
    started = 1
    while at < len(data):
        piece = data[at : at + STEP]
        at += len(piece)
        while piece:
            if inflate.eof:
                if not piece.startswith(GZ[: len(piece)]):
                    return b"".join(out)  # trailing padding, which gzip ignores too
                inflate = zlib.decompressobj(wbits=31)
                started += 1
                if started > MAX_MEMBERS:
                    raise BadData("The gz file has too many parts: make it anew.")
            try:
                out.append(inflate.decompress(piece, CHUNK))
            except zlib.error:
                raise BadData("The gz file is broken: make it anew.") from None
            size += len(out[-1])
            if size > table_limits.MAX_INFLATED:
                raise BadData(_describe_too_large())
            piece = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
    if not inflate.eof:
        raise BadData("The gz file ends too early: make it anew.")
    return b"".join(out)


def _describe_too_large() -> str:
    return f"The file inflates to more than {table_limits.MAX_INFLATED >> 20} MiB, and no more are read: send a sample of its rows."


def strip_ending(name: str) -> str:
    """A file's name for display, without folders and endings."""
    stem = PurePosixPath(name.replace("\\", "/")).name
    for ending in (
        ".gz",
        ".zip",
        ".csv",
        ".tsv",
        ".txt",
        ".tab",
        ".xlsx",
        ".xlsm",
        ".parquet",
        ".pq",
        ".arff",
        ".data",
        ".dat",
    ):
        if stem.lower().endswith(ending) and len(stem) > len(ending):
            stem = stem[: -len(ending)]
    return shorten(stem, 80) or "table"
