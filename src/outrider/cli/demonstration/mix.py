"""What is published: a mix of messages as an online shop has them, the same for the same seed.

How the receiver is to answer travels with each message, in a header of its own; see `receiver.py`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import msgspec
from msgspec import Struct

from outrider.cli.demonstration.receiver import ANSWER_HEADER, AnswerPlan

LABEL = "demo"
"""Of every message, so that what is left of them can be found."""

QUEUE = "demo-invoices"
GROUP = "demo-newsletter"
GROUP_PATHS = ("/newsletter/mailer", "/newsletter/archive", "/newsletter/broken")
SCHEDULES = {
    "demo-heartbeat": ("* * * * *", "/monitoring/heartbeat"),
    "demo-digest": ("CRON_TZ=Europe/Berlin 30 7 * * 1-5", "/emails/digest"),
    "demo-reconciliation": ("0 3 * * *", "/payments/reconcile"),
}
"""Cron and path, by id."""


class Sending(Struct, frozen=True):
    """A request to publish: the path of the API, headers and body.

    Attributes:
        kind: what it is, in a word.
    """

    kind: str
    path: str
    headers: dict[str, str]
    body: bytes


class Kind(Struct, frozen=True, kw_only=True):
    """One kind of message.

    Attributes:
        weight: how often it comes, among all weights.
        path: of the receiver.
        took_ms: how long the receiver takes, from and to.
        status: what it answers in the end.
        fail_first: most attempts that it fails first.
        options: headers of the publish; `{receiver}` stands for its URL.
        via: `publish`, or `enqueue/<queue>`.
        unreachable: whether nobody listens there.
    """

    name: str
    weight: int
    path: str
    body: Callable[[random.Random], dict[str, object]]
    took_ms: tuple[int, int] = (4, 40)
    status: int = 200
    fail_first: int = 0
    options: dict[str, str] = {}
    via: str = "publish"
    unreachable: bool = False


def sendings(seed: int, receiver: str, nowhere: str) -> Iterator[Sending]:
    """Without end. `receiver` and `nowhere` are the URLs of who answers and of who does not."""
    rng = random.Random(seed)  # noqa: S311 - a mix, not a secret
    weights = [kind.weight for kind in KINDS]
    while True:
        (kind,) = rng.choices(KINDS, weights)
        yield _sending(kind, rng, receiver, nowhere)


def _sending(kind: Kind, rng: random.Random, receiver: str, nowhere: str) -> Sending:
    plan = AnswerPlan(
        status=kind.status, fail_first=rng.randint(0, kind.fail_first), delay_ms=rng.randint(*kind.took_ms)
    )
    options = {name: value.format(receiver=receiver) for name, value in kind.options.items()}
    destination = GROUP if kind.path == GROUP else f"{nowhere if kind.unreachable else receiver}{kind.path}"
    return Sending(
        kind=kind.name,
        path=f"/v2/{kind.via}/{destination}",
        headers={
            "Content-Type": "application/json",
            "Upstash-Label": f"{LABEL},{kind.name}",
            f"Upstash-Forward-{ANSWER_HEADER}": plan.written(),
            **options,
        },
        body=msgspec.json.encode(kind.body(rng)),
    )


# Bodies

_NAMES = ("Ada", "Grace", "Linus", "Margaret", "Edsger", "Barbara", "Ken", "Radia", "Tim", "Frances")
_GOODS = ("espresso cups", "desk lamp", "notebook", "rain jacket", "headphones", "bicycle bell", "tea kettle")


def _customer(rng: random.Random) -> dict[str, object]:
    name = rng.choice(_NAMES)
    return {"id": f"cus_{rng.randrange(10**6):06}", "name": name, "email": f"{name.lower()}@example.com"}


def _order(rng: random.Random) -> dict[str, object]:
    lines = [
        {"item": item, "quantity": rng.randint(1, 3), "price": rng.randint(490, 12_900) / 100}
        for item in rng.sample(_GOODS, rng.randint(1, 4))
    ]
    return {"order": f"ord_{rng.randrange(10**8):08}", "customer": _customer(rng), "lines": lines, "currency": "EUR"}


def _payment(rng: random.Random) -> dict[str, object]:
    return {"payment": f"pay_{rng.randrange(10**8):08}", "amount": rng.randint(490, 30_000) / 100, "currency": "EUR"}


def _letter(rng: random.Random) -> dict[str, object]:
    return {"template": rng.choice(("welcome", "verify", "receipt")), "to": _customer(rng), "locale": "en"}


def _text(rng: random.Random) -> dict[str, object]:
    return {"to": f"+49151{rng.randrange(10**8):08}", "text": f"Your code is {rng.randrange(10**6):06}"}


def _upload(rng: random.Random) -> dict[str, object]:
    return {"file": f"img_{rng.randrange(10**8):08}.jpg", "bytes": rng.randint(40_000, 9_000_000), "sizes": [64, 256]}


def _stock(rng: random.Random) -> dict[str, object]:
    return {"item": rng.choice(_GOODS), "warehouse": rng.choice(("BER", "HAM", "MUC")), "change": rng.randint(-5, 20)}


KINDS = (
    Kind(name="order", weight=30, path="/orders/confirm", body=_order),
    Kind(name="stock", weight=12, path="/stock/changed", body=_stock, took_ms=(1, 12)),
    Kind(name="email", weight=14, path="/emails/welcome", body=_letter, took_ms=(60, 400)),
    Kind(
        name="sms",
        weight=8,
        path="/sms/send",
        body=_text,
        took_ms=(40, 200),
        options={
            "Upstash-Flow-Control-Key": "demo-sms",
            "Upstash-Flow-Control-Value": "rate=1,period=1s,parallelism=2",
        },
    ),
    Kind(name="invoice", weight=7, path="/invoices/render", body=_order, took_ms=(300, 1400), via=f"enqueue/{QUEUE}"),
    Kind(
        name="payment",
        weight=9,
        path="/payments/capture",
        body=_payment,
        took_ms=(80, 600),
        fail_first=2,
        options={"Upstash-Retries": "4", "Upstash-Retry-Delay": "2000 * (1 + retried)"},
    ),
    Kind(name="reminder", weight=5, path="/reminders/cart", body=_order, options={"Upstash-Delay": "45s"}),
    Kind(
        name="upload",
        weight=5,
        path="/uploads/thumbnails",
        body=_upload,
        took_ms=(200, 900),
        options={"Upstash-Callback": "{receiver}/uploads/done"},
    ),
    Kind(name="newsletter", weight=2, path=GROUP, body=_letter, options={"Upstash-Retries": "1"}),
    Kind(
        name="webhook",
        weight=2,
        path="/webhooks/partner",
        body=_order,
        status=500,
        options={
            "Upstash-Retries": "1",
            "Upstash-Retry-Delay": "3000",
            "Upstash-Failure-Callback": "{receiver}/alerts/undelivered",
        },
    ),
    Kind(
        name="contact",
        weight=2,
        path="/crm/contacts",
        body=_customer,
        status=404,
        options={"Upstash-Retries": "0"},
    ),
    Kind(
        name="export",
        weight=1,
        path="/legacy/export",
        body=_stock,
        took_ms=(2500, 4000),
        options={"Upstash-Timeout": "1s", "Upstash-Retries": "1", "Upstash-Retry-Delay": "5000"},
    ),
    Kind(
        name="search",
        weight=1,
        path="/search/reindex",
        body=_stock,
        unreachable=True,
        options={"Upstash-Retries": "2", "Upstash-Retry-Delay": "4000"},
    ),
)
