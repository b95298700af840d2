"""The adapters, in the real frameworks."""

from __future__ import annotations

import base64
import io
import json

import django
import fastapi
import flask
import httpx
import pytest
from django.conf import settings
from django.http import JsonResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import path

from outrider.receiver import Claims, aws_lambda, wsgi
from outrider.receiver import django as django_adapter
from outrider.receiver import fastapi as fastapi_adapter
from outrider.receiver import flask as flask_adapter
from outrider.receiver.asgi import SignatureMiddleware

if not settings.configured:
    settings.configure(SECRET_KEY="for tests")
    django.setup()


def is_refusal(status, content_type, body):
    return status == 401 and content_type.startswith("application/json") and set(json.loads(body)) == {"error"}


class TestFastApi:
    @pytest.fixture
    def client(self, receiver, url):
        app = fastapi.FastAPI()
        verified = fastapi_adapter.require_signature(receiver, url=url)

        @app.post("/receive")
        async def receive(request: fastapi.Request, claims: Claims = fastapi.Depends(verified)):  # noqa: B008, FAST002
            return {"id": claims.id, "body": (await request.body()).decode()}

        @app.get("/fails")
        async def fail():
            raise fastapi.HTTPException(418, "teapot")

        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://inside")

    async def test_delivery_reaches_the_endpoint(self, client, headers, body):
        response = await client.post("/receive", content=body, headers=headers)

        assert response.json() == {"id": "jwt_1", "body": body.decode()}

    async def test_anything_else_is_401(self, client, bad_headers, body):
        response = await client.post("/receive", content=body, headers=bad_headers)

        assert is_refusal(response.status_code, response.headers["content-type"], response.content)

    async def test_other_errors_keep_their_form(self, client, body):
        await client.post("/receive", content=body)

        assert (await client.get("/fails")).json() == {"detail": "teapot"}


class TestFlask:
    @pytest.fixture
    def client(self, receiver, url):
        app = flask.Flask("receiver")

        @app.post("/receive/<name>")
        @flask_adapter.require_signature(receiver, url=url)
        def receive(name):
            return {"name": name, "body": flask.request.get_data(as_text=True), "b": flask.request.get_json()["b"]}

        return app.test_client()

    def test_delivery_reaches_the_view(self, client, headers, body):
        response = client.post("/receive/x", data=body, headers=headers)

        assert response.get_json() == {"name": "x", "body": body.decode(), "b": [1, 2]}

    def test_anything_else_is_401(self, client, bad_headers, body):
        response = client.post("/receive/x", data=body, headers=bad_headers)

        assert is_refusal(response.status_code, response.content_type, response.data)


class TestDjango:
    @pytest.fixture
    def routes(self, receiver, url):
        @django_adapter.require_signature(receiver, url=url)
        def receive(request, name):
            return JsonResponse({"name": name, "body": request.body.decode()})

        @django_adapter.require_signature(receiver, url=url)
        async def receive_async(request, name):
            return JsonResponse({"name": name, "body": request.body.decode()})

        urls = (path("sync/<name>", receive), path("async/<name>", receive_async))
        csrf = "django.middleware.csrf.CsrfViewMiddleware"
        with override_settings(ROOT_URLCONF=urls, ALLOWED_HOSTS=["*"], MIDDLEWARE=[csrf]):
            yield

    @pytest.mark.parametrize("kind", ["sync", "async"])
    def test_delivery_reaches_the_view_without_a_csrf_token(self, routes, headers, body, kind):
        client = Client(enforce_csrf_checks=True)

        response = client.post(f"/{kind}/x", body, content_type="application/json", headers=headers)

        assert response.json() == {"name": "x", "body": body.decode()}

    @pytest.mark.parametrize("kind", ["sync", "async"])
    def test_anything_else_is_401(self, routes, bad_headers, body, kind):
        response = Client().post(f"/{kind}/x", body, content_type="application/json", headers=bad_headers)

        assert is_refusal(response.status_code, response["Content-Type"], response.content)

    async def test_async_view_runs_in_an_async_server(self, routes, headers, body):
        response = await AsyncClient().post("/async/x", body, content_type="application/json", headers=headers)

        assert response.json() == {"name": "x", "body": body.decode()}


