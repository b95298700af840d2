"""The API description says what the API does. That answers are as described, `conftest.py` checks at every call."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from outrider.http.description import describe
from outrider.http.operations import Operation
from outrider.http.reference import STYLE
from outrider.http.routes import Needs, Route
from outrider.wire.option_table import FAMILIES, OPTIONS
from outrider.wire.schema import text, thing


@pytest.fixture
async def document(api):
    return (await api.client.get("/openapi.json")).json()


def shape(path):
    """A path without the names of its parameters."""
    return re.sub(r"\{\w+(:rest)?\}", "{}", path)


def operations(document):
    return {
        (method.upper(), shape(path)): said for path, item in document["paths"].items() for method, said in item.items()
    }


async def test_what_is_described_is_exactly_what_is_served(api, document):
    assert set(operations(document)) == {(route.method, shape(route.path)) for route in api.app.table.routes}
    assert len(operations(document)) == len(api.app.table.routes)


async def test_no_two_paths_differ_in_a_parameters_name_alone(document):
    assert len({shape(path) for path in document["paths"]}) == len(document["paths"])


async def test_every_operation_has_an_id_of_its_own_and_names_its_parameters(document):
    ids = [said["operationId"] for said in operations(document).values()]
    assert len(set(ids)) == len(ids)
    for path, item in document["paths"].items():
        for said in item.values():
            named = [one["name"] for one in said["parameters"] if one.get("in") == "path"]
            assert named == re.findall(r"\{(\w+)\}", path)


async def test_a_token_is_asked_for_where_one_is_needed(api, document):
    described = operations(document)
    for route in api.app.table.routes:
        said = described[route.method, shape(route.path)]
        assert (said.get("security") == []) is (route.needs is Needs.OPEN)
        assert ("403" in said["responses"]) is (route.needs in {Needs.CHANGE, Needs.FULL})


async def test_every_option_is_described(document):
    parameters = document["components"]["parameters"]
    assert {name: said["description"] for name, said in parameters.items()} == {one.name: one.help for one in OPTIONS}
    publish = operations(document)["POST", "/v2/publish/{}"]
    assert sum("$ref" in one for one in publish["parameters"]) == len(OPTIONS)
    for name, help_ in FAMILIES:
        assert f"{name}: {help_}" in document["info"]["description"]


async def test_every_reference_leads_somewhere(api):
    raw = (await api.client.get("/openapi.json")).text
    document = describe(api.app.table.routes)
    references = set(re.findall(r'"\$ref":"#/components/(\w+)/([\w-]+)"', raw))
    assert references
    for kind, name in references:
        assert name in document["components"][kind]


def test_two_schemas_of_one_name_are_refused():
    async def nothing(_call):
        raise NotImplementedError

    routes = [
        Route("GET", f"/{name}", nothing, Needs.OPEN, Operation("Nothing.", thing("Same", {name: text()})))
        for name in ("a", "b")
    ]
    with pytest.raises(AssertionError, match="two schemas are called Same"):
        describe(routes)


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ({"error": "e", "code": "c"}, None),
        ({"error": "e"}, "lacks code"),
        ({"error": 1, "code": "c"}, "is 1, not string"),
        ({"error": "e", "code": "c", "more": 1}, "more is not described"),
        ([], "not object"),
    ],
)
async def test_an_answer_that_is_not_as_described_is_complained_of(api, answer, complaint):
    complaints = list(api.description.mismatches(answer, {"$ref": "#/components/schemas/Error"}))
    assert bool(complaints) is (complaint is not None)
    assert complaint is None or complaint in complaints[0]


class Page(HTMLParser):
    """What a browser would load, run or jump to, and whether every tag is closed."""

    VOID = frozenset({"meta", "br"})

    def __init__(self, html):
        super().__init__()
        self.open, self.ids, self.links, self.tags, self.style = [], [], [], set(), ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        if "id" in attributes:
            self.ids.append(attributes["id"])
        assert not {"style", "src"} & set(attributes)
        assert not any(name.startswith("on") for name in attributes)
        if "href" in attributes:
            self.links.append(attributes["href"])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            self.style += data


async def test_the_page_shows_every_route_option_and_schema(api, document):
    response = await api.client.get("/docs")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    page = Page(response.text)
    assert page.open == []
    assert len(set(page.ids)) == len(page.ids)
    for said in operations(document).values():
        assert said["operationId"] in page.ids
    for option in OPTIONS:
        assert f"<code>{option.name}</code>" in response.text
    for name in document["components"]["schemas"]:
        assert f"schema-{name}" in page.ids


async def test_the_page_loads_and_runs_nothing(api):
    response = await api.client.get("/docs")
    page = Page(response.text)
    assert not page.tags & {"script", "link", "img", "iframe", "object", "form"}
    assert {link for link in page.links if not link.startswith("#")} == {"/openapi.json"}
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert page.style == STYLE
