import json
import re
from pathlib import Path

import axe_playwright_python
import httpx
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.conftest import wait_until
from tests.served import KEY

QUESTION = 'Where is it? <sim answer="at home">'
# what is allowed to the page as a whole
MAX_PAGE_BYTES = 300_000
MAX_FIRST_PAINT_MS = 1000
ATTEMPT = {"model": "m", "latency_s": 1.0, "verdict": "wrong", "reason": "missing"}
AXE = Path(axe_playwright_python.__path__[0]) / "axe.min.js"


def ask(page: Page, question: str = QUESTION, value: str = "at home") -> None:
    page.get_by_label("Question").fill(question)
    page.get_by_label("A right answer").and_(page.locator("select")).select_option("contains")
    page.get_by_role("textbox", name="Value").fill(value)
    page.get_by_role("button", name="Ask", exact=True).click()


# the first of all tests: verdicts change who is asked first
def test_wrong_answer_is_retried_and_every_attempt_is_shown(page: Page) -> None:
    ask(page)
    expect(page.locator("#verdict")).to_have_text(re.compile(r"^Verified after .* s\.$"))
    attempts = page.locator("#tries li")
    expect(attempts).to_have_count(2)
    expect(attempts.nth(0)).to_contain_text("simulated-wrong")
    expect(attempts.nth(0)).to_contain_text("wrong (missing)")
    expect(attempts.nth(1)).to_contain_text("correct (matched)")
    expect(page.locator("#answer")).to_contain_text("at home")


def test_choice_is_explained_and_follows_a_slider(page: Page) -> None:
    ask(page)
    expect(page.locator("#explanation")).to_contain_text(re.compile("laar would ask simulated-(wrong|right) first"))
    expect(page.locator("#candidates tbody tr")).to_have_count(2)
    with page.expect_response("**/v1/laar/explain") as told:
        page.get_by_label("Worth of a right answer").fill("2")
    sent = json.loads(told.value.request.post_data or "")
    assert sent["laar"]["worth_s"] == 100
    expect(page.locator("#worth-shown")).to_have_text("100 s")


def test_feedback_changes_the_map(page: Page) -> None:
    chance = page.locator("#map tbody tr", has_text="English").locator("td").first
    page.locator("#map-model").select_option("simulated-right")
    before = chance.inner_text()
    # laar itself says that it is right; the client says otherwise, again and again
    for _ in range(3):
        ask(page)
        expect(page.locator("#verdict")).to_have_text(re.compile("^Verified"))
        page.get_by_role("button", name="It is wrong").click()
        expect(page.locator("#verdict")).to_have_text("Noted. laar learns from it.")
    wait_until(lambda: chance.inner_text() != before)


def test_attempts_are_listed_filtered_and_judged_by_a_click(page: Page) -> None:
    ask(page)
    expect(page.locator("#verdict")).to_have_text(re.compile("^Verified"))
    page.locator("#filter-verdict").select_option("wrong")
    page.get_by_role("button", name="Show").click()
    rows = page.locator("#log tbody tr")
    expect(rows.first).to_contain_text("simulated-wrong")
    expect(page.locator("#log tbody", has_text="simulated-right")).to_have_count(0)
    page.locator("#filter-verdict").select_option("")
    page.get_by_role("button", name="Show").click()
    button = page.get_by_role("button", name=re.compile("Answer of .* is wrong")).first
    with page.expect_response("**/v1/laar/feedback") as told:
        button.click()
    assert told.value.status == 200
    expect(page.locator("#log tbody")).to_contain_text("→ wrong", timeout=20_000)


def test_answer_of_the_log_is_asked_again_by_a_click(page: Page) -> None:
    with page.expect_response("**/v1/chat/completions") as answered:
        ask(page)
    expect(page.locator("#verdict")).to_have_text(re.compile("^Verified"))
    # the log shows it some seconds later; until then its first row is about another question
    mine = answered.value.headers["x-laar-request-id"][5:13]
    again = page.get_by_role("button", name=f"Ask {mine} again")
    with page.expect_request("**/v1/chat/completions") as told:
        again.click()
    sent = json.loads(told.value.post_data or "")
    assert sent["messages"][0]["content"] == QUESTION
    assert sent["laar"]["retry_of"].startswith("laar-")
    # whoever has not asked it must type it
    page.reload()
    again.click()
    expect(page.locator("#verdict")).to_have_text(re.compile("^Type the question of [0-9a-f]{8} again"))
    assert page.evaluate("document.activeElement.id") == "question"
    with page.expect_request("**/v1/chat/completions") as told:
        ask(page)
    (model,) = json.loads(told.value.post_data or "")["laar"]["tried"]
    assert model.startswith("simulated-")


