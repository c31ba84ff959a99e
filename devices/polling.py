"""How often phones are to check in, for many of them at once: the setting `poll_hours`, level by level."""

from django.db.models import Q

from accounts.models import Account
from accounts.scope import below
from devices.definitions import SETTINGS
from devices.models import SettingValue

NAME = "poll_hours"


class Intervals:
    """The hours between two check-ins of every phone there is; one query."""

    def __init__(self) -> None:
        self._wide: dict[tuple[str, str, str], float] = {}
        self._own: dict[int, float] = {}
        self._found: dict[tuple[str, str, str], float] = {}
        rows = SettingValue.objects.filter(name=NAME)
        for path, family, model, device, value in rows.values_list(
            "account__path", "family", "model", "device_id", "value"
        ):
            if device is not None:
                self._own[device] = float(value)
            else:
                self._wide[path, family, model] = float(value)

    def of(self, device: int, path: str, family: str, model: str) -> float:
        """The hours of one phone, by its key, the path of its account, its family and its model."""
        if device in self._own:
            return self._own[device]
        kind = (path, family, model)
        if kind not in self._found:
            self._found[kind] = self._given(path, family, model)
        return self._found[kind]

    def _given(self, path: str, family: str, model: str) -> float:
        """A value for the model wins over one for all, and in each the nearest account."""
        for which in ((family, model), ("", "")):
            for end in range(len(path), 0, -Account.steplen):
                value = self._wide.get((path[:end], *which))
                if value is not None:
                    return value
        return self.usual()

    @staticmethod
    def usual() -> float:
        """The hours where nobody has said anything."""
        return float(str(SETTINGS[NAME].default))

    def cases(self) -> list[tuple[Q, float]]:
        """As `of`, for a query over phones: the first condition that fits says the hours."""
        own = [
            (Q(pk__in=[pk for pk, value in self._own.items() if value == hours]), hours)
            for hours in sorted(set(self._own.values()))
        ]
        # A model's value before one for all, and the nearest account's before one further up.
        wide = sorted(self._wide.items(), key=lambda item: (not item[0][1], -len(item[0][0])))
        return own + [
            (below([path], "account__path") & (Q(family=family, model=model) if family else Q()), hours)
            for (path, family, model), hours in wide
        ]
