"""Every sentence exists in every language, with the same facts; and every one is told somewhere."""

import ast
import importlib
import inspect
import pkgutil
import re
import string
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import msil_mcp
from msil_mcp.errors import MsilError
from msil_mcp.locales import ENGLISH, LANGUAGES, Language, Message, entries

SOURCES = Path(msil_mcp.__file__).parent
OTHERS = [language for language in LANGUAGES if language != ENGLISH]
ADD = "add it to src/msil_mcp/locales/*.toml, see docs/guides/languages.md"
CONTROL = {"case", "retry_after", "challenge"}
"""What a constructor of an error takes that is no fact of its sentence."""


def braces(sentence: str) -> set[str]:
    """The names of the facts that stand in a sentence."""
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


def plain(key: str) -> str:
    """The key without the form that a number chooses."""
    return re.sub(r"\.(one|other)$", "", key) if counted(key) else key


def counted(key: str) -> bool:
    stem = key.rpartition(".")[0]
    return {f"{stem}.one", f"{stem}.other"} <= entries(ENGLISH).keys()


def needed() -> dict[str, set[str]]:
    """The facts each English sentence needs, all forms together."""
    found: dict[str, set[str]] = defaultdict(set)
    for key, sentence in entries(ENGLISH).items():
        found[plain(key)] |= braces(sentence)
    return found


NEEDED = needed()


def errors() -> list[type[MsilError]]:
    """Every class of error there is in the product."""
    for module in pkgutil.walk_packages(msil_mcp.__path__, "msil_mcp."):
        if ".migrations" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found, left = [], [MsilError]
    while left:
        found.append(left.pop())
        left += found[-1].__subclasses__()
    return [error for error in dict.fromkeys(found) if error.__module__.startswith("msil_mcp.")]


ERRORS = errors()
NAMES = defaultdict(list)
for error in ERRORS:
    NAMES[error.__name__].append(error)


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SOURCES.rglob("*.py")):
        name = ".".join(("msil_mcp", *path.relative_to(SOURCES).with_suffix("").parts))
        yield name, ast.parse(path.read_text(encoding="utf-8"))


TREES = dict(trees())


@cache
def calls(tree: ast.AST) -> list[tuple[str, ast.Call]]:
    """Calls by the last name of what is called."""
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [
        (getattr(call.func, "attr", None) or getattr(call.func, "id", ""), call) for call in found
    ]


MADE: dict[str, list[tuple[str, ast.Call]]] = defaultdict(list)
for module, tree in TREES.items():
    for called, made in calls(tree):
        if called in NAMES:
            MADE[called].append((module, made))


def facts_of(call: ast.Call) -> set[str]:
    return {keyword.arg for keyword in call.keywords if keyword.arg is not None}


def takes_text(error: type[MsilError]) -> bool:
    """Whether its constructor would take a sentence as text."""
    return "sentence" in inspect.signature(error).parameters


def has_title(body: ast.ClassDef) -> bool:
    return any(
        isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "title"
        for node in body.body
    )


def is_ours(call: ast.Call, where: str) -> bool:
    """Whether what is called a Message is one of the catalogues; models have messages, too."""
    known = getattr(sys.modules[where], "Message", Message)
    return known is Message or ast.unparse(call.func) == "locales.Message"


def messages() -> Iterator[tuple[str, str, ast.Call]]:
    """Where, the key (a pattern where parts of it are computed), and the call of each Message."""
    for where, tree in TREES.items():
        if where == "msil_mcp.errors" or where.startswith("msil_mcp.locales"):
            continue
        for name, call in calls(tree):
            if name != "Message" or not call.args or not is_ours(call, where):
                continue
            match call.args[0]:
                case ast.Constant(value=str(key)):
                    yield f"{where}:{call.lineno}", re.escape(key), call
                case ast.JoinedStr(values=values):
                    parts = (
                        re.escape(value.value) if isinstance(value, ast.Constant) else r"[\w-]+"
                        for value in values
                    )
                    yield f"{where}:{call.lineno}", "".join(parts), call


def told_by(error: type[MsilError]) -> Iterator[tuple[str, set[str]]]:
    """The cases of its sentence that a class tells, with the facts that it gives each.

    From the constructor that it has or inherits; what that hands on, from where it is made.
    """
    owner = next(
        one for one in error.__mro__ if issubclass(one, MsilError) and "__init__" in vars(one)
    )
    if takes_text(owner):
        for call in made_anywhere(error):
            yield case_of(call), facts_of(call) - CONTROL
        return
    body = next(
        node
        for node in ast.walk(TREES[owner.__module__])
        if isinstance(node, ast.ClassDef) and node.name == owner.__name__
    )
    for call in (call for name, call in calls(body) if name == "__init__"):
        if any(keyword.arg is None for keyword in call.keywords):
            for made in made_anywhere(error):
                yield case_of(made), (facts_of(call) | facts_of(made)) - CONTROL
        else:
            yield case_of(call), facts_of(call) - CONTROL


