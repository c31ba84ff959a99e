"""What a demo tells people, and what becomes of its passwords where others could reach it."""

from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import override_settings

from portal.demo_facts import DemoFacts, recall, remember, replace_passwords

PUBLISHED = "a published password"


@pytest.fixture
def facts(db: None) -> DemoFacts:
    user = get_user_model()(email="rita@example.org")
    user.set_password(PUBLISHED)
    user.save()
    return DemoFacts(
        [("rita@example.org", PUBLISHED, "reseller")],
        f"curl {settings.PHONES_URL}/phone",
        f"curl {settings.PHONES_URL}/thief",
    )


def password_of_rita() -> str:
    return get_user_model().objects.get(email="rita@example.org").password


def test_the_next_start_names_its_own_address(facts: DemoFacts, tmp_path: Path) -> None:
    remember(tmp_path / "demo.json", facts)

    with override_settings(PHONES_URL="http://127.0.0.1:8101"):
        told = recall(tmp_path / "demo.json")

    assert told is not None
    assert told.sign_ins == facts.sign_ins
    assert told.curl_phone == "curl http://127.0.0.1:8101/phone"
    assert (tmp_path / "demo.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("case", ["facts at hand", "facts lost"])
def test_a_published_password_is_replaced_once(case: str, facts: DemoFacts, tmp_path: Path) -> None:
    path = tmp_path / "demo.json"

    shown = replace_passwords(path, facts if case == "facts at hand" else None)
    stored = password_of_rita()
    again = replace_passwords(path, recall(path))

    assert shown is not None
    assert again is not None
    user = get_user_model().objects.get(email="rita@example.org")
    ((_, password, _),) = shown.sign_ins
    assert user.check_password(password)
    assert not user.check_password(PUBLISHED)
    assert password not in path.read_text()
    assert [password for _, password, _ in again.sign_ins] == [""]
    assert password_of_rita() == stored


def test_real_people_keep_their_passwords(db: None, tmp_path: Path) -> None:
    user = get_user_model()(email="rita@provider.example.net")
    user.set_password("her own")
    user.save()

    assert replace_passwords(tmp_path / "demo.json", None) is None
    user.refresh_from_db()
    assert user.check_password("her own")
