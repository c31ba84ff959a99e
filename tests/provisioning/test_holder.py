"""Whoever is not admitted changes nothing for the holder of a token; who is, takes nothing from him.

"No sequence of requests by callers whom no rule of section 3 admits changes what the holder of the current
token gets; and after an admitted claim by somebody else (same origin, grant, window) the phone's own token
goes on getting FULL until a person decides" (policies at their defaults).
"""

from collections.abc import Callable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from provisioning.gate import Method, Outcome, State
from security.networks import origin_of, parse_address
from tests.provisioning.claim_model import Account, Got
from tests.provisioning.gate_facts import AWAY, DAY, ELSEWHERE, FAMILY, HOME, HOUR, MINUTE, NOW

HOTEL = parse_address("192.0.2.200")
PLACES = [HOME, AWAY, ELSEWHERE, HOTEL]
# A person decides within the 30 days that both parties are served; the machine stops before.
UNTIL_A_PERSON_DECIDES = 29 * DAY

places = st.sampled_from(PLACES)
strangers_places = st.sampled_from([HOME, AWAY, ELSEWHERE])


class Household(RuleBasedStateMachine):
    """Ben's phone, a stranger who knows its MAC and asks from anywhere, a neighbour too, and people."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = Account()
        self.own = 0  # the token that the phone has in its memory
        self.place = HOME
        self.stolen: list[int] = []  # tokens that the stranger holds

    @initialize()
    def set_up(self) -> None:
        self._come_over(self.rows.ask_root(HOME))
        assert self.own
        self.polls()

    def _come_over(self, got: Got) -> None:
        """The phone follows its bootstrap; what it then names is what it remembers."""
        assert got.verdict.outcome is Outcome.BOOTSTRAP
        full = self.rows.ask_private(got.token, self.place)
        assert full.is_full
        assert full.token is not None
        self.own = full.token

    def _unchanged_by(self, ask: Callable[[], Got]) -> Got:
        """Ask as a stranger; one who is not admitted has changed nothing for the phone."""
        before = self.rows.what_a_holder_gets(self.own, PLACES)
        got = ask()
        if got.verdict.outcome not in (Outcome.BOOTSTRAP, Outcome.FULL):
            assert self.rows.what_a_holder_gets(self.own, PLACES) == before
        return got

    # --- the phone -----------------------------------------------------------------------------------------

    @rule()
    def polls(self) -> None:
        got = self.rows.ask_private(self.own, self.place)

        assert got.is_full
        assert got.token == self.own

    @rule(lost=st.booleans(), shared=st.booleans())
    def restarts(self, lost: bool, shared: bool) -> None:
        """Something makes it ask at the root; the answer may be lost, and then it has what it had."""
        got = self.rows.ask_root(self.place, shared=shared)
        if got.verdict.outcome is Outcome.BOOTSTRAP and not lost:
            self._come_over(got)

    @rule(place=places)
    def moves(self, place: int) -> None:
        """Ben takes it along; with the current token it is served anywhere."""
        current = self.rows.current
        if current is not None and current.number == self.own:
            self.place = place
            self.polls()

    # --- the stranger --------------------------------------------------------------------------------------

    @rule(place=strangers_places, agent=st.sampled_from([FAMILY, "beta"]), shared=st.booleans())
    def stranger_asks(self, place: int, agent: str, shared: bool) -> None:
        got = self._unchanged_by(lambda: self.rows.ask_root(place, agent=agent, shared=shared))
        if got.token is not None:
            self.stolen.append(got.token)

    @precondition(lambda self: self.stolen)
    @rule(
        data=st.data(),
        place=strangers_places,
        method=st.sampled_from([Method.GET, Method.HEAD, Method.UPLOAD]),
    )
    def stranger_uses_what_he_was_given(self, data: st.DataObject, place: int, method: Method) -> None:
        number = data.draw(st.sampled_from(self.stolen))
        got = self._unchanged_by(lambda: self.rows.ask_private(number, place, method=method))
        if got.token is not None and got.token not in self.stolen:
            self.stolen.append(got.token)

    @rule(place=strangers_places)
    def stranger_guesses(self, place: int) -> None:
        assert self._unchanged_by(lambda: self.rows.ask_private(None, place)).verdict.rule == "T5"

    # --- people and time -----------------------------------------------------------------------------------

    @rule(hours=st.none() | st.sampled_from([1, 24, 168]), place=st.none() | places)
    def manager_unlocks(self, hours: int | None, place: int | None) -> None:
        until = None if hours is None else self.rows.now + hours * HOUR
        self.rows.unlock(until, None if place is None else origin_of(place))

    @rule()
    def manager_locks_again(self) -> None:
        self.rows.lock_again()

    @rule(place=places, hours=st.integers(1, 40))
    def manager_opens_a_window(self, place: int, hours: int) -> None:
        self.rows.open_window(place, hours)

    @rule(place=st.sampled_from([AWAY, ELSEWHERE]))
    def manager_denies(self, place: int) -> None:
        self.rows.deny(place)

    @rule(pause=st.sampled_from([1.0, 3.0, MINUTE, 29 * MINUTE, 31 * MINUTE, 6 * HOUR, 20 * HOUR]))
    def time_passes(self, pause: float) -> None:
        """The phone polls at least daily: no pause is longer."""
        if self.rows.now + pause < NOW + UNTIL_A_PERSON_DECIDES:
            self.rows.now += pause
            self.polls()

    # --- what never changes --------------------------------------------------------------------------------

    @invariant()
    def the_phone_is_served(self) -> None:
        if self.own:
            (verdict,) = self.rows.what_a_holder_gets(self.own, [self.place])
            assert verdict.outcome is Outcome.FULL

    @invariant()
    def a_grant_stands_exactly_while_unlocked(self) -> None:
        assert (self.rows.device.grant is not None) == (self.rows.device.state is State.UNLOCKED)


TestHousehold = Household.TestCase
TestHousehold.settings = settings(max_examples=150, stateful_step_count=40)
