"""Verification for applications: whether a request is a delivery of ours.

An adapter for each framework stands in a file of its own and alone imports that framework:
`fastapi`, `flask`, `django`, `aws_lambda`, `asgi`, `wsgi`. All else is the standard library.
"""

from outrider.receiver.receiver import SIGNATURE_HEADER, MissingSigningKey, Receiver
from outrider.signing import Claims, InvalidSignature

__all__ = ["SIGNATURE_HEADER", "Claims", "InvalidSignature", "MissingSigningKey", "Receiver"]
