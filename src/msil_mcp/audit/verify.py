"""Finds any edit, deletion, insertion, reordering or tail cut in what is stored.

Every record is hashed again from its row; every chain is followed from its base to its head;
heads, bases and anchors are proved by their own MACs; the subject index is compared with the
records it was made from. What was cut off at an end shows in the head, and a head that was put
back shows in an anchor.
"""

import time
from collections.abc import Callable, Iterator
from typing import Final, Literal

import msgspec

from msil_mcp.audit.anchors import decode_heads
from msil_mcp.audit.chain import GENESIS, Scalar, anchor_mac, base_mac, canonical, head_mac
from msil_mcp.audit.reading import Row, StoredRows, stored_rows
from msil_mcp.audit.records import RECORD_COLUMNS
from msil_mcp.db.database import Database
from msil_mcp.sealing import Mac

Trouble = Literal[
    "record_altered",
    "record_missing",
    "record_foreign",
    "link_broken",
    "tail_cut",
    "chain_altered",
    "chain_missing",
    "anchor_altered",
    "anchor_missing",
    "subjects_altered",
    "key_unknown",
]
MOST_PROBLEMS: Final = 1_000
_SUBJECTS: Final = RECORD_COLUMNS.index("subjects")
_FORMATS: Final = {1: "audit-record/1"}


class Problem(msgspec.Struct, frozen=True):
    """One thing that is not as it was written; `sequence` is the record's, or the anchor's."""

    trouble: Trouble
    writer_id: str | None
    sequence: int | None
    detail: str


class Verification(msgspec.Struct, frozen=True):
    """What was checked and what was found; of many problems the first thousand are listed."""

    records: int
    chains: int
    anchors: int
    seconds: float
    problem_count: int
    problems: tuple[Problem, ...]

    @property
    def intact(self) -> bool:
        """Whether everything is as it was written."""
        return self.problem_count == 0


class _Chain(msgspec.Struct):
    """A chain's row, proved or not."""

    base_sequence: int
    base_hash: str
    last_sequence: int
    head_hash: str
    anchored: int


def verify(
    database: Database,
    mac: Mac,
    *,
    on_progress: Callable[[int], None] | None = None,
    pause: float = 0.0,
) -> Verification:
    """Check everything in one snapshot; blocks, so call it on a thread.

    `on_progress` hears the number of records checked after every chunk; `pause` is slept, in
    seconds, after each, so that a serving process stays responsive.
    """
    started = time.perf_counter()
    with stored_rows(database) as rows:
        checker = _Checker(rows, mac)
        chains = checker.check_chains()
        anchors = checker.check_anchors(chains)
        for writer_id in rows.writers():
            for checked in checker.check_records(writer_id, chains.get(writer_id)):
                if on_progress is not None:
                    on_progress(checked)
                if pause:
                    time.sleep(pause)
    return Verification(
        records=checker.records,
        chains=len(chains),
        anchors=anchors,
        seconds=time.perf_counter() - started,
        problem_count=checker.problem_count,
        problems=tuple(checker.problems),
    )


