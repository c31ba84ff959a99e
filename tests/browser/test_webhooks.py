"""An endpoint added, tried out and looked into by keyboard alone; the worker's part is done by the test."""

from django.utils import timezone
from playwright.sync_api import expect

from provisioning import outgoing, webhook_sending
from provisioning.models import WebhookEndpoint
from tests.browser.conftest import SignIn, faults
from tests.world import World


def test_a_manager_adds_one_tries_it_and_reads_what_came_back(town: World, sign_in: SignIn) -> None:
    page = sign_in(town.ana)

    page.get_by_role("link", name="Webhooks").focus()
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Add an endpoint").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Name", exact=True).focus()
    page.keyboard.type("Billing")
    page.keyboard.press("Tab")
    page.keyboard.type("https://billing.example/in")
    page.get_by_label("Job finished").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Copy the secret of Billing now")).to_be_visible()
    expect(page.get_by_role("button", name="Copy the secret")).to_be_visible()
    assert faults(page) == []

    page.get_by_role("link", name="I have copied it").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Nothing was sent to it yet.")).to_be_visible()
    page.get_by_role("button", name="Send a test").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#verdict").get_by_text("The test is on its way.")).to_be_visible()
    endpoint = WebhookEndpoint.objects.get(name="Billing")
    assert endpoint.kinds == ["job.finished"]
    now = timezone.now()
    (taken,) = webhook_sending.take(endpoint.pk, now).taken
    webhook_sending.finish(taken, outgoing.Answer(status=204, took=0.1), now=now)

    expect(page.locator("#verdict").get_by_text("Answered 204.")).to_be_visible()
    expect(page.get_by_role("status").get_by_text("Answered 204.")).to_be_attached()
    expect(page.get_by_text("Delivering; the last one arrived")).to_be_visible()
    expect(page.get_by_role("button", name="Send a test")).to_be_focused()
    expect(page.locator("#log").get_by_role("link", name="Test")).to_be_visible()
    assert faults(page) == []
