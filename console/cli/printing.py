"""How lists and single things are printed: a table for people, JSON for scripts."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

Row = Mapping[str, Any]


def jsonable(value: Any) -> Any:
    """Schemas, times and nested containers as plain JSON values."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, Mapping):
        return {str(name): jsonable(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [jsonable(item) for item in value]
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def print_json(value: Any) -> None:
    print(json.dumps(jsonable(value), indent=1, ensure_ascii=False))


def print_list(rows: Sequence[Row], columns: Sequence[str], *, as_json: bool, empty: str) -> None:
    """All of the rows as JSON, or the named columns as a table."""
    if as_json:
        print_json(list(rows))
        return
    if not rows:
        print(empty)
        return
    table = Table(box=None, header_style="dim", pad_edge=False)
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    Console().print(table)


def print_one(row: Row, *, as_json: bool) -> None:
    if as_json:
        print_json(row)
        return
    width = max(len(name) for name in row)
    for name, value in row.items():
        print(f"{name.replace('_', ' '):<{width}}  {_cell(value)}")


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, list | tuple):
        return ", ".join(_cell(item) for item in value)
    if isinstance(value, Mapping | BaseModel):
        return json.dumps(jsonable(value), ensure_ascii=False)
    return str(value)
