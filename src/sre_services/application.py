"""The application of a service: its routes over a provider, behind the API key."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.responses import JSONResponse, Response

from sre_core import tracing
from sre_core.problem import Problem
from sre_core.secret import Secret
from sre_services import error_responses, openapi
from sre_services.at_once import MOST_AT_ONCE, LimitAtOnce
from sre_services.auth import HEALTH_PATH, ApiKeyAuth, KeyFile
from sre_services.providers import check_sources
from sre_services.sources.health import remember_checks
from sre_services.traced import Traced

TITLES = {
    "kubernetes": "Kubernetes: the state of pods, deployments, nodes, and recent events",
    "logs": "Logs: records of the services, searched, counted and grouped",
    "metrics": "Metrics: latency, errors, resources, availability and trends of services",
    "runbooks": "Runbooks: what to do about incidents, and whom to inform",
}
NAMES = tuple(TITLES)


@dataclass(frozen=True)
class Api:
    """The routes of a service, without a provider."""

    name: str
    router: APIRouter

    @classmethod
    def of(cls, name: str) -> Api:
        """Import the routes of this service only: four services start at the same time on two cores."""
        return cls(name, import_module(f"sre_services.{name}.routes").router)

    def document(self) -> dict[str, Any]:
        """Build the OpenAPI document of its operations."""
        return openapi.build_document(TITLES[self.name], self.router.routes)


def build_app(api: Api, provider: object, key: Secret | KeyFile) -> FastAPI:
    """Build the application: the routes over `provider`, behind the key."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.state.provider, app.state.name = provider, api.name
    app.include_router(api.router)
    app.add_api_route(HEALTH_PATH, _health_route(api.name, provider), methods=["GET"])
    app.add_api_route("/openapi.json", _document_route(api), methods=["GET"])
    error_responses.install_handlers(app)
    if tracing.is_on():
        # Innermost: a stranger's request begins no step.
        app.add_middleware(Traced)
    app.add_middleware(LimitAtOnce, most=MOST_AT_ONCE, free=HEALTH_PATH)
    app.add_middleware(ApiKeyAuth, service=api.name, key=key)
    return app


def _health_route(name: str, provider: object) -> Any:
    check = remember_checks(lambda: check_sources(provider))

    def health() -> Response:
        """Answer 200 while the process works: a source that is out of reach is no reason to start it again.

        The path needs no API key, so no address of a source is in it; the service's log has it.
        """
        found = check()
        sources = {"sources": {source: _describe_state(problem) for source, problem in found.items()}} if found else {}
        traces = {"traces": tracing.state()} if tracing.is_on() else {}
        return JSONResponse({"status": "degraded" if any(found.values()) else "ok", "service": name, **sources, **traces})

    return health


def _describe_state(problem: Problem | None) -> dict[str, str]:
    return {"status": "failed", "code": problem.code, **problem.context} if problem else {"status": "ok"}


def _document_route(api: Api) -> Any:
    async def document() -> Response:
        return JSONResponse(api.document())

    return document
