"""What each family says of a shared line: calls at once, joining, who rings; and what it cannot say."""

from dataclasses import replace

import pytest

from devices.catalog import catalog
from devices.phone import SHARING, Line, PhoneSettings, Ring
from provisioning.compiling import compile_full
from tests.families.reading import read
from tests.families.samples import MODELS, PRIVATE, everything, settings

SHARED = Line(1, "4102", "auth4102", "s3cret-of-4102", label="Sales", shared=True)


def found(phone: PhoneSettings) -> dict[str, str]:
    form = catalog().families[phone.family].format
    merged: dict[str, str] = {}
    for file in compile_full(phone, PRIVATE).values():
        merged |= read(form, file.body)
    return merged


def with_line(family: str, model: str, **changes: object) -> dict[str, str]:
    line = replace(SHARED, **changes)  # type: ignore[arg-type]
    return found(settings(family, model, lines=(line,), keys=()))


@pytest.mark.parametrize(
    ("family", "model", "changes", "said"),
    [
        ("yealink", "T46S", {"barge_in": True}, {"account.1.shared_line_one_touch_bargein.enable": "1"}),
        ("yealink", "T46S", {"barge_in": False}, {"account.1.shared_line_one_touch_bargein.enable": "0"}),
        ("yealink", "T46S", {}, {"account.1.ringtone.ring_type": "Common"}),
        ("yealink", "T46S", {"ring": Ring.NEVER}, {"account.1.ringtone.ring_type": "Silent.wav"}),
        ("yealink", "T28P", {"ring": Ring.NEVER}, {"account.1.ringtone.ring_type": "Resource:Silent.wav"}),
        ("poly", "VVX450", {"call_appearances": 4}, {"reg.1.callsPerLineKey": "4"}),
        ("poly", "VVX450", {"barge_in": False}, {"reg.1.bargeInEnabled": "0"}),
        ("poly", "VVX450", {"ring": Ring.NEVER}, {"reg.1.ringType": "ringer1"}),
        ("poly", "SPIP550", {"ring": Ring.NEVER}, {"reg.1.ringType": "1"}),
        ("cisco", "8861", {"call_appearances": 5}, {"Call_Appearances_Per_Line": "5"}),
        ("cisco", "8861", {"barge_in": False}, {"SCA_Barge-In-Enable": "No"}),
        ("cisco", "8861", {"barge_in": True}, {"SCA_Barge-In-Enable": "Yes"}),
        ("cisco", "8861", {"ring": Ring.NEVER}, {"Default_Ring_1_": "No Ring"}),
        ("cisco", "SPA504G", {"ring": Ring.NEVER}, {"Default_Ring__1__": "No Ring"}),
        ("grandstream", "GRP2614", {"ring": Ring.NEVER}, {"account.1.ring.ringtone": "4"}),
        ("grandstream", "GXP1782", {"ring": Ring.NEVER}, {"P104": "4"}),
        ("grandstream", "GXP1782", {}, {"P104": "0"}),
        ("grandstream", "GXV3370", {"barge_in": False}, {"account.1.sca.bargein.enable": "No"}),
        ("snom", "D785", {"ring": Ring.NEVER}, {"phone-settings.user_ringer.1": "Silent"}),
        ("snom", "D785", {"ring": Ring.DELAYED}, {"phone-settings.ring_after_delay.1": "10"}),
        ("snom", "D785", {}, {"phone-settings.ring_after_delay.1": ""}),
        ("fanvil", "X6U", {}, {"sip.line.1.EnableSCA": "1"}),
    ],
)
def test_what_a_shared_line_says(family, model, changes, said):
    told = with_line(family, model, **changes)

    assert {key: told.get(key) for key in said} == said


@pytest.mark.parametrize(("family", "model"), MODELS)
def test_what_is_not_declined_changes_the_file(family, model):
    """A family either says a thing in its own keys, or lists it with the reason that the page shows."""
    vendor = catalog().families[family]
    generation = vendor.models[model].generation
    lacks = vendor.lacks_sharing(generation)
    plain = with_line(family, model)
    variants = {
        "shared": {"shared": False},
        "call_appearances": {"call_appearances": 7},
        "barge_in": {"barge_in": False},
        "delayed": {"ring": Ring.DELAYED},
        "never": {"ring": Ring.NEVER},
    }
    assert set(variants) == set(SHARING)
    changed = {name for name, change in variants.items() if with_line(family, model, **change) != plain}

    said = set(SHARING) - changed
    if "shared" in lacks:
        assert changed == set()
    else:
        assert said == set(lacks), (generation, said, lacks)
    assert all(reason.endswith(".") for reason in lacks.values())


@pytest.mark.parametrize(("family", "model"), MODELS)
def test_a_line_that_nobody_else_shows_always_rings(family, model):
    plain = with_line(family, model, shared=False)
    silent = with_line(family, model, shared=False, ring=Ring.NEVER)

    assert {key: silent[key] for key in plain} == plain  # nothing of it is another value
    assert not {"Silent", "Silent.wav", "Resource:Silent.wav", "No Ring"} & set(silent.values())


@pytest.mark.parametrize(("family", "model"), MODELS)
def test_a_ring_tone_and_a_silent_line_name_no_key_twice(family, model):
    phone = everything(family, model)
    lines = tuple(replace(line, shared=True, ring=Ring.NEVER) for line in phone.lines)

    assert found(replace(phone, lines=lines))
