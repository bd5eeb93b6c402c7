"""Rows of other tables that must become durable together with a record."""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import Table
from sqlalchemy.engine import Dialect


class Insert(msgspec.Struct, frozen=True, gc=False):
    """A new row. Every column without a server default must be given."""

    table: Table
    values: Mapping[str, Any]


class Update(msgspec.Struct, frozen=True, gc=False):
    """New values for the row that `key` names by equality; no row, no error."""

    table: Table
    key: Mapping[str, Any]
    values: Mapping[str, Any]


RowInsert = Insert | Update
"""The closed set of things a batch may write beside its records."""

_Bind = Callable[[Any], Any] | None


class Plan:
    """One statement, built once per table and set of columns, for any number of rows.

    `columns` of an update are its values followed by its key, which is the last `keys` of them.
    """

    __slots__ = ("_binds", "columns", "copy", "keys", "sql")

    def __init__(self, row: RowInsert, dialect: Dialect) -> None:
        table, quote = row.table, dialect.identifier_preparer
        mark = "?" if dialect.paramstyle == "qmark" else "%s"
        names = tuple(row.values)
        target = quote.format_table(table)
        quoted = [quote.quote(table.c[name].name) for name in names]
        self.copy, self.keys = "", 0
        if isinstance(row, Insert):
            columns, marks = ", ".join(quoted), ", ".join([mark] * len(names))
            self.sql = f"INSERT INTO {target} ({columns}) VALUES ({marks})"  # noqa: S608 quoted
            self.copy = f"COPY {target} ({columns}) FROM STDIN"
        else:
            if not row.key or not names:
                raise ValueError(f"an update of {table.name} needs a key and values")
            changes = ", ".join(f"{name} = {mark}" for name in quoted)
            where = " AND ".join(f"{quote.quote(table.c[name].name)} = {mark}" for name in row.key)
            self.sql = f"UPDATE {target} SET {changes} WHERE {where}"  # noqa: S608 quoted
            names += tuple(row.key)
            self.keys = len(row.key)
        self.columns = names
        self._binds: tuple[_Bind, ...] = tuple(
            table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names
        )

    def bind(self, row: RowInsert) -> tuple[Any, ...]:
        """The row's values as the driver takes them."""
        values = row.values.values()
        given = values if isinstance(row, Insert) else (*values, *row.key.values())
        return tuple(
            value if bind is None else bind(value)
            for bind, value in zip(self._binds, given, strict=True)
        )


class Plans:
    """Plans by shape; shapes are as many as there are call sites."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._plans: dict[tuple[Any, ...], Plan] = {}

    def of(self, row: RowInsert) -> Plan:
        """The plan for rows of this shape."""
        if isinstance(row, Insert):
            shape: tuple[Any, ...] = (row.table, *row.values)
        else:
            shape = (row.table, *row.values, None, *row.key)
        plan = self._plans.get(shape)
        if plan is None:
            plan = self._plans[shape] = Plan(row, self._dialect)
        return plan

    def group(self, rows: Sequence[RowInsert]) -> dict[Plan, list[tuple[Any, ...]]]:
        """Bound rows by statement, in the order the statements were first needed.

        Updates come by their keys: whoever locks several rows of a table does so in that order.
        """
        groups: dict[Plan, list[tuple[Any, ...]]] = {}
        for row in rows:
            plan = self.of(row)
            groups.setdefault(plan, []).append(plan.bind(row))
        for plan, bound in groups.items():
            if plan.keys:
                bound.sort(key=itemgetter(slice(-plan.keys, None)))
        return groups
