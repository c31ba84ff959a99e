"""A phone's keys as they sit on it: one page of its screen or of a module at a time, left and right."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _

from devices.family import Model
from portal.pages.key_rows import Cap

ONE_PAGE = 12  # so many keys are drawn at once where the catalogue does not know the phone's own pages
PIECE, MODULE_PIECE = 10, 20  # more of them in pieces of so many


@dataclass(frozen=True, slots=True)
class Spot:
    """One key of the drawing, with what sits there; free where nothing does."""

    position: int
    number: int  #: as it is counted on its own block
    cap: Cap | None
    row: int | None  #: its row in the form


@dataclass(frozen=True, slots=True)
class Face:
    """The keys that are drawn at once."""

    title: str
    is_module: bool
    first: int
    last: int
    sides: tuple[tuple[Spot, ...], ...]  #: left and right


@dataclass(frozen=True, slots=True)
class Tab:
    """A way to another page of keys."""

    title: str
    first: int
    is_shown: bool


@dataclass(frozen=True, slots=True)
class Drawing:
    """One page of keys and the ways to the others; modules as far as they are used, and the next one."""

    face: Face
    tabs: tuple[Tab, ...]
    used: int
    room: int


def drawing(model: Model, caps: Iterable[Cap], rows: Mapping[int, int], shown: int) -> Drawing | None:
    """Draw the page that holds the key `shown`; None for a model without keys."""
    by_place = {cap.position: cap for cap in caps}
    pages = list(_pages(model))
    if not pages:
        return None
    used = max((at for at, page in enumerate(pages) if _holds_any(page, by_place)), default=0)
    plugged = [at for at, page in enumerate(pages) if page.module]
    if plugged:
        most = max(pages[used].module + 1, 1)
        pages = [page for page in pages if page.module <= most]
    here = next((page for page in pages if page.first <= shown <= page.last), pages[0])
    spots = [
        Spot(at, at - here.offset, by_place.get(at), rows.get(at)) for at in range(here.first, here.last + 1)
    ]
    half = (len(spots) + 1) // 2
    sides = tuple(side for side in (tuple(spots[:half]), tuple(spots[half:])) if side)
    face = Face(here.title, bool(here.module), here.first, here.last, sides)
    tabs = tuple(Tab(page.title, page.first, page is here) for page in pages)
    return Drawing(face, tabs, sum(1 <= at <= model.room for at in by_place), model.room)


@dataclass(frozen=True, slots=True)
class _Page:
    title: str
    module: int
    first: int
    last: int
    offset: int  #: keys before its block


def _pages(model: Model) -> Iterable[_Page]:
    yield from _block(model.keys, model.keys_per_page, 0, 0)
    yield from _block(model.memory_keys, model.memory_keys_per_page, model.keys, 0, memory=True)
    before = model.keys + model.memory_keys
    for module in range(1, model.expansion.modules + 1):
        yield from _block(model.expansion.keys, 0, before, module)
        before += model.expansion.keys


def _block(size: int, per_page: int, before: int, module: int, *, memory: bool = False) -> Iterable[_Page]:
    """The pages of a block; a vendor's own where they are known, else pieces by their numbers."""
    step = per_page or (size if size <= (MODULE_PIECE if module else ONE_PAGE) else 0)
    step = step or (MODULE_PIECE if module else PIECE)
    for start in range(0, size, step):
        first, last = start + 1, min(start + step, size)
        places = {"module": module, "page": start // step + 1, "first": first, "last": last}
        if module:
            title = _("Module %(module)s, %(first)s to %(last)s") if size > step else _("Module %(module)s")
        elif memory:
            title = _("Memory keys %(first)s to %(last)s")
        elif per_page:
            title = _("Page %(page)s")
        else:
            title = _("Keys %(first)s to %(last)s") if last > first else _("Key %(first)s")
        yield _Page(title % places, module, before + first, before + last, before)


def _holds_any(page: _Page, caps: Mapping[int, Cap]) -> bool:
    return any(page.first <= at <= page.last for at in caps)
