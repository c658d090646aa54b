"""The application of a service: its routes over a provider, behind the API key."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.responses import JSONResponse, Response

from sre_core.secret import Secret
from sre_services import error_responses, openapi
from sre_services.auth import HEALTH_PATH, ApiKeyAuth

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


def build_app(api: Api, provider: object, key: Secret) -> FastAPI:
    """Build the application: the routes over `provider`, behind the key."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.state.provider = provider
    app.include_router(api.router)
    app.add_api_route(HEALTH_PATH, _health_route(api.name), methods=["GET"])
    app.add_api_route("/openapi.json", _document_route(api), methods=["GET"])
    error_responses.install_handlers(app)
    app.add_middleware(ApiKeyAuth, service=api.name, key=key)
    return app


def _health_route(name: str) -> Any:
    async def health() -> Response:
        return JSONResponse({"status": "ok", "service": name})

    return health


def _document_route(api: Api) -> Any:
    async def document() -> Response:
        return JSONResponse(api.document())

    return document
