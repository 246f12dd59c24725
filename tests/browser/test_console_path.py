"""The supervisor's main path, in a real browser."""

from __future__ import annotations

import pytest
from flask import Flask
from playwright.sync_api import Page, expect
from sqlalchemy import Engine, update

from server.services import services
from sync.engine import in_transaction
from sync.models import Form
from tests.conftest import PASSWORD, Team
from tests.desk import CLASHING, FLAGGED, GOOD
from tests.e2e.test_retention import reject, remove

pytestmark = pytest.mark.browser

PAGES = (
    "/",
    "/projects/1/day",
    "/projects/1/submissions",
    f"/projects/1/submissions/{FLAGGED}?n=1",
    f"/projects/1/submissions/{CLASHING}",
    f"/projects/1/submissions/{GOOD}?all=yes",
    "/projects/1/assignments",
    "/projects/1/assignments/new",
    "/projects/1/conflicts",
    "/projects/1/entities/rumah",
    "/projects/1/quarantine",
    "/projects/1/audit",
    "/projects/1/forms",
    "/projects/1/devices",
    "/projects/1/jobs",
    "/projects/1/indicators",
)


def log_in(page: Page) -> None:
    page.goto("/")
    page.get_by_label("E-mail address").fill("supervisor@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Projects")).to_be_visible()


def test_a_supervisor_reviews_the_day(page: Page) -> None:
    log_in(page)

    page.get_by_role("link", name="P2KP Pakis").click()
    expect(page.get_by_text("3 records received")).to_be_visible()
    expect(page.get_by_text("Umur terlalu besar")).to_be_visible()

    page.get_by_role("link", name="Pak Budi").click()
    expect(page.get_by_role("heading", name="Pak Budi")).to_be_visible()
    expect(page.locator("#findings")).to_contain_text("Umur terlalu besar")
    expect(page.locator("#findings")).to_contain_text("200")

    page.locator("[id='q-umur'] summary").click()
    page.locator("[id='q-umur'] textarea").fill("Tolong cek KTP")
    page.locator("[id='q-umur']").get_by_role("button", name="Comment", exact=True).click()
    expect(page.locator("[id='q-umur']")).to_contain_text("Tolong cek KTP")

    page.get_by_label("Note").fill("Umurnya keliru")
    page.get_by_role("button", name="Return").click()
    expect(page.locator(".record-head")).to_contain_text("Returned")
    expect(page.locator(".history")).to_contain_text("Umurnya keliru")


def test_a_supervisor_approves_a_record_with_its_photo(page: Page) -> None:
    log_in(page)
    page.goto(f"/projects/1/submissions/{GOOD}")

    page.get_by_role("button", name="Approve").click()

    expect(page.locator(".record-head")).to_contain_text("Approved")
    photo = page.locator(".photo img")
    photo.scroll_into_view_if_needed()
    expect(photo).to_have_js_property("complete", True)
    expect(photo).to_have_js_property("naturalWidth", 640)


def test_a_supervisor_sees_when_and_why_a_photo_was_deleted(
    page: Page, app: Flask, engine: Engine, a_project: Team
) -> None:
    reject(engine, a_project.project_id, GOOD)
    remove(engine, services(app).blobs, a_project.project_id)
    log_in(page)

    page.goto(f"/projects/1/submissions/{GOOD}")

    expect(page.locator(".file-missing")).to_contain_text("because it had been rejected or discarded")
    expect(page.locator(".history")).to_contain_text("Deleted files whose time was over")
    assert page.locator("img").count() == 0


def test_a_supervisor_resolves_a_conflict(page: Page) -> None:
    log_in(page)
    page.goto("/projects/1/day")
    page.get_by_role("link", name="1 conflict to resolve").click()
    expect(page.locator(".clash")).to_contain_text("41")
    expect(page.locator(".clash")).to_contain_text("44")

    page.get_by_label("41").check()
    page.get_by_role("button", name="Resolve").click()

    expect(page.get_by_text("No open conflict")).to_be_visible()
    page.goto(f"/projects/1/submissions/{CLASHING}")
    expect(page.locator("[id='q-umur']")).to_contain_text("41")


def test_a_supervisor_assigns_and_finds_what_is_overdue(page: Page) -> None:
    log_in(page)
    page.goto("/projects/1/assignments")
    page.get_by_role("link", name="Assign", exact=True).first.click()
    page.get_by_label("Who").select_option("Enumerator")
    page.get_by_label("By").fill("2020-01-31")
    page.get_by_label("How many").fill("5")
    page.get_by_role("button", name="Assign", exact=True).click()

    expect(page.get_by_text("Assigned: 1.")).to_be_visible()
    page.goto("/projects/1/day")
    page.get_by_role("link", name="1 assignment is overdue").click()
    expect(page.locator("#list")).to_contain_text("overdue")
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.locator("#list").get_by_role("link", name="0 of 5").click()
    expect(page.get_by_text("No record fits this filter")).to_be_visible()


def test_the_list_follows_the_filter_without_loading_the_page(page: Page) -> None:
    log_in(page)
    page.goto("/projects/1/submissions")
    page.evaluate("window.isTheSame = true")

    page.get_by_label("Text").fill("budi")

    expect(page.get_by_role("link", name="Bu Siti")).to_have_count(0)
    expect(page.get_by_role("link", name="Pak Budi")).to_be_visible()
    assert page.evaluate("window.isTheSame")
    assert "text=budi" in page.url


def test_no_page_scrolls_sideways_on_a_phone(page: Page) -> None:
    log_in(page)
    page.set_viewport_size({"width": 360, "height": 740})

    for path in PAGES:
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path


def test_the_version_of_an_older_record_fits_a_phone(page: Page, engine: Engine) -> None:
    in_transaction(engine, lambda session: session.execute(update(Form).values(version="2026112601")))
    log_in(page)
    page.set_viewport_size({"width": 360, "height": 740})
    page.context.add_cookies([{"name": "language", "value": "id", "url": page.url}])

    page.goto(f"/projects/1/submissions/{GOOD}?all=yes")
    page.evaluate("document.querySelector('.facts .num').prepend('2026100101')")

    expect(page.get_by_text("bukan yang terbaru")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_keyboard_reaches_the_content_first(page: Page) -> None:
    log_in(page)
    page.goto("/projects/1/submissions")

    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the content")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")

    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_the_path_works_without_scripts(page: Page, address: str) -> None:
    browser = page.context.browser
    assert browser is not None
    context = browser.new_context(base_url=address, locale="id-ID", java_script_enabled=False)
    plain = context.new_page()

    plain.goto("/")
    plain.get_by_label("Alamat surel").fill("supervisor@example.org")
    plain.get_by_label("Kata sandi").fill(PASSWORD)
    plain.get_by_role("button", name="Masuk").click()
    plain.goto(f"/projects/1/submissions/{FLAGGED}")
    plain.get_by_role("button", name="Kembalikan").click()

    expect(plain.locator(".record-head")).to_contain_text("Dikembalikan")
    context.close()
