"""The pages that take back, answer clones, release, retire, swap and move: words first, then the deed."""

from datetime import timedelta

import pytest
from django.utils import timezone

from devices.models import Device
from provisioning import entering, locking
from provisioning.models import Claim, Lock, Token
from tests.factories import refused, tried
from tests.portal.reading import comes_back, everything, page, said
from tests.provisioning.making import HOME, THIEF
from tests.provisioning.stolen import Stolen, poll, real_phone, steal
from tests.world import World, actor, signed_in

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.fixture
def stolen(world: World) -> Stolen:
    """A phone of Acme, its real token (a former one now) and the thief's."""
    now = timezone.now()
    phone, real = real_phone(world.acme.account, at=now - 10 * DAY)
    thief = steal(phone, at=now - DAY)
    real.refresh_from_db()
    return phone, real, thief


@pytest.fixture
def suspected(stolen: Stolen) -> Stolen:
    """The real phone polled by its former token since."""
    phone, real, _ = stolen
    poll(phone, real, at=timezone.now() - HOUR)
    return stolen


# --- take back ---------------------------------------------------------------------------------------------


@pytest.mark.rule("E16")
def test_taking_back_offers_the_likely_one_and_says_what_will_happen(world: World, stolen: Stolen) -> None:
    phone, real, thief = stolen
    ana = signed_in(world.ana)

    shown = ana.get(page("phone-take-back", phone))

    words = said(shown)
    assert words.index(f"from {THIEF} R7") < words.index(f"from {HOME} R1")
    assert f"It goes back to {HOME}. Most likely this one." in words
    assert "It goes back to no place: nobody had set it up before." in words
    assert "Every private URL given since is dead at once." in words
    assert f'value="{thief.claim.code}" checked' in shown.content.decode()  # type: ignore[union-attr]
    assert Token.objects.get(pk=thief.pk).kind == "current"

    done = ana.post(page("phone-take-back", phone), {"claim": str(thief.claim.code)}, follow=True)  # type: ignore[union-attr]

    assert f"was taken back. It is locked to {HOME} again." in said(done)
    assert Token.objects.get(device=phone, kind="current").pk == real.pk


@pytest.mark.rule("E16")
def test_a_claim_named_by_a_link_is_chosen(world: World, stolen: Stolen) -> None:
    phone, real, _ = stolen
    first = real.claim.code  # type: ignore[union-attr]

    shown = signed_in(world.ana).get(f"{page('phone-take-back', phone)}?claim={first}")

    assert f'value="{first}" checked' in shown.content.decode()


@pytest.mark.rule("E16")
def test_a_claim_that_is_no_choice_comes_back(world: World, stolen: Stolen) -> None:
    before = everything()

    answer = signed_in(world.ana).post(page("phone-take-back", stolen[0]), {"claim": "none of them"})

    comes_back(answer, before, "is not one of the available choices")


@pytest.mark.rule("E16", "E8q")
def test_what_is_quarantined_is_not_taken_back(world: World, stolen: Stolen) -> None:
    phone, _, thief = stolen
    locking.quarantine(phone, by=actor(world.ana), reason="Stolen")
    before = everything()

    answer = signed_in(world.ana).post(
        page("phone-take-back", phone),
        {"claim": str(thief.claim.code)},  # type: ignore[union-attr]
    )

    comes_back(answer, before, "This phone is quarantined.", "E8q")


def test_nothing_is_offered_where_nothing_was_set_up(world: World) -> None:
    answer = signed_in(world.ana).get(page("phone-take-back", world.acme.other_phone))

    assert "There is nothing to take back." in said(answer)
    assert "btn danger primary" not in answer.content.decode()


@pytest.mark.rule("E14", "E16")
def test_was_that_you_leads_to_taking_the_first_fetch_back(world: World) -> None:
    claim = Claim.objects.get(device=world.acme.phone)
    link = f"{page('phone-take-back', world.acme.phone)}?claim={claim.code}"

    ana, vic = (signed_in(user).get("/approvals/") for user in (world.ana, world.acme.viewer))

    assert "It was first set up from 203.0.113.7" in said(ana)
    assert "Was that you?" in said(ana)
    assert link in ana.content.decode()
    assert "Was that you?" in said(vic)
    assert link not in vic.content.decode()


