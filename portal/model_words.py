"""What a phone's model brings along, in words: what it holds, what is doubtful, what it lacks."""

from dataclasses import dataclass

from django.utils.translation import gettext, gettext_lazy, ngettext

from devices.catalog import Family, Model, catalog
from devices.levels import ModelIn
from devices.models import Device

_SINGLE_STEP = gettext_lazy(
    "It cannot be moved to an address of its own, so it fetches its file where any phone asks first: from a "
    "new address only after an unlock, and a neighbour behind the same address who knows its MAC can read it."
)
_NO_TLS = gettext_lazy("It cannot do HTTPS: its files, and the passwords in them, travel readable.")
_SLOW = gettext_lazy("Set up over plain HTTP, it can take an hour to come over; a restart hurries it.")


@dataclass(frozen=True, slots=True)
class ModelWords:
    """One model with its firmware, as a page shows it."""

    title: str
    firmware: str
    holds: str
    notes: tuple[str, ...]
    doubts: tuple[str, ...]
    lacks: tuple[str, ...]


def model_words(device: Device | ModelIn, firmware: str | None = None) -> ModelWords | None:
    """Tell of the phone's model under this firmware; None when the catalogue has lost it."""
    family = catalog().families.get(device.family)
    model = family.models.get(device.model) if family else None
    if family is None or model is None:
        return None
    code = family.generation_of(model.name, firmware)
    generation = family.generations[code]
    special = ((_SINGLE_STEP, model.single_step), (_NO_TLS, model.no_tls), (_SLOW, generation.slow))
    return ModelWords(
        title=model.title,
        firmware=gettext(generation.title),
        holds=_holds(model),
        notes=(
            *(str(say) for say, holds in special if holds),
            *map(gettext, (*model.notes, *generation.notes)),
        ),
        doubts=tuple(map(gettext, (*model.doubts, *generation.doubts, *family.doubts))),
        lacks=tuple(_lacks(family, code)),
    )


def _lacks(family: Family, generation: str) -> list[str]:
    reasons = family.lacks(generation)
    return [gettext(reasons[name]) for name in sorted(reasons)]


def _holds(model: Model) -> str:
    keys, expansion = model.keys + model.memory_keys, model.expansion
    parts = [ngettext("{count} line", "{count} lines", model.lines).format(count=model.lines)]
    counted = ngettext("{count} key", "{count} keys", keys).format(count=keys)
    parts.append(counted if keys else gettext("no keys of its own"))
    if expansion.modules:
        said = ngettext(
            "up to {count} module of {keys} keys", "up to {count} modules of {keys} keys", expansion.modules
        )
        parts.append(said.format(count=expansion.modules, keys=expansion.keys))
    return ", ".join(parts)
