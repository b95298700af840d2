"""The console in a browser tab, and everything that must never happen in one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import ConsoleMessage, Locator, Page, Request, Response, expect

AXE = Path(__file__).parents[1] / "e2e/js/node_modules/axe-core/axe.min.js"
AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

SCREENS = {
    "overview": "Overview",
    "publish": "Publish",
    "logs": "Logs",
    "in-flight": "In flight",
    "dead-letters": "Dead letters",
    "schedules": "Schedules",
    "queues": "Queues",
    "url-groups": "URL groups",
    "flow-control": "Flow control",
    "keys": "Keys and tokens",
    "settings": "Settings",
}
"""Every screen: its path under /console, and its heading."""

OPENING = ("logs", "in-flight", "dead-letters", "schedules", "queues", "url-groups", "flow-control")
"""Those with a list whose rows open a panel."""

SILENT = """
window.EventSource = class extends EventTarget {
  constructor() { super(); globalThis.beginEvents = () => this.onopen() }
  close() {}
}
"""
"""Events that begin when a test says so, and tell nothing."""

NOTE_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`CSP: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
"""


@dataclass
class Console:
    """A tab at the console of one server. `problems` is what the browser complained of; a test ends with none.

    Attributes:
        expected: statuses of the API that the test provokes, 4xx and 5xx; any other is a problem.
    """

    page: Page
    url: str
    problems: list[str] = field(default_factory=list)
    expected: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.page.add_init_script(NOTE_VIOLATIONS)
        self.page.on("console", self._note_message)
        self.page.on("pageerror", lambda error: self.problems.append(f"exception: {error}"))
        self.page.on("response", self._note_response)
        self.page.on("requestfailed", self._note_failure)

    def sign_in(self, token: str) -> Console:
        """By pasting a token, as a person does."""
        self.page.goto(f"{self.url}/console")
        self.page.get_by_label("Token", exact=True).fill(token)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("navigation")).to_be_visible()
        return self

    def open(self, screen: str, query: str = "") -> Console:
        """A screen by its link, once it shows its heading and has nothing left to load."""
        self.page.goto(f"{self.url}/console/{screen}{query}")
        return self.arrived(screen)

    def go(self, screen: str) -> Console:
        """A screen by the sidebar."""
        name = re.compile(rf"^{SCREENS[screen]}\b")
        self.page.get_by_role("navigation").get_by_role("link", name=name).click()
        return self.arrived(screen)

    def arrived(self, screen: str) -> Console:
        expect(self.heading(SCREENS[screen])).to_be_visible()
        expect(self.page.locator("[aria-busy=true]")).to_have_count(0)
        expect(self.page.get_by_text("Loading…", exact=True)).to_have_count(0)
        return self

    def panel(self) -> Locator:
        """What is open beside the list, once it shows what it is about."""
        details = self.page.get_by_role("region", name=re.compile(", details$"))
        expect(details).not_to_be_empty()
        return self.page.locator("section").filter(has=details)

    def heading(self, name: str) -> Locator:
        return self.page.get_by_role("heading", name=name, exact=True, level=1)

    def theme(self, name: str) -> Console:
        """`light` or `dark`, as the system asks for it."""
        self.page.emulate_media(color_scheme=name, reduced_motion="reduce")
        return self

    def axe(self) -> list[str]:
        """What axe finds on the page as it is now: rule, nodes, remedy."""
        if not self.page.evaluate("'axe' in globalThis"):
            self.page.evaluate(AXE.read_text(encoding="utf-8"))
        options = {"runOnly": {"type": "tag", "values": AXE_RULES}, "resultTypes": ["violations"]}
        found = self.page.evaluate("(options) => axe.run(document, options)", options)["violations"]
        return [
            f"{one['id']}: {one['help']} — "
            + "; ".join(f"{node['target']} {node['failureSummary']}" for node in one["nodes"][:5])
            for one in found
        ]

    def _note_message(self, message: ConsoleMessage) -> None:
        refused = re.match(r"Failed to load resource: .* status of (\d+)", message.text)
        if message.type in ("error", "warning") and not refused:
            self.problems.append(f"{message.type}: {message.text}")

    def _note_response(self, response: Response) -> None:
        if not response.url.startswith(self.url):
            self.problems.append(f"left the server: {response.url}")
        elif response.status == 401 and response.request.method == "GET" and response.url.endswith("/session"):
            pass  # signed out: the console asks before it shows where to sign in
        elif response.status >= 400 and response.status not in self.expected:
            self.problems.append(f"{response.status} {response.request.method} {response.url}")

    def _note_failure(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # by the page itself: it went elsewhere
            self.problems.append(f"{request.failure}: {request.method} {request.url}")