def test_trouble_of_an_action_stays_until_it_is_dismissed_or_the_next_action(page: Page) -> None:
    body = f"data: {json.dumps({'error': {'message': 'the log is full', 'code': 'log_unavailable'}})}\n\n"
    page.route("**/v1/chat/completions", lambda route: route.fulfill(content_type="text/event-stream", body=body))
    for is_dismissed in (True, False):
        ask(page)
        expect(page.locator("#trouble-text")).to_have_text("laar does not answer: the log is full")
        # reading goes well meanwhile
        for _ in range(2):
            with page.expect_response("**/v1/laar/status"):
                pass
        expect(page.locator("#trouble")).to_be_visible()
        if is_dismissed:
            page.get_by_role("button", name="Dismiss").click()
        else:
            page.unroute("**/v1/chat/completions")
            ask(page)
        expect(page.locator("#trouble")).to_be_hidden()


def test_price_and_budgets_are_shown_where_there_are_any(page: Page) -> None:
    head = page.locator("#models thead")
    expect(head).not_to_contain_text("Thinking tokens")
    expect(head).to_contain_text("Price of a million tokens")
    row = page.locator("#models tbody tr", has_text="simulated-right")
    expect(row).to_contain_text("0.5 / 2")
    mix = [{"task": "sums", "language": "en", "bucket": 0, "share": 1, "budget": 1200}]

    def with_budgets(route: Route) -> None:
        told = route.fetch().json()
        told["models"][1]["budgets"] = {"arrivals_per_s": 1, "mix": mix, "outcome": "taken"}
        route.fulfill(json=told)

    page.route("**/v1/laar/status", with_budgets)
    expect(row).to_contain_text("sums en: 1,200")


def test_right_to_left_layout_is_the_mirror_of_the_other(page: Page) -> None:
    """Where each part stands from the side where reading begins, in both directions."""
    ask(page)
    expect(page.locator("#verdict")).to_have_text(re.compile("^Verified"))
    places = """(dir) => {
        document.documentElement.dir = dir;
        const width = document.documentElement.clientWidth;
        const names = ["h1", "#send", "#stop", "#answer", "#candidates", "#models th", "#map th", "#log th"];
        return names.map((name) => {
            const box = document.querySelector(name).getBoundingClientRect();
            return Math.round(dir === "rtl" ? width - box.right : box.left);
        });
    }"""
    assert page.evaluate(places, "rtl") == pytest.approx(page.evaluate(places, "ltr"), abs=2)


def test_what_a_model_writes_is_only_text(page: Page) -> None:
    written = "<b>bold</b><script>document.title='no'</script><img src=x onerror=\"document.title='no'\">"
    laar = {"request_id": "laar-1", "verified": False, "ttca_s": None, "attempts": [ATTEMPT | {"read": written}]}
    chunk = {"choices": [{"delta": {"content": written}, "finish_reason": "stop"}], "laar": laar}
    body = f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n"
    page.route("**/v1/chat/completions", lambda route: route.fulfill(content_type="text/event-stream", body=body))
    ask(page)
    expect(page.locator("#answer")).to_have_text(written)
    expect(page.locator("#tries")).to_contain_text(written)
    assert page.locator("#outcome :is(img, b, script)").count() == 0
    assert page.title() == "laar"


def test_page_cannot_read_text_as_html(page: Page) -> None:
    refused = page.evaluate("() => { try { document.body.innerHTML = '<i></i>' } catch (e) { return e.name } }")
    assert refused == "TypeError"


def test_key_without_admin_has_its_attempts_and_the_names_of_models(browser: Browser, app_url: str) -> None:
    page = browser.new_page(locale="en-US")
    body = json.dumps({"error": {"message": "this key has no role 'admin'", "code": "permission_denied"}})
    for path in ("status", "capability"):
        page.route(f"**/v1/laar/{path}*", lambda route: route.fulfill(status=403, body=body))
    page.add_init_script(f"sessionStorage.setItem('laar-key', '{KEY}')")
    with page.expect_response("**/v1/laar/attempts*") as told:
        page.goto(f"{app_url}/laar/")
    assert told.value.status == 200
    expect(page.locator("#trouble")).to_be_hidden()
    names = page.locator("#ask-model option").all_inner_texts()
    assert names == ["auto", "simulated-wrong", "simulated-right"]
    page.close()


