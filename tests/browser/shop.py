"""A small shop's messages, so that every screen has something to show; and the API as a test calls it."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from typing import Any

from tests.e2e.account import Account
from tests.e2e.ledger import Ledger

GROUP, QUEUE, KEY, SCHEDULE = "newsletter", "invoices", "payments", "digest"
HEALTHY, BROKEN = "/orders/confirm", "/payments/capture"


@dataclass(frozen=True)
class Shop:
    """An account that publishes to a ledger's paths."""

    account: Account
    ledger: Ledger

    @property
    def destination(self) -> str:
        """Paths of the ledger that no other shop uses."""
        return self.ledger.url(f"/{self.account.name}")

    def breaks(self, path: str, **rule) -> Shop:
        """The ledger answers so at a path, instead of with 200."""
        self.ledger.answer(f"/{self.account.name}{path}", **rule)
        return self

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """A header's name has `_` for `-`. Raises HTTPError for a status that says no."""
        sent = None if body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        known = {"Authorization": f"Bearer {self.account.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.account.url + path, sent, known | named, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def publish(self, path: str, body: Any = None, **headers: str) -> str:
        """The id of a message to a path of the destination."""
        return self.call("POST", f"/v2/publish/{self.destination}{path}", body or {"order": 1}, **headers)["messageId"]

    def open(self) -> Shop:
        """Messages delivered, failed, retried, delayed and held; a group, a schedule, a queue, a flow-control key."""
        self.breaks(BROKEN, status=503, body=b'{"error": "the bank is closed"}')
        for order in range(4):
            self.publish(HEALTHY, {"order": order, "customer": "Ada"}, Upstash_Label="orders")
        for order in range(3):
            self.publish(BROKEN, {"order": order, "amount": 1999}, Upstash_Retries="0")
        self.publish(BROKEN, {"order": 9}, Upstash_Retries="3", Upstash_Retry_Delay="3600000")
        limits = {"Upstash_Flow_Control_Key": KEY, "Upstash_Flow_Control_Value": "parallelism=2, rate=10, period=1m"}
        self.publish(HEALTHY, {"reminder": True}, Upstash_Delay="2h", **limits)
        self.call("POST", "/v2/queues", {"queueName": QUEUE, "parallelism": 1})
        self.call("POST", f"/v2/queues/{QUEUE}/pause")
        for order in range(2):
            self.call("POST", f"/v2/enqueue/{QUEUE}/{self.destination}/invoices/render", {"order": order})
        endpoints = [{"name": name, "url": f"{self.destination}/newsletter/{name}"} for name in ("mailer", "archive")]
        self.call("POST", f"/v2/url-groups/{GROUP}/endpoints", {"endpoints": endpoints})
        self.call("POST", f"/v2/publish/{GROUP}", {"issue": 12})
        self.call(
            "POST",
            f"/v2/schedules/{self.destination}/emails/digest",
            {"to": "everyone"},
            Upstash_Cron="CRON_TZ=Europe/Berlin 30 7 * * 1-5",
            Upstash_Schedule_Id=SCHEDULE,
        )
        for path, count in ((HEALTHY, 4), (BROKEN, 4)):
            self.ledger.wait_for(f"/{self.account.name}{path}", count)
        return self
