"""The tables of the API's guide, as the code has them: codes of errors, kinds of events."""

import re
from collections.abc import Mapping

from django.utils import translation

from portal.api_examples import HERE
from portal.error_codes import ANSWERS, FIELDS, REFUSALS
from provisioning.announcing import KINDS

GUIDE = HERE / "README.md"


def current() -> str:
    """The guide with its tables as they have to be."""
    text = GUIDE.read_text(encoding="utf-8")
    with translation.override("en-gb"):
        tables = {"codes": _codes(), "events": _events()}
    for name, table in tables.items():
        text = re.sub(
            rf"(<!-- {name} -->\n).*(<!-- /{name} -->)",
            lambda found, table=table: f"{found[1]}\n{table}\n\n{found[2]}",  # type: ignore[misc]
            text,
            flags=re.DOTALL,
        )
    return text


def _codes() -> str:
    parts = (
        ("Of the whole answer", ANSWERS),
        ("Of a field, in `errors`", FIELDS),
        ("Of a refusal (409)", REFUSALS),
    )
    return "\n\n".join(
        _table(("code", title), {f"`{code}`": words for code, words in codes.items()})
        for title, codes in parts
    )


def _events() -> str:
    rows = {
        f"`{name}`": f"{kind.when} {', '.join(f'`{fact}`' for fact in kind.facts)}".strip()
        for name, kind in KINDS.items()
    }
    return _table(("type", "when, and what `data` says beside"), rows)


def _table(head: tuple[str, str], rows: Mapping[str, str]) -> str:
    lines = [f"| {head[0]} | {head[1]} |", "| --- | --- |"]
    return "\n".join([*lines, *(f"| {name} | {words} |" for name, words in rows.items())])
