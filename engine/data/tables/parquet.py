"""Reads Parquet files as columns of texts. Nothing is unpickled, no extension type is created, nested columns are left out with
a note.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from engine.data.tables import sheet
from engine.data.tables.sheet import list_names, shorten
from engine.errors import BadData
from engine.spec import table_limits


def read_parquet(data: bytes) -> tuple[list[str], list[Any], list[dict[str, bool]], list[str]]:
    """(names, one pyarrow array of strings per column with null where missing, what the file says of each, notes). Raises BadData.

    What it says: arguments of `texts.encode_texts`.
    """
    import pyarrow as pa

    try:
        return _read_columns(data)
    except BadData:
        raise
    except MemoryError:  # raised also where wrong bytes request a huge amount
        raise BadData(
            "The Parquet file is broken, or needs more memory than there is: write it anew, or send fewer rows."
        ) from None
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, OverflowError) as error:
        if "encrypt" in str(error).lower() or "decrypt" in str(error).lower():
            raise BadData("The Parquet file is encrypted: save it without encryption.") from None
        raise BadData("The Parquet file is broken or too unusual: write it anew, or as CSV.") from None


def _read_columns(data: bytes) -> tuple[list[str], list[Any], list[dict[str, bool]], list[str]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    source = pa.BufferReader(data)
    file = pq.ParquetFile(source, thrift_string_size_limit=16 << 20, thrift_container_size_limit=1 << 20)
    schema = file.schema_arrow
    # the sizes that the file declares, before any value is read
    sheet.check_size(file.metadata.num_rows, len(schema))
    groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
    if sum(group.total_byte_size for group in groups) > table_limits.MAX_INFLATED:
        raise BadData(
            f"The Parquet file inflates to more than {table_limits.MAX_INFLATED >> 20} MiB, "
            "and no more are read: send a sample of its rows."
        )
    if file.metadata.num_rows == 0 or not len(schema):
        raise BadData("The Parquet file holds no rows.")
    flat = [f.name for f in schema if not pa.types.is_nested(f.type)]
    texts = [f.name for f in schema if _is_text(f.type)]
    levelled = {f.name for f in schema if pa.types.is_dictionary(f.type)} | _list_categories(file.metadata, schema)
    if len(set(schema.names)) == len(schema.names):
        # a text that fills a million rows is stored once
        file = pq.ParquetFile(pa.BufferReader(data), read_dictionary=texts)
        table = file.read(columns=flat if all("." not in name for name in flat) else None, use_threads=False)
    else:
        table = file.read(use_threads=False)
    names: list[str] = []
    columns: list[Any] = []
    traits: list[dict[str, bool]] = []
    left: list[str] = []
    for field, column in zip(table.schema, table.columns, strict=True):
        cells = to_texts(column)
        if cells is None:
            left.append(field.name)
            continue
        try:
            cells.validate(full=True)
        except pa.ArrowInvalid:
            raise BadData(
                f"Column {shorten(field.name)!r} holds text that is no UTF-8: write the file anew, or as CSV."
            ) from None
        names.append(field.name)
        columns.append(cells)
        traits.append(_describe_type(field.type, field.name in levelled))
    left += [f.name for f in schema if pa.types.is_nested(f.type) and f.name not in left and f.name not in names]
    notes = [f"{list_names(left)}: nested or binary columns are left out."] if left else []
    if not columns:
        raise BadData("The Parquet file holds no column of plain values: nested and binary ones cannot be read.")
    return names, columns, traits, notes


def _list_categories(metadata: Any, schema: Any) -> set[str]:
    """Columns that were dictionaries or categories when they were written. Where these are numbers the file keeps their values
    alone, and what Arrow and pandas say besides.
    """
    import pyarrow as pa

    out: set[str] = set()
    try:
        columns = json.loads((schema.metadata or {}).get(b"pandas", b"{}")).get("columns", [])
        out |= {c["field_name"] for c in columns if c["pandas_type"] == "categorical" and isinstance(c["field_name"], str)}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass
    try:
        written = pa.ipc.read_schema(pa.BufferReader(base64.b64decode((metadata.metadata or {}).get(b"ARROW:schema", b""))))
        out |= {f.name for f in written if pa.types.is_dictionary(f.type)}
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError):
        pass
    return out


def _describe_type(kind: Any, levelled: bool) -> dict[str, bool]:
    """typed: no text; levelled: a dictionary, which pandas writes for categories; pointed: numbers that are no whole ones."""
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    pointed = pa.types.is_floating(kind) or (pa.types.is_decimal(kind) and kind.scale > 0)
    return {"typed": not _is_text(kind), "levelled": levelled, "pointed": bool(pointed)}


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def to_texts(column: Any) -> Any:
    """An array of strings, or of codes into strings; None for values that are not plain."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if isinstance(kind, pa.BaseExtensionType) or pa.types.is_nested(kind):
        return None
    types = pa.types
    if types.is_dictionary(kind):
        if _is_text(kind):
            return column
        column, kind = column.cast(kind.value_type), kind.value_type
    if _is_text(kind):
        return column.cast(pa.string())
    if types.is_null(kind) or types.is_boolean(kind) or types.is_integer(kind) or types.is_decimal(kind):
        return column.cast(pa.string())
    if types.is_floating(kind):
        column = column.cast(pa.float32()) if types.is_float16(kind) else column
        return pc.if_else(pc.is_finite(column), column, pa.scalar(None, column.type)).cast(pa.string())
    if types.is_duration(kind):
        return column.cast(pa.int64()).cast(pa.string())
    if types.is_date(kind):
        return column.cast(pa.date32()).cast(pa.string())
    if types.is_timestamp(kind):
        return column.cast(pa.timestamp("us", kind.tz), safe=False).cast(pa.string())
    if types.is_time(kind):
        return column.cast(pa.string())
    return None