# --- a suspected clone -------------------------------------------------------------------------------------


@pytest.mark.rule("T3")
def test_a_clone_stands_on_the_phone_and_among_the_approvals(world: World, suspected: Stolen) -> None:
    phone, _, _ = suspected
    ana = signed_in(world.ana)

    for shown in (ana.get(page("phone", phone)), ana.get("/approvals/")):
        words = said(shown)
        assert "Two parties fetch this phone's file, and one of them is not the phone." in words
        assert f"The former URL, given at {HOME}: last used from {HOME}" in words
        assert f"since the start at {THIEF}" in words
        for decision in ("take-back", "moved", "secrets"):
            assert f"{page('phone-clone', phone)}?decision={decision}" in shown.content.decode()
    approvals = ana.get("/approvals/")
    assert "1 refused phone and 1 suspected clone wait for your answer" in said(approvals)
    assert '<span class="count is-waiting">2' in approvals.content.decode()
    assert "Two parties" not in said(ana.get(page("phone", world.acme.other_phone)))


@pytest.mark.rule("T3")
def test_a_reader_sees_a_clone_and_no_buttons(world: World, suspected: Stolen) -> None:
    phone, _, _ = suspected
    vic = signed_in(world.acme.viewer)

    shown = vic.get(page("phone", phone))

    assert "You may look, not answer." in said(shown)
    assert "?decision=" not in shown.content.decode()
    assert vic.get(f"{page('phone-clone', phone)}?decision=moved").status_code == 403


@pytest.mark.rule("T3")
@pytest.mark.parametrize(
    ("decision", "words", "told", "current"),
    [
        ("take-back", "is refused for this phone for 30 days", "was taken back", "real"),
        ("moved", "The former URL is dead at once.", "stays where it is. Its former private URL", "thief"),
        ("secrets", "gets a new secret", "and its extensions have new secrets", "thief"),
    ],
)
def test_an_answer_says_what_it_does_and_does_it_once(
    decision: str, words: str, told: str, current: str, world: World, suspected: Stolen
) -> None:
    phone, real, thief = suspected
    ana, url = signed_in(world.ana), page("phone-clone", phone)

    asked = ana.get(f"{url}?decision={decision}")
    still = Token.objects.get(device=phone, kind="current").pk
    done = ana.post(url, {"decision": decision}, follow=True)

    assert words in said(asked)
    assert still == thief.pk
    assert told in said(done)
    assert Token.objects.get(device=phone, kind="current").pk == {"real": real, "thief": thief}[current].pk
    before = everything()
    comes_back(ana.post(url, {"decision": decision}), before, "This was answered already", "T3")


def test_an_answer_is_one_of_three(world: World, suspected: Stolen) -> None:
    ana, url = signed_in(world.ana), page("phone-clone", suspected[0])
    before = everything()

    assert [ana.get(url).status_code, ana.post(url, {"decision": "perhaps"}).status_code] == [404, 404]
    assert everything() == before


# --- release -----------------------------------------------------------------------------------------------


@pytest.mark.rule("E8")
def test_only_the_provider_gets_the_button_that_releases(world: World) -> None:
    phone = world.acme.phone
    locking.quarantine(phone, by=actor(world.ana), reason="Stolen")
    link = page("phone-release", phone)

    ana, rita = (signed_in(user).get(page("phone-advanced", phone)) for user in (world.ana, world.rita))

    assert "Only Harbour Telecom can do that." in said(ana)
    assert link not in ana.content.decode()
    assert link in rita.content.decode()
    assert signed_in(world.ana).get(link).status_code == 403
    assert signed_in(world.ana).post(link, {"reason": "Found", "then": "locked"}).status_code == 403
    assert Lock.objects.get(pk=phone.pk).state == "quarantined"