class TestLambda:
    @pytest.fixture
    def handler(self, receiver, url):
        @aws_lambda.require_signature(receiver, url=url)
        def handle(event, context):
            return {"statusCode": 200, "body": f"{context} {event['requestContext']}"}

        return handle

    def event(self, headers, body, *, version):
        plain = {"requestContext": "r", "headers": headers, "body": body.decode(), "isBase64Encoded": False}
        return {
            "1.0": plain,
            "2.0": plain | {"version": "2.0", "headers": {name.lower(): value for name, value in headers.items()}},
            "base64": plain | {"body": base64.b64encode(body).decode(), "isBase64Encoded": True},
            "lists": plain | {"headers": None, "multiValueHeaders": {name: [value] for name, value in headers.items()}},
        }[version]

    @pytest.mark.parametrize("version", ["1.0", "2.0", "base64", "lists"])
    def test_delivery_reaches_the_handler(self, handler, headers, body, version):
        assert handler(self.event(headers, body, version=version), "c") == {"statusCode": 200, "body": "c r"}

    @pytest.mark.parametrize("version", ["1.0", "2.0", "base64", "lists"])
    def test_anything_else_is_401(self, handler, bad_headers, body, version):
        answer = handler(self.event(bad_headers, body, version=version), "c")

        assert is_refusal(answer["statusCode"], answer["headers"]["Content-Type"], answer["body"])

    def test_event_without_body_is_an_empty_one(self, handler, signature_for):
        headers = {"upstash-signature": signature_for(body=b"")}

        assert handler({"requestContext": "r", "headers": headers, "body": None}, "c")["statusCode"] == 200

    def test_body_that_is_not_base64_is_refused(self, handler, headers):
        answer = handler({"headers": headers, "body": "é", "isBase64Encoded": True}, "c")

        assert is_refusal(answer["statusCode"], answer["headers"]["Content-Type"], answer["body"])


class TestAsgi:
    @pytest.fixture
    def client(self, receiver, url):
        async def app(scope, receive, send):
            message = await receive()
            assert not message["more_body"]
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": message["body"]})

        app = SignatureMiddleware(app, receiver, url=url, most_body_bytes=1000)
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://inside")

    async def test_delivery_reaches_the_application(self, client, headers, body):
        assert (await client.post("/", content=body, headers=headers)).content == body

    async def test_body_in_parts_is_put_together(self, client, headers, body):
        async def parts():
            for place in range(0, len(body), 3):
                yield body[place : place + 3]

        assert (await client.post("/", content=parts(), headers=headers)).content == body

    async def test_anything_else_is_401(self, client, bad_headers, body):
        response = await client.post("/", content=body, headers=bad_headers)

        assert is_refusal(response.status_code, response.headers["content-type"], response.content)

    async def test_large_body_is_413(self, client, headers):
        response = await client.post("/", content=b"x" * 1001, headers=headers)

        assert (response.status_code, response.json()) == (413, {"error": "the body is larger than 1000 bytes"})

    async def test_client_that_goes_away_reaches_nothing(self, receiver):
        called = []

        async def receive():
            return {"type": "http.disconnect"}

        async def call(*args):
            called.append(args)

        await SignatureMiddleware(call, receiver)({"type": "http", "headers": []}, receive, call)

        assert called == []

    async def test_other_protocols_pass(self, receiver):
        called = []

        async def app(scope, receive, send):
            called.append(scope["type"])

        await SignatureMiddleware(app, receiver)({"type": "lifespan"}, None, None)

        assert called == ["lifespan"]


class TestWsgi:
    @pytest.fixture
    def client(self, receiver, url):
        def app(environ, start_response):
            start_response("200 OK", [])
            return [environ["wsgi.input"].read()]

        app = wsgi.SignatureMiddleware(app, receiver, url=url, most_body_bytes=1000)
        return httpx.Client(transport=httpx.WSGITransport(app), base_url="http://inside")

    def test_delivery_reaches_the_application(self, client, headers, body):
        assert client.post("/", content=body, headers=headers).content == body

    def test_anything_else_is_401(self, client, bad_headers, body):
        response = client.post("/", content=body, headers=bad_headers)

        assert is_refusal(response.status_code, response.headers["content-type"], response.content)

    def test_large_body_is_413(self, client, headers):
        assert client.post("/", content=b"x" * 1001, headers=headers).status_code == 413

    @pytest.mark.parametrize("length", ["", "-1", "ten", "\u0661"])
    def test_body_of_unknown_length_is_not_read(self, receiver, headers, length):
        answers = []
        environ = {
            "wsgi.input": io.BytesIO(b"something"),
            "CONTENT_LENGTH": length,
            "HTTP_UPSTASH_SIGNATURE": headers["Upstash-Signature"],
        }

        body = wsgi.SignatureMiddleware(None, receiver)(environ, lambda status, _: answers.append(status))

        assert answers == ["401 Unauthorized"]
        assert "another body" in json.loads(b"".join(body))["error"]
