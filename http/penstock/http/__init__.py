"""Penstock's HTTP front end: submit jobs, watch them and end them from any language."""

from penstock.http.app import create_app
from penstock.http.health import MetricsRenderer
from penstock.http.limits import HttpLimits
from penstock.http.server import serve
from penstock.http.token_book import TokenBook
from penstock.http.tokens import Token

__all__ = ["HttpLimits", "MetricsRenderer", "Token", "TokenBook", "create_app", "serve"]