def test_asking_again_where_nothing_new_can_come_is_told_plainly(page: Page) -> None:
    error = {"message": "laar.retry_of: no model is left", "type": "unverified_answer", "code": "nothing_new"}
    ask(page)
    expect(page.locator("#verdict")).to_have_text(re.compile("^Verified"))
    body = f"data: {json.dumps({'error': error})}\n\n"
    page.route("**/v1/chat/completions", lambda route: route.fulfill(content_type="text/event-stream", body=body))
    page.get_by_role("button", name="Ask again").click()
    expect(page.locator("#verdict")).to_contain_text("No model is left that could give another answer.")


def test_key_is_asked_for_and_kept_for_the_tab(browser: Browser, app_url: str) -> None:
    page = browser.new_page(locale="en-US")
    page.goto(f"{app_url}/laar/")
    expect(page.locator("#trouble-text")).to_have_text("This application wants an API key. Type it above.")
    page.get_by_label("API key").fill(KEY)
    page.get_by_label("API key").press("Enter")
    page.get_by_label("API key").blur()
    expect(page.locator("#trouble")).to_be_hidden()
    expect(page.locator("#models tbody tr")).to_have_count(2)
    page.close()


@pytest.mark.parametrize(
    ("locale", "title", "name"),
    [
        pytest.param("de", "Fragen", "Sprache", id="german"),
        pytest.param("zh", "提问", "语言", id="chinese"),
    ],
)
def test_page_speaks_other_languages(page: Page, locale: str, title: str, name: str) -> None:
    page.locator("#locale").select_option(locale)
    expect(page.locator("#ask-title")).to_have_text(title)
    expect(page.get_by_label(name).first).to_be_visible()
    assert page.evaluate("document.documentElement.lang") == locale
    page.locator("#locale").select_option("en")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_page_is_accessible(page: Page, theme: str, direction: str) -> None:
    ask(page)
    expect(page.locator("#verdict")).to_have_text(re.compile("^Verified"))
    page.locator("#theme").select_option(theme)
    page.evaluate(f"document.documentElement.dir = '{direction}'")
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run()")
    serious = [v for v in found["violations"] if v["impact"] in ("serious", "critical")]
    assert [(v["id"], [node["html"] for node in v["nodes"]][:3]) for v in serious] == []
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_page_can_be_used_without_a_mouse(page: Page) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "question":
            break
    page.keyboard.type("What?")
    for name in ("check", "check-value", "ask-model", "task", "max-tokens", "worth", "deadline", "send"):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == name
    page.keyboard.press("Enter")
    expect(page.locator("#verdict")).to_have_text("Not checked.")


def test_page_is_small_and_quick(browser: Browser, app_url: str) -> None:
    page = browser.new_page()
    sizes: list[int] = []
    page.on(
        "response",
        lambda response: sizes.append(len(response.body())) if "/v1/" not in response.url and response.ok else None,
    )
    page.goto(f"{app_url}/laar/", wait_until="networkidle")
    paint_ms = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    assert 10_000 < sum(sizes) <= MAX_PAGE_BYTES
    assert paint_ms <= MAX_FIRST_PAINT_MS
    page.close()


@pytest.mark.parametrize("path", ["status", "capability", "attempts"])
def test_data_need_the_key(app_url: str, path: str) -> None:
    answer = httpx.get(f"{app_url}/v1/laar/{path}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        pytest.param("attempts?limit=1000", "limit: Input should be less than or equal to 200", id="too-many"),
        pytest.param("attempts?speed=1", "speed: unknown parameter; known: limit, model", id="unknown"),
        pytest.param("attempts?verdict=fine", "verdict: Input should be 'correct', 'wrong'", id="no-verdict"),
        pytest.param("capability?task=x", "task: the profile has no task 'x'; known: 'default'", id="no-task"),
    ],
)
def test_wrong_queries_are_named(app_url: str, path: str, message: str) -> None:
    answer = httpx.get(f"{app_url}/v1/laar/{path}", headers={"authorization": f"Bearer {KEY}"})
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith(message)


def test_files_of_the_page_have_a_strict_policy(app_url: str) -> None:
    for path in ("laar/", "laar/app.js", "laar/style.css"):
        answer = httpx.get(f"{app_url}/{path}")
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
    assert httpx.get(f"{app_url}/laar/views.py").status_code == 404
    assert httpx.get(f"{app_url}/laar/..%2Fviews.py").status_code == 404
