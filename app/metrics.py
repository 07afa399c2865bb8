"""What the page reports to Prometheus at /metrics, and who may read it; Streamlit's own metrics have the same guard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from app.api import get_store
from engine.operate import metrics
from engine.settings import read_text

STREAMLIT = "_stcore/metrics"
"""Streamlit's route, which answers everybody and walks the state of all sessions."""
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via")
"""What proxies add: a request with one of these did not begin on this machine."""

requests = metrics.RequestCollector()
registry = metrics.make_registry(requests, metrics.StoreCollector(get_store))


def is_guarded(path: str) -> bool:
    """Whether a path is one of metrics."""
    return STREAMLIT in path or path.rstrip("/") == "/metrics"


def is_allowed(scope: Mapping[str, Any]) -> bool:
    """Whether a request may read metrics: it sends LAB_METRICS_TOKEN, or where there is none it comes from this machine, by no proxy.

    Raises BadInput where LAB_METRICS_TOKEN_FILE cannot be read.
    """
    sent = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    client = scope.get("client") or ("",)
    near = metrics.is_loopback(str(client[0])) and metrics.is_loopback(sent.get("host", ""))
    near = near and not any(name in sent for name in _FORWARDED)
    return metrics.is_allowed(read_text(metrics.TOKEN), sent.get("authorization", ""), near=near)


def name_route(path: str) -> str:
    """The label of a path: `api`, `metrics`, `page` (what Streamlit serves a browser), or `other`."""
    if "/api/" in path:
        return "api"
    if is_guarded(path):
        return "metrics"
    return "page" if path.count("/") == 1 or "/static/" in path or "/_stcore/" in path else "other"


def report_metrics(request: Request) -> Response:
    """GET /metrics. Runs on a worker thread, since it reads the store."""
    body, kind = metrics.write_metrics(registry, request.headers.get("accept", ""))
    return Response(body, 200, {"Cache-Control": "no-store", "Content-Type": kind})


def refuse() -> Response:
    """The answer to who may not read metrics."""
    return PlainTextResponse(metrics.REFUSED, 403, {"Cache-Control": "no-store"})