class _Checker:
    def __init__(self, rows: StoredRows, mac: Mac) -> None:
        self.records = 0
        self.problem_count = 0
        self.problems: list[Problem] = []
        self._rows = rows
        self._mac = mac
        self._anchored: dict[str, dict[int, str]] = {}

    def check_chains(self) -> dict[str, _Chain]:
        """Prove head and base of every chain's row."""
        chains: dict[str, _Chain] = {}
        columns = ("writer_id", "started_at", "last_sequence", "head_hash", "closed", "anchored")
        bases = ("base_sequence", "base_hash", "base_key_id")
        for row in self._rows.all(
            "audit_chains", *columns, "key_id", "head_mac", *bases, "base_mac"
        ):
            writer_id = str(row[0])
            head, proof, base, base_proof = row[:7], row[7], (row[0], *row[8:11]), row[11]
            if not self._proved(head_mac, head, proof, key_id=str(row[6])):
                self._add("chain_altered", writer_id, None, "the head does not match its MAC")
            if not self._proved(base_mac, base, base_proof, key_id=str(row[10])):
                self._add("chain_altered", writer_id, None, "the base does not match its MAC")
            chains[writer_id] = _Chain(
                base_sequence=_integer(row[8]),
                base_hash=str(row[9]),
                last_sequence=_integer(row[2]),
                head_hash=str(row[3]),
                anchored=_integer(row[5]),
            )
        return chains

    def check_anchors(self, chains: dict[str, _Chain]) -> int:
        """Prove the anchors, one tied to the next, and collect the heads they name."""
        before, expected, count = GENESIS, 1, 0
        for row in self._rows.all(
            "audit_anchors", "sequence", "at", "prev_mac", "heads", "key_id", "mac"
        ):
            sequence, count = _integer(row[0]), count + 1
            if sequence != expected:
                self._add("anchor_missing", None, expected, f"anchors up to {sequence} are gone")
            elif row[2] != before:
                self._add("anchor_altered", None, sequence, "it does not follow the one before")
            if self._proved(anchor_mac, row[:5], row[5], key_id=str(row[4])):
                for writer_id, last, head in decode_heads(str(row[3])):
                    self._anchored.setdefault(writer_id, {})[last] = head
            else:
                self._add("anchor_altered", None, sequence, "it does not match its MAC")
            before, expected = str(row[5]), sequence + 1
        newest = max((chain.anchored for chain in chains.values()), default=0)
        if newest >= expected:
            self._add("anchor_missing", None, expected, f"a chain knows of anchor {newest}")
        for writer_id in self._anchored.keys() - chains.keys():
            self._add("chain_missing", writer_id, None, "an anchor names a chain that is gone")
        return count

    def check_records(self, writer_id: str, chain: _Chain | None) -> Iterator[int]:
        """Follow one chain; yields the number of records checked so far."""
        sequence, link = (chain.base_sequence, chain.base_hash) if chain else (0, GENESIS)
        anchored = self._anchored.get(writer_id, {})
        if chain is None and writer_id not in self._anchored:
            self._add("chain_missing", writer_id, None, "records of a chain that is not listed")
        subjects = _Subjects(self._rows.subjects(writer_id))
        digest, formats = self._mac.digest, _FORMATS
        for rows in self._rows.records(writer_id):
            for row in rows:
                number, key_id = _integer(row[2]), str(row[4])
                name = formats.get(_integer(row[0]), "")
                try:
                    found = digest(canonical(name, row[1:-1]), key_id=key_id).hex()
                except KeyError:
                    found = ""
                    self._add("key_unknown", writer_id, number, f"key {key_id} is not configured")
                if found != row[-1] and found:
                    self._add("record_altered", writer_id, number, "it does not match its hash")
                if number != sequence + 1:
                    self._gap(writer_id, sequence + 1, number)
                elif row[3] != link:
                    self._add("link_broken", writer_id, number, "it does not follow the one before")
                if number in anchored and anchored[number] != row[-1]:
                    self._add("record_altered", writer_id, number, "an anchor holds another hash")
                self._compare_subjects(writer_id, number, row[_SUBJECTS], subjects)
                sequence, link = number, str(row[-1])
            self.records += len(rows)
            yield self.records
        for stray in subjects.rest():
            self._add("subjects_altered", writer_id, stray, "indexed subjects have no record")
        self._check_end(writer_id, chain, sequence, link)

    def _check_end(self, writer_id: str, chain: _Chain | None, sequence: int, link: str) -> None:
        known = max(self._anchored.get(writer_id, {}), default=0)
        if known > sequence:
            self._add("tail_cut", writer_id, sequence, f"an anchor has seen record {known}")
        if chain is None:
            return
        if chain.last_sequence > sequence:
            detail = f"the chain's head is record {chain.last_sequence}"
            self._add("tail_cut", writer_id, sequence, detail)
        elif chain.last_sequence < sequence or chain.head_hash != link:
            self._add("record_foreign", writer_id, sequence, "it is not the chain's head")

    def _gap(self, writer_id: str, expected: int, number: int) -> None:
        if number > expected:
            detail = f"records {expected} to {number - 1} are gone"
            self._add("record_missing", writer_id, expected, detail)
        else:
            self._add("record_foreign", writer_id, number, "it is before the chain's base")

    def _compare_subjects(
        self, writer_id: str, number: int, stored: Scalar, subjects: "_Subjects"
    ) -> None:
        indexed = subjects.of(number)
        if stored is None and not indexed:
            return
        try:
            told = msgspec.json.decode(str(stored), type=dict[str, str]) if stored else {}
        except msgspec.MsgspecError:
            told = {}
        if indexed != told:
            self._add("subjects_altered", writer_id, number, "the index differs from the record")

    def _proved(
        self, prove: Callable[..., str], values: Row, proof: Scalar, *, key_id: str
    ) -> bool:
        try:
            return prove(self._mac, values, key_id=key_id) == proof
        except KeyError:
            self._add("key_unknown", None, None, f"key {key_id} is not configured")
            return False

    def _add(
        self, trouble: Trouble, writer_id: str | None, sequence: int | None, detail: str
    ) -> None:
        self.problem_count += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(Problem(trouble, writer_id, sequence, detail))


class _Subjects:
    """Walks a chain's indexed subjects beside its records."""

    def __init__(self, chunks: Iterator[list[Row]]) -> None:
        self._rows = (row for chunk in chunks for row in chunk)
        self._next = next(self._rows, None)
        self._strays: list[int] = []

    def of(self, number: int) -> dict[str, str]:
        """What is indexed for a record; what lies before it has none."""
        found: dict[str, str] = {}
        while self._next is not None and _integer(self._next[0]) <= number:
            sequence, name, value = self._next
            if sequence == number:
                found[str(name)] = str(value)
            else:
                self._strays.append(_integer(sequence))
            self._next = next(self._rows, None)
        return found

    def rest(self) -> list[int]:
        """Sequences of indexed subjects that no record was found for."""
        self.of(1 << 62)
        return self._strays


def _integer(value: Scalar) -> int:
    return value if isinstance(value, int) else -1
