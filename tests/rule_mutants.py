"""Each rule of sections 3 and 4, and of section 6 what is pure, with its verdict or its effect flipped."""

from tests.mutating import Mutant

QUARANTINED_OR_OFF = "if not token.enabled or token.state is State.QUARANTINED:"
NOT_GIVEN_BACK = "if grant is not None and grant.origin is not None and address in grant.origin:"
CHECK_IN = "Then.NOTHING if token.kind is TokenKind.ENTRY else Then.CHECK_IN"
STORE_AWAY = 'facts.overloaded:\n        return Verdict(Outcome.HELD, "G6")\n    if facts.device'
FOREIGN_KEY = "foreign_key = None if at_home else KeyKind.LOCKED_MAC"
NOBODY_ADMITS = "verdict = Verdict(Outcome.REFUSED, rule, key=foreign_key, card=True)"
UNTIL = "now {} self.until\n\n\n@dataclass(frozen=True, slots=True)\nclass HandOut"
AT_ROOT = 'return Verdict(Outcome.{}, "T4"{})\n'
CLONE = "clone = token.kind is TokenKind.FORMER and token.superseded"
IN_WINDOW = 'if {}:\n        return Verdict(Outcome.BOOTSTRAP, "{}"'


def _pressure(rule: str, says: str, old: str, new: str) -> Mutant:
    return Mutant(rule, says, old, new, "security.pressure")


