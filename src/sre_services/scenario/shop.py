"""The shop: its services, what they call and what they run on."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

NAMESPACE = "shop"
END = datetime(2026, 11, 20, 10, 30, tzinfo=UTC)
RECORDED_SECONDS = 75 * 60
DAY = 86_400
REGISTRY = "registry.shop.example/shop"
NODES = ("ip-10-0-1-17.ec2.internal", "ip-10-0-2-42.ec2.internal", "ip-10-0-3-88.ec2.internal")
# Kubernetes leaves vowels and look-alikes out of generated names.
_SAFE = "bcdfghjklmnpqrstvwxz2456789"


@dataclass(frozen=True)
class Service:
    """A deployment of the shop at rest; `calls` are other services."""

    name: str
    version: str
    revision: int
    requests_per_second: float
    p50_ms: float
    memory_mib: int
    memory_limit_mib: int
    cpu_millicores: int
    runtime: str
    paths: tuple[str, ...]
    calls: tuple[str, ...] = ()
    database: str = ""
    replicas: int = 2
    age_days: float = 9
    strategy: str = "RollingUpdate"


SERVICES = (
    Service(
        "frontend", "5.31.0", 44, 42, 38, 190, 512, 160, "node", ("GET /", "GET /product/{id}", "GET /cart", "POST /checkout"),
        ("catalog-service", "cart-service", "checkout-service", "recommendation-service"), replicas=3, age_days=4,
    ),
    Service(
        "catalog-service", "2.14.3", 27, 30, 14, 236, 512, 120, "java", ("GET /products/{id}", "GET /products", "GET /categories"),
        ("inventory-service",), database="catalog-db", age_days=12,
    ),
    Service("cart-service", "1.19.2", 18, 18, 6, 96, 256, 55, "go", ("GET /carts/{id}", "POST /carts/{id}/items"), age_days=21),
    Service(
        "checkout-service", "3.8.1", 33, 7, 85, 148, 384, 70, "go", ("POST /orders", "GET /orders/{id}"),
        ("cart-service", "payment-service", "shipping-service", "inventory-service", "notification-service"), age_days=6,
    ),
    Service(
        "payment-service", "4.2.0", 11, 6, 46, 132, 384, 48, "go", ("POST /charges", "GET /charges/{id}"),
        database="payments-db", age_days=15, strategy="Recreate",
    ),
    Service("inventory-service", "2.6.5", 21, 22, 9, 158, 384, 80, "java", ("GET /stock/{id}", "POST /reservations"), database="catalog-db", age_days=18),
    Service("shipping-service", "1.12.4", 16, 6, 30, 104, 256, 35, "go", ("POST /quotes", "GET /shipments/{id}"), age_days=30),
    Service(
        "recommendation-service", "0.24.0", 52, 12, 52, 288, 640, 140, "python", ("GET /recommendations/{id}",), ("catalog-service",), age_days=0.125,
    ),
    Service("notification-service", "1.7.9", 14, 5, 11, 88, 256, 25, "python", ("POST /mails",), age_days=40),
)  # fmt: skip
BY_NAME = {service.name: service for service in SERVICES}
DATABASES = ("payments-db", "catalog-db", "redis")


def moment(seconds: float) -> datetime:
    """A time relative to the end of the recording, in seconds; negative is before."""
    return END + timedelta(seconds=seconds)


def stamp(seconds: float) -> str:
    """As Kubernetes writes times."""
    return moment(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def suffix(key: str, length: int) -> str:
    """The generated part of a name: the same for the same key."""
    number = int(hashlib.sha256(key.encode()).hexdigest(), 16)
    return "".join(_SAFE[number // len(_SAFE) ** place % len(_SAFE)] for place in range(length))


def chance(*key: object) -> random.Random:
    """Randomness of its own for each thing, so that a change to one leaves the others as they are."""
    return random.Random(":".join(map(str, ("shop", *key))))  # noqa: S311 - noise, not a secret


def host(service: str) -> str:
    """The address of a service inside the cluster."""
    return f"{service}.{NAMESPACE}.svc.cluster.local"
