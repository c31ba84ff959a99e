"""A verb's "no": what the reader is told, and the number of the rule that says so."""

from django.utils.translation import gettext


class Refusal(Exception):
    """A verb refused and changed nothing; pages show the sentence, the API answers 409.

    `code` is a stable kebab-case name, `rule` the number in the rules ("E2"), `field` the name of the
    input at fault where there is one.
    """

    def __init__(self, rule: str, detail: str, *, code: str = "refused", field: str | None = None) -> None:
        super().__init__(detail)
        self.rule = rule
        self.detail = detail
        self.code = code
        self.field = field


class Forbidden(Refusal):
    """The actor sees the thing but lacks the power: 403, nothing changed."""

    def __init__(self, rule: str = "powers", detail: str = "") -> None:
        super().__init__(rule, detail or gettext("Your role does not allow this."), code="forbidden")


class Invalid(Refusal):
    """What was given cannot be right: 400 with the field at fault, nothing changed."""

    def __init__(self, field: str, detail: str, *, rule: str = "input") -> None:
        super().__init__(rule, detail, code="invalid", field=field)