@pytest.mark.rule("E8")
@pytest.mark.parametrize(
    ("typed", "state", "origin", "words"),
    [
        ({"then": "locked"}, "locked", None, "Its lock is as it was before."),
        ({"then": "locked", "origin": THIEF}, "locked", None, "Its lock is as it was before."),
        ({"then": "unlocked", "span": "24h"}, "unlocked", None, "may be set up once, until"),
        (
            {"then": "unlocked", "span": "first-fetch", "origin": THIEF},
            "unlocked",
            THIEF,
            f"once from {THIEF} only, without an end",
        ),
    ],
)
def test_it_is_released_as_chosen(
    typed: dict[str, str], state: str, origin: str | None, words: str, world: World
) -> None:
    phone = world.acme.phone
    locking.quarantine(phone, by=actor(world.ana), reason="Stolen")

    answer = signed_in(world.rita).post(
        page("phone-release", phone), {"reason": "Found again", **typed}, follow=True
    )

    lock = Lock.objects.get(pk=phone.pk)
    assert words in said(answer)
    assert (lock.state, str(lock.grant_origin) if lock.grant_origin else None) == (state, origin)


@pytest.mark.rule("E8")
@pytest.mark.parametrize(
    ("typed", "words", "rule"),
    [
        ({"then": "locked"}, "This field is required.", ""),
        ({"reason": "Found", "then": "open"}, "is not one of the available choices", ""),
        ({"reason": "Found", "then": "unlocked", "origin": "here"}, "is not an IP address", ""),
        ({"reason": "Found", "then": "locked"}, "neither quarantined nor under suspicion", "E8"),
    ],
)
def test_a_release_that_cannot_be_comes_back(
    typed: dict[str, str], words: str, rule: str, world: World
) -> None:
    before = everything()

    answer = signed_in(world.rita).post(page("phone-release", world.acme.phone), typed)

    comes_back(answer, before, words, rule)


# --- retire, swap, move ------------------------------------------------------------------------------------


@pytest.mark.rule("E19")
def test_retiring_says_what_becomes_of_the_secrets(world: World) -> None:
    phone, ana = world.acme.phone, signed_in(world.ana)

    asked = said(ana.get(page("phone-retire", phone)))
    state = Lock.objects.get(pk=phone.pk).state
    done = ana.post(page("phone-retire", phone), follow=True)

    assert "it gets a last file without accounts" in asked
    assert "lives on at 1 other phone and gets a new secret at once" in asked
    assert state == "locked"
    assert "is retired. It gets one last file without accounts." in said(done)
    assert Lock.objects.get(pk=phone.pk).state == "retired"
    assert "Armed again" not in said(done)


@pytest.mark.rule("E19")
def test_what_is_disabled_is_not_retired(world: World) -> None:
    phone = world.acme.phone
    entering.change(phone, by=actor(world.ana), is_enabled=False)
    before = everything()

    answer = signed_in(world.ana).post(page("phone-retire", phone))

    comes_back(answer, before, "This phone is disabled. Enable it first.", "E19")


@pytest.mark.rule("E12")
def test_hardware_is_swapped(world: World) -> None:
    phone, ana = world.acme.phone, signed_in(world.ana)

    asked = said(ana.get(page("phone-swap", phone)))
    done = ana.post(page("phone-swap", phone), {"mac": "00 00 5e 00 53 f7", "model": "T46U"}, follow=True)

    assert "Lines, keys, settings, name, owner and site stay." in asked
    assert "The old phone, 00:00:5E:00:53:A1, gets nothing any more" in asked
    assert "is 00:00:5E:00:53:F7 now. The old hardware gets nothing any more." in said(done)
    swapped = Device.objects.get(pk=phone.pk)
    assert (swapped.mac, swapped.model) == ("00005e0053f7", "T46U")


