"""explain(): what would this phone get from that address now, by which rule, and what helps."""

from dataclasses import dataclass, replace
from datetime import datetime

from django.utils.translation import gettext

from accounts.refusals import Invalid
from accounts.scope import Actor
from accounts.speaking import told
from devices.mac import parse_mac
from devices.models import Device
from devices.user_agent import parse_agent, product_name
from provisioning import clones, describing, facts, gate, sentences
from provisioning.gate import Asked, Caller, Method, Outcome, RootFacts, State
from security.networks import AddressError, any_holds, parse_address, show_address


@dataclass(frozen=True, slots=True)
class Explanation:
    """The gate's answer to a claiming file's GET, in words."""

    outcome: str
    rule: str
    sentence: str
    next: str


def explain(
    *, mac: str, address: str | int, agent: str | None = None, by: Actor | None, now: datetime
) -> Explanation:
    """What the gate would answer now to the file that sets the phone up.

    Without an agent the phone's own is assumed. `by` is None for a command on the server. A phone that the
    actor may not see is answered like one that nobody has entered.
    """
    number = _address(address)
    phones = Device.objects.select_related("account") if by is None else Device.objects.visible_to(by)
    device = phones.filter(mac=_mac(mac)).first()
    known = facts.load([device.pk], now).get(device.pk) if device else None
    root = RootFacts(
        now=now.timestamp(),
        method=Method.GET,
        asked=Asked.CLAIMING,
        caller=_caller(number, agent, known, now),
        device=known,
        windows=facts.windows_at(number, now),
    )
    verdict = gate.decide_root(root)
    places = _places(root, device, agent, now)
    case = _case(root, verdict)
    return Explanation(
        outcome=verdict.outcome.value,
        rule=verdict.rule,
        sentence=sentences.sentence(verdict.rule, verdict.outcome.value, case=case, **places),
        next=_next(root, verdict, device, case, places),
    )


def _next(
    root: RootFacts, verdict: gate.Verdict, device: Device | None, case: str, places: dict[str, object]
) -> str:
    """What helps, where the phone is under suspicion only what is not refused then; an open clone last."""
    known = root.device
    suspected = known is not None and root.now < known.suspicion_until
    if suspected and verdict.card and not case:
        case = "suspected"
    step = sentences.remedy(verdict.rule, verdict.outcome.value, case=case, **places)
    if device is not None and clones.open_clone(device, now=facts.aware(root.now)) is not None:
        return f"{step} {gettext(sentences.CLONE_WAITS)}".strip()
    return step


def _caller(address: int, text: str | None, known: gate.DeviceFacts | None, now: datetime) -> Caller:
    banned, blocked = facts.standing_of(address, now)
    caller = Caller(address=address, banned=banned, blocked=blocked, shared=facts.is_shared(address, now))
    if not text:
        return replace(caller, agent_family=known.family if known else None)
    agent = parse_agent(text)
    if agent is None:
        return replace(caller, agent_product=product_name(text))
    return replace(caller, agent_family=agent.family, agent_mac=agent.mac, agent_product=agent.product)


def _case(root: RootFacts, verdict: gate.Verdict) -> str:
    """Which of a rule's several reasons it was."""
    device = root.device
    if device is None or verdict.outcome is not Outcome.REFUSED:
        return ""
    if verdict.rule == "R10":
        shut = device.state in (State.QUARANTINED, State.RETIRED)
        return device.state.value if shut else "disabled"
    if verdict.rule == "R9":
        return "suspicion" if device.grant is not None and device.grant.origin is None else ""
    if verdict.rule != "R6":
        return ""
    if not device.bound:
        return "unbound"
    assert root.caller.address is not None
    if not any_holds(device.bound, root.caller.address):
        return ""
    return "shared" if root.caller.shared else "often"


def _places(root: RootFacts, device: Device | None, agent: str | None, now: datetime) -> dict[str, object]:
    assert root.caller.address is not None
    places: dict[str, object] = {"address": show_address(root.caller.address), "agent": agent}
    if device is None or root.device is None:
        return places
    zone = device.account.time_zone
    places["bound"] = describing.describe_lock(device, now=now).bound_origin
    grant = root.device.grant
    places["origin"] = str(grant.origin) if grant and grant.origin else None
    if root.device.armed_at > root.now:
        places["until"] = sentences.when(facts.aware(root.device.armed_at), zone, now=now)
    for denial in root.device.denied:
        if root.caller.address in denial.network:
            places["until"] = sentences.when(facts.aware(denial.until), zone, now=now)
    return places


def _mac(text: str) -> str:
    try:
        return parse_mac(text)
    except ValueError as error:
        raise Invalid("mac", told(error.args[0])) from error


def _address(given: str | int) -> int:
    if isinstance(given, int):
        return given
    try:
        return parse_address(given)
    except AddressError as error:
        raise Invalid("address", told(error.args[0])) from error