MUTANTS = [
    # section 3, before the table
    Mutant("P", "proves without a nonce", "fits = facts.nonce_fits and ", "fits = "),
    Mutant("P", "proves as often as one likes", " and caller.proofs < PROOFS_A_MINUTE", ""),
    Mutant(
        "G0",
        "refuses what cannot be known",
        'Outcome.HELD, "G0")\n    if caller.blocked',
        'Outcome.REFUSED, "G0")\n    if caller.blocked',
    ),
    Mutant("G1", "lets the banned in", "if caller.blocked or caller.banned:", "if caller.blocked:"),
    Mutant(
        "G1", "counts the banned", 'Outcome.REFUSED, "G1")', 'Outcome.REFUSED, "G1", key=KeyKind.BAD_PATH)'
    ),
    Mutant("G2", "serves browsers", "if caller.browser:", "if False:"),
    Mutant("G2", "counts browsers as paths", '"G2", key=KeyKind.BROWSER', '"G2", key=KeyKind.BAD_PATH'),
    Mutant("T5", "counts a page's images one by one", "token is None and facts.caller.browser", "False"),
    Mutant(
        "G3",
        "takes any method",
        "if facts.method is Method.OTHER or facts.asked is Asked.BAD_PATH:",
        "if facts.asked is Asked.BAD_PATH:",
    ),
    Mutant("G3", "counts no bad path", '"G3", key=KeyKind.BAD_PATH', '"G3"'),
    Mutant(
        "G4",
        "serves what is never served",
        "Outcome.COMMON if facts.asked is Asked.COMMON else Outcome.REFUSED",
        "Outcome.COMMON",
    ),
    Mutant(
        "G4", "serves an upload", "facts.method is not Method.UPLOAD and facts.asked in", "facts.asked in"
    ),
    Mutant(
        "G5",
        "HEAD claims",
        "facts.asked is not Asked.CLAIMING or facts.method is not Method.GET",
        "facts.asked is not Asked.CLAIMING",
    ),
    Mutant("G5", "counts no stranger", "key=KeyKind.UNKNOWN_MAC if stranger else None", "key=None"),
    Mutant("G5", "counts known phones", "facts.names_mac and facts.device is None", "facts.names_mac"),
    Mutant("G6", "guesses without a store", "if not facts.known or " + STORE_AWAY, "if " + STORE_AWAY),
    Mutant("G6", "claims without a database", "if is_claim(verdict) and not facts.database:", "if False:"),
    # section 3, the table
    Mutant("R11", "holds the unknown", 'Outcome.REFUSED, "R11"', 'Outcome.HELD, "R11"'),
    Mutant("R11", "counts no unknown MAC", '"R11", key=KeyKind.UNKNOWN_MAC', '"R11"'),
    Mutant(
        "R10",
        "serves the disabled",
        "(State.QUARANTINED, State.RETIRED) or not device.enabled",
        "(State.QUARANTINED, State.RETIRED)",
    ),
    Mutant("R10", "serves the quarantined", "in (State.QUARANTINED, State.RETIRED)", "is State.RETIRED"),
    Mutant("R10", "serves the retired", "in (State.QUARANTINED, State.RETIRED)", "is State.QUARANTINED"),
    Mutant(
        "R13",
        "takes another's certificate",
        "caller.certificate_mac is not None and caller.certificate_mac != device.mac",
        "False",
    ),
    Mutant("R13", "counts no wrong certificate", ", key=KeyKind.WRONG_CERTIFICATE", ""),
    Mutant("R12", "takes another MAC's agent", " and caller.agent_mac in (None, device.mac)", ""),
    Mutant("R12", "takes another family's agent", "caller.agent_family == device.family and ", ""),
    Mutant("R12", "forgets what a person accepted", " or caller.agent_product in device.accepted_agents", ""),
    Mutant("R12", "makes no card", "key=KeyKind.WRONG_AGENT, card=True", "key=KeyKind.WRONG_AGENT"),
    Mutant("R14", "forgets a denial", "if not window and is_denied(facts, device, address):", "if False:"),
    Mutant("R14", "denies in a window", "if not window and is_denied", "if is_denied"),
    Mutant(
        "R14",
        "denies for ever",
        "address in d.network and facts.now < d.until and",
        "address in d.network and",
    ),
    Mutant("R14", "any unlock takes it back", NOT_GIVEN_BACK, "if grant is not None:"),
    Mutant(
        "R14",
        "an older unlock takes it back",
        "(scoped_at is None or scoped_at < d.since)",
        "scoped_at is None",
    ),
    Mutant("R4a", "repeats for ever", "        and now - hand_out.at < REPEAT_TIME\n", ""),
    Mutant("R4a", "repeats what was used", "        and not hand_out.used\n", ""),
    Mutant(
        "R4a",
        "repeats to anybody",
        "        at_home\n        and hand_out is not None\n",
        "        hand_out is not None\n",
    ),
    Mutant("R4a", "is a claim", '"R4a", Then.REPEAT', '"R4a", Then.CLAIM'),
    Mutant("R4", "trusts a shared origin", "reset_allowed = not caller.shared or", "reset_allowed = True or"),
    Mutant(
        "R4", "resets without end", "if at_home and reset_allowed and calm:", "if at_home and reset_allowed:"
    ),
    Mutant("R4", "binds anew", '"R4", Then.CLAIM)', '"R4", Then.CLAIM, binds=True)'),
    Mutant("R4", "uses the unlock", '"R4", Then.CLAIM)', '"R4", Then.CLAIM, spends_grant=True)'),
    Mutant("R4", "a single_step poll is a claim", '"R4", Then.POLL', '"R4", Then.CLAIM'),
    Mutant("R1", "at any age", "fresh = 0 <= age < device.policies.fresh_ttl", "fresh = 0 <= age"),
    Mutant("R1", "before its day", "fresh = 0 <= age <", "fresh = age <"),
    Mutant(
        "R1",
        "against the account's policy",
        "if fresh and _first_fetch_admits(device, address):",
        "if fresh:",
    ),
    Mutant("R1", "binds nothing", '"R1", Then.CLAIM, binds=True', '"R1", Then.CLAIM'),
    Mutant(
        "R2",
        "refuses in a window",
        IN_WINDOW.format("window", "R2"),
        IN_WINDOW.format("window and fresh", "R2"),
    ),
    Mutant("R2", "binds nothing", '"R2", Then.CLAIM, binds=True', '"R2", Then.CLAIM'),
    Mutant("R3a", "is stale", "if age < 0:", "if False:"),
    Mutant("R3", "keeps the state", 'rule="R3", then=Then.STALE', 'rule="R3"'),
    Mutant(
        "R3", "a second late", "if age >= device.policies.fresh_ttl:", "if age > device.policies.fresh_ttl:"
    ),
    Mutant(
        "R3b", "makes no card", '"R3b", key=KeyKind.LOCKED_MAC, card=True', '"R3b", key=KeyKind.LOCKED_MAC'
    ),
    Mutant("R3b", "is admitted", 'Verdict(Outcome.REFUSED, "R3b"', 'Verdict(Outcome.BOOTSTRAP, "R3b"'),
    Mutant("R8", "an unlock never ends", "if expired:  # R8: judged now, no timer needed", "if False:"),
    Mutant(
        "R8",
        "says nothing of it",
        "return replace(verdict, unlock_expired=True) if expired else verdict",
        "return verdict",
    ),
    Mutant("R8", "a second late", UNTIL.format(">="), UNTIL.format(">")),
    Mutant("R7", "is used again and again", "binds=True, spends_grant=True", "binds=True"),
    Mutant("R7", "any origin is in scope", "    return address in device.grant.origin", "    return True"),
    Mutant("R7", "suspicion does not matter", "return now >= device.suspicion_until", "return True"),
    Mutant("R7", "binds nothing", '"R7", Then.CLAIM, binds=True, ', '"R7", Then.CLAIM, '),
    Mutant("R5", "refuses in a window", IN_WINDOW.format("window", "R5"), IN_WINDOW.format("False", "R5")),
    Mutant(
        "R5",
        "uses the unlock",
        '"R5", Then.CLAIM, binds=True)',
        '"R5", Then.CLAIM, binds=True, spends_grant=True)',
    ),
    Mutant(
        "R5", "for every account", "            and device.account_path.startswith(self.account_path)\n", ""
    ),
    Mutant("R5", "for every origin", "            and address in self.origin\n", ""),
    Mutant("R5", "for every site", "self.site is None or self.site == device.site", "True"),
    Mutant("R5", "for every phone", "self.devices is None or device.code in self.devices", "True"),
    Mutant("R5", "without an end", "self.starts <= now < self.ends", "self.starts <= now"),
    Mutant("R5", "before its start", "self.starts <= now < self.ends", "now < self.ends"),
    Mutant("R5c", "without the policy", " and device.policies.trust_factory_certificate", ""),
    Mutant("R5c", "without a certificate", "caller.certificate_mac == device.mac and ", ""),
    Mutant("R5c", "keeps the unlock", "binds=True, drops_grant=True", "binds=True"),
    Mutant("R9", "is R6", 'rule = "R9" if device.state is State.UNLOCKED else "R6"', 'rule = "R6"'),
    Mutant(
        "R9",
        "the unlock is lost",
        NOBODY_ADMITS,
        NOBODY_ADMITS.replace("card=True", "card=True, drops_grant=True"),
    ),
    Mutant("R6", "lets everybody in", NOBODY_ADMITS, NOBODY_ADMITS.replace("REFUSED", "BOOTSTRAP")),
    Mutant("R6", "makes no card", "rule, key=foreign_key, card=True", "rule, key=foreign_key"),
    Mutant("R6", "counts the bound origin", FOREIGN_KEY, "foreign_key = KeyKind.LOCKED_MAC"),
    Mutant("R6", "counts nobody", FOREIGN_KEY, "foreign_key = None"),
    Mutant(
        "R4",
        "at once again",
        "recent = 0 <= facts.now - facts.device.last_claim_at < CLAIM_PAUSE",
        "recent = False",
    ),
    Mutant("R7", "under any pressure", "if recent or caller.claims_pressed:", "if recent:"),
    # section 4
    Mutant("O0", "takes any method", "if facts.method is Method.OTHER:", "if False:"),
    Mutant(
        "O0",
        "HEAD has effects",
        "return facts.asked is Asked.FULL and facts.method is Method.GET",
        "return facts.asked is Asked.FULL",
    ),
    Mutant(
        "O0",
        "serves overrides",
        "if facts.asked not in (Asked.FULL, Asked.KEPT, Asked.BOOK):",
        "if False:",
    ),
    Mutant("O0", "refuses uploads", 'Outcome.ACCEPTED, "O0"', 'Outcome.REFUSED, "O0"'),
    Mutant("O1", "serves the disabled", QUARANTINED_OR_OFF, "if token.state is State.QUARANTINED:"),
    Mutant("O1", "serves the quarantined", QUARANTINED_OR_OFF, "if not token.enabled:"),
    Mutant(
        "O1",
        "shuts the retired out",
        QUARANTINED_OR_OFF,
        QUARANTINED_OR_OFF.replace("is State.QUARANTINED", "is not State.LOCKED"),
    ),
    Mutant("O2", "serves the blocked", "if facts.caller.blocked:\n", "if False:\n"),
    Mutant(
        "O3",
        "a ban counts here",
        "if facts.caller.blocked:\n",
        "if facts.caller.blocked or facts.caller.banned:\n",
    ),
    Mutant("O3", "is no check-in", CHECK_IN, "Then.NOTHING"),
    Mutant(
        "O4",
        "sees no drift",
        "drift = bool(token.bound) and not any(address in n for n in token.bound)",
        "drift = False",
    ),
    Mutant("O4", "sees drift where nothing is bound", "drift = bool(token.bound) and not", "drift = not"),
    Mutant(
        "O5",
        "a ban counts for former tokens",
        "if facts.caller.blocked:\n",
        "if facts.caller.blocked or (facts.caller.banned and token.kind is not TokenKind.CURRENT):\n",
    ),
    Mutant(
        "O6",
        "a dead token is only refused",
        AT_ROOT.format("REFUSED", ", Then.AS_ROOT"),
        AT_ROOT.format("REFUSED", ""),
    ),
    Mutant("T1", "from anywhere", "return self.kind is TokenKind.ENTRY and not (", "return False and not ("),
    Mutant("T1", "for ever", "(self.until is not None and now >= self.until)", "False"),
    Mutant("T1", "is a check-in", CHECK_IN, "Then.CHECK_IN"),
    Mutant("T2", "is a clone at once", CLONE, "clone = token.kind is TokenKind.FORMER"),
    Mutant("T3", "from anywhere", "if clone and not token.knows(now, address):", "if False:"),
    Mutant("T3", "without an alarm", CLONE, "clone = False"),
    Mutant("T3", "for ever known", "address in n and now - at < FORMER_ORIGINS_KEPT", "address in n"),
    Mutant("T4", "counts against an address", "return replace(verdict, key=None)", "return verdict"),
    Mutant("T4", "is served", AT_ROOT.format("REFUSED", ", Then.AS_ROOT"), AT_ROOT.format("FULL", "")),
    Mutant("T5", "counts nobody", '"T5", key=KeyKind.BAD_TOKEN', '"T5"'),
    Mutant(
        "T6",
        "http for everybody",
        "if model is not None and model.no_tls:",
        "if True:",
        "provisioning.tokens",
    ),
    Mutant(
        "T6",
        "https for who cannot",
        "if model is not None and model.no_tls:",
        "if False:",
        "provisioning.tokens",
    ),
    Mutant(
        "T7",
        "the token itself",
        "return hmac.digest(key, token.encode(), hashlib.sha256).hex()[:40]",
        "return token[:40]",
        "provisioning.wire",
    ),
    Mutant(
        "T7", "found by search engines", '    (b"x-robots-tag", b"none"),\n', "", "provisioning.edge.answers"
    ),
    Mutant("T8", "another's file", 'Outcome.REFUSED, "T8"', 'Outcome.FULL, "T8"'),
    Mutant(
        "T8",
        "before who is shut out",
        QUARANTINED_OR_OFF,
        "if facts.asked is not Asked.FOREIGN and token.state is State.QUARANTINED:",
    ),
    # section 6
    _pressure(
        "B1",
        "the proved weigh nothing",
        "rules.base + share + window_share, rules.most",
        "rules.base + window_share, rules.most",
    ),
    _pressure(
        "B1",
        "a window weighs nothing",
        "rules.base + share + window_share, rules.most",
        "rules.base + share, rules.most",
    ),
    _pressure(
        "B1",
        "without a ceiling",
        "min(rules.base + share + window_share, rules.most)",
        "rules.base + share + window_share",
    ),
    _pressure(
        "B1", "rounds up", "facts.proved * rules.percent // 100", "-(-facts.proved * rules.percent // 100)"
    ),
    _pressure("B1", "keeps its keys for ever", "now - at >= HOUR or (kind", "(kind"),
    _pressure("B1", "keeps its keys a second longer", "now - at >= HOUR", "now - at > HOUR"),
    _pressure("B1", "counts cards", "(kind == LOCKED_MAC and account in crowds)", "False"),
    _pressure(
        "B1",
        "counts no stranger of the account",
        "(kind == LOCKED_MAC and account in crowds)",
        "account in crowds",
    ),
    _pressure("B1", "takes one phone for a crowd", "if proved >= rules.crowd", "if proved > 0"),
    _pressure("B1", "counts repeats", "found[name] = key", "found[key] = key"),
    _pressure("B1", "counts bad paths apart", '"" if kind in TOGETHER else label', "label"),
    _pressure("B1", "counts again what has counted", "now - spent[name] < rules.spent_for", "False"),
    _pressure("B1", "never counts again", "now - spent[name] < rules.spent_for", "True"),
    _pressure("B1", "bans a /48 with phones in it", "(facts.lived_in or facts.proved > 0)", "False"),
    _pressure("B1", "bans no address with phones", "facts.width is not Width.ORIGIN and (", "("),
    _pressure("B1", "takes a /48 for an address", "value=value * facts.width.value", "value=value"),
    _pressure("B1", "counts IPv6 by /64 alone", "if origin.is_v4:", "if True:"),
    _pressure(
        "B1", "is never judged again", "return counted >= threshold(facts, rules).value", "return True"
    ),
    _pressure("B1", "judges again with cards", "key.kind != LOCKED_MAC or key.account not in crowds", "True"),
    _pressure("B1", "goes on where phones live now", "facts.allowed or is_spared(facts):", "facts.allowed:"),
    _pressure("B1", "goes on for ever", "now >= ban.until or facts.allowed", "facts.allowed"),
    _pressure("B2", "takes an office for a storm", "at_once >= rules.storm and ", ""),
    _pressure(
        "B2", "takes every minute of a campus for one", " and at_once * 100 >= proved * rules.percent", ""
    ),
    _pressure(
        "B2",
        "known MACs shield",
        "if len(counted) < needed.value or",
        "if len(counted) < needed.value + sum(key.kind == LOCKED_MAC for key in keys) or",
    ),
    _pressure("B3", "one key late", "len(counted) < needed.value or", "len(counted) <= needed.value or"),
    _pressure("B3", "bans the banned", "needed.value or now < facts.banned_until or", "needed.value or"),
    _pressure("B3", "an hour each time", "now + rules.lengths[step - 1]", "now + rules.lengths[0]"),
    _pressure(
        "B3",
        "never forgets the bans before",
        "sum(now - start < DAY for start in facts.earlier)",
        "len(facts.earlier)",
    ),
    _pressure("B3", "forgets them a moment late", "now - start < DAY", "now - start <= DAY"),
    _pressure(
        "B3", "proposes a block at once", "propose_block=step == len(rules.lengths)", "propose_block=True"
    ),
    _pressure("B3", "proposes none", "propose_block=step == len(rules.lengths)", "propose_block=False"),
    _pressure("B3", "knows no fourth", "min(earlier + 1, len(rules.lengths))", "earlier + 1"),
    _pressure(
        "B8",
        "bans all the same",
        "if facts.allowed:\n        return Judgement",
        "if False:\n        return Judgement",
    ),
    _pressure("B8", "a ban goes on", "ban.until or facts.allowed or is_spared", "ban.until or is_spared"),
    _pressure("B8", "raises nothing", "value = max(value, rules.allowed)", "pass"),
    _pressure("B8", "lowers", "value = max(value, rules.allowed)", "value = rules.allowed"),
    _pressure("B8", "writes all down", "unknown_macs >= rules.unknown_macs", "False"),
    _pressure(
        "B8",
        "writes one too many down",
        "unknown_macs >= rules.unknown_macs",
        "unknown_macs > rules.unknown_macs",
    ),
    _pressure("B8", "writes no known MAC down", "allowed and kind == UNKNOWN_MAC and", "allowed and"),
    _pressure("B8", "everywhere", "not (allowed and kind", "not (kind"),
]