def made_anywhere(error: type[MsilError]) -> list[ast.Call]:
    """Calls of the class; where two have one name, a module means the one it knows by it."""
    return [
        call
        for where, call in MADE[error.__name__]
        if getattr(sys.modules.get(where), error.__name__, error) is error
    ]


def case_of(call: ast.Call) -> str:
    """The name of the case as a pattern."""
    for keyword in call.keywords:
        if keyword.arg == "case":
            found = re.findall(r"'([a-z_]+)'", ast.unparse(keyword.value))
            return "|".join(found) if found else r"\w+"
    return "detail"


def test_every_error_has_its_title_and_sentence_in_the_catalogue() -> None:
    wrong = []
    for error in ERRORS:
        if f"errors.{error.slug}.title" not in NEEDED:
            wrong.append(f"{error.__name__}: no errors.{error.slug}.title; {ADD}")
        if not any(re.fullmatch(rf"errors\.{error.slug}\.(?!title)\w+", key) for key in NEEDED):
            wrong.append(f"{error.__name__}: no sentence below errors.{error.slug}; {ADD}")
    assert wrong == []


@pytest.mark.parametrize("language", OTHERS)
def test_languages_have_the_same_sentences(language: Language) -> None:
    english, other = entries(ENGLISH).keys(), entries(language).keys()
    assert sorted(english - other) == [], f"missing in {language}.toml"
    assert sorted(other - english) == [], f"in {language}.toml alone"


@pytest.mark.parametrize("language", OTHERS)
def test_sentences_have_the_same_facts_in_every_language(language: Language) -> None:
    differing = {
        key: (braces(sentence), braces(entries(language)[key]))
        for key, sentence in entries(ENGLISH).items()
        if braces(sentence) != braces(entries(language).get(key, sentence))
        and not {braces(sentence) ^ braces(entries(language)[key])} <= {"count"}
    }
    assert differing == {}


def test_every_message_is_in_the_catalogue_and_given_its_facts() -> None:
    wrong = []
    for where, pattern, call in messages():
        keys = [key for key in NEEDED if re.fullmatch(pattern, key)]
        if not keys:
            wrong.append(f"{where}: no {pattern}; {ADD}")
        dynamic = any(keyword.arg is None for keyword in call.keywords)
        for key in keys:
            if key.endswith(".title") or dynamic:
                continue
            given = facts_of(call)
            if given - {"count"} != NEEDED[key] - {"count"} or NEEDED[key] - given:
                wrong.append(f"{where}: {key} needs {sorted(NEEDED[key])}, has {sorted(given)}")
    assert wrong == []


def test_every_error_is_given_the_facts_of_its_sentence() -> None:
    wrong = []
    for error in ERRORS:
        for case, given in told_by(error):
            keys = [key for key in NEEDED if re.fullmatch(rf"errors\.{error.slug}\.({case})", key)]
            fitting = [key for key in keys if NEEDED[key] <= given]
            if keys and not fitting:
                wrong.append(f"{error.__name__}: {keys} are given {sorted(given)}")
            if not keys:
                wrong.append(f"{error.__name__}: no errors.{error.slug}.{case}; {ADD}")
    assert wrong == []


def test_no_sentence_stands_in_the_code() -> None:
    """The MCP endpoint quotes the protocol in English to programs, and may write it down."""
    wrong = []
    for where, tree in TREES.items():
        if where.startswith("msil_mcp.mcp."):
            continue
        for name, call in calls(tree):
            if name not in NAMES or not call.args:
                continue
            if all(takes_text(error) for error in NAMES[name]):
                wrong.append(f"{where}:{call.lineno}: {ast.unparse(call)}; {ADD}")
        for body in (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)):
            if body.name in NAMES and where != "msil_mcp.errors":
                wrong += [f"{where}: the title of {body.name}; {ADD}"] * has_title(body)
                wrong += [
                    f"{where}:{call.lineno}: {ast.unparse(call)}; {ADD}"
                    for name, call in calls(body)
                    if name == "__init__" and call.args
                ]
    assert wrong == []


def test_no_sentence_is_left_that_nobody_tells() -> None:
    told = {pattern for _, pattern, _ in messages()} | {r"language\..+", r"http\..+", "verbatim"}
    for error in ERRORS:
        told |= {rf"errors\.{error.slug}\.title", rf"errors\.{error.slug}\.detail"}
        told |= {rf"errors\.{error.slug}\.({case})" for case, _ in told_by(error)}
    anything_told = re.compile("|".join(f"(?:{one})" for one in told))
    assert [key for key in NEEDED if not anything_told.fullmatch(key)] == []