@pytest.mark.rule("E12")
@pytest.mark.parametrize(
    ("case", "typed", "words", "rule"),
    [
        ("no MAC", {"mac": "hello"}, "A MAC address is twelve hexadecimal digits", ""),
        ("its own", {"mac": "00005e0053a1"}, "This is the phone's MAC already.", "E12"),
        ("here already", {"mac": "00005e0053a2"}, "This phone is entered here already.", "E10"),
        ("another make's model", {"mac": "00005e0053f7", "model": "VVX 250"}, "is not one of the", ""),
    ],
)
def test_hardware_that_cannot_be_taken_comes_back_at_its_field(
    case: str, typed: dict[str, str], words: str, rule: str, world: World
) -> None:
    before = everything()

    answer = signed_in(world.ana).post(page("phone-swap", world.acme.phone), typed)

    comes_back(answer, before, words, rule)
    assert set(answer.context["form"].errors) == {"model" if "model" in typed else "mac"}, case


@pytest.mark.rule("E17")
def test_a_phone_moves_to_another_account(world: World) -> None:
    phone, rita = world.acme.phone, signed_in(world.rita)

    asked = rita.get(page("phone-move", phone))
    done = rita.post(page("phone-move", phone), {"account": "globex", "name": "Lift"}, follow=True)

    assert "This cannot be undone." in said(asked)
    assert 'value="acme"' not in asked.content.decode()
    assert 'value="platform"' not in asked.content.decode()
    assert "Lift belongs to Globex Gears now. It is locked to no place and shows no line." in said(done)
    assert Device.objects.get(pk=phone.pk).account == world.globex.account
    assert signed_in(world.ana).get(page("phone", phone)).status_code == 404
    eve = said(signed_in(world.eve).get(page("phone-log", phone)))
    assert [word for word in ("acme", "Acme", "203.0.113.7") if word in eve] == []


@pytest.mark.rule("E17", "E8q")
def test_a_move_that_cannot_be_comes_back(world: World) -> None:
    phone = world.acme.phone
    url = page("phone-move", phone)
    assert signed_in(world.ana).get(url).status_code == 403
    assert url not in signed_in(world.ana).get(page("phone-advanced", phone)).content.decode()
    rita, before = signed_in(world.rita), everything()

    comes_back(rita.post(url, {"account": "acme"}), before, "Select a valid choice.")
    locking.quarantine(phone, by=actor(world.ana), reason="Stolen")
    before = everything()
    comes_back(rita.post(url, {"account": "globex"}), before, "This phone is quarantined.", "E8q")


# --- the advanced page -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "off", "on"),
    [
        ("locked", [], ["phone-take-back", "phone-quarantine", "phone-swap", "phone-retire"]),
        ("quarantined", ["phone-take-back", "phone-quarantine", "phone-swap", "phone-retire"], []),
        ("retired", ["phone-take-back", "phone-swap", "phone-retire"], ["phone-quarantine", "phone-rearm"]),
        ("disabled", ["phone-retire"], ["phone-take-back", "phone-swap"]),
    ],
)
def test_what_cannot_help_now_is_switched_off(
    state: str, off: list[str], on: list[str], world: World
) -> None:
    phone = world.acme.phone
    if state == "disabled":
        entering.change(phone, by=actor(world.ana), is_enabled=False)
    else:
        Lock.objects.filter(pk=phone.pk).update(state=state)

    shown = signed_in(world.ana).get(page("phone-advanced", phone)).content.decode()

    assert [name for name in off if f'href="{page(name, phone)}"' in shown] == []
    assert [name for name in on if f'href="{page(name, phone)}"' not in shown] == []


def test_tries_without_a_card_are_a_line(world: World) -> None:
    assert "further" not in said(signed_in(world.ana).get("/approvals/"))

    refused(world.acme.other_phone, "198.51.100.77")

    assert "And 1 further try from 1 address in the last 24 hours" in said(
        signed_in(world.ana).get("/approvals/")
    )


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("OBIHAI/OBi302-3.2.2.5921", "it is of a phone that is not served here, Obihai OBi302"),
        ("curl/8.5.0", "it calls itself curl/8.5.0"),
        ("", "it says nothing of itself"),
    ],
)
def test_a_card_says_what_it_was_that_asked(world: World, agent: str, words: str) -> None:
    assert tried(world.acme.other_phone, agent=agent, product="") is not None

    assert f"Its agent does not fit: {words}" in said(signed_in(world.ana).get("/approvals/"))
