"""Verification for applications: whether a request is a delivery of ours.

An adapter for each framework stands in a file of its own and alone imports that framework:
`fastapi`, `flask`, `django`, `aws_lambda`, `asgi`, `wsgi`. All else is the standard library.

These verify the JWT in `Upstash-Signature`, which every delivery carries. Deliveries that are signed
by Standard Webhooks as well can be verified with any library of that standard, or with
`verify_webhook` of this package; `GET /v2/keys` answers the secrets as `standardWebhooksSecrets`.
"""

from outrider.receiver.receiver import SIGNATURE_HEADER, MissingSigningKey, Receiver
from outrider.signing import Claims, InvalidSignature, verify_webhook

__all__ = ["SIGNATURE_HEADER", "Claims", "InvalidSignature", "MissingSigningKey", "Receiver", "verify_webhook"]
