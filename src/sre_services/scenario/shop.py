"""The shop: its services with their calls, and its nodes."""

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


@dataclass(frozen=True, kw_only=True)
class Service:
    """A deployment of the shop on a healthy day; `calls` are other services."""

    name: str
    version: str
    revision: int
    runtime: str
    requests_per_second: float
    p50_ms: float
    memory_mib: int
    memory_limit_mib: int
    cpu_millicores: int
    paths: tuple[str, ...]
    calls: tuple[str, ...] = ()
    database: str = ""
    replicas: int = 2
    age_days: float
    strategy: str = "RollingUpdate"


SERVICES = (
    Service(
        name="frontend",
        version="5.31.0",
        revision=44,
        runtime="node",
        requests_per_second=42,
        p50_ms=38,
        memory_mib=190,
        memory_limit_mib=512,
        cpu_millicores=160,
        paths=("GET /", "GET /product/{id}", "GET /cart", "POST /checkout"),
        calls=("catalog-service", "cart-service", "checkout-service", "recommendation-service"),
        replicas=3,
        age_days=4,
    ),
    Service(
        name="catalog-service",
        version="2.14.3",
        revision=27,
        runtime="java",
        requests_per_second=30,
        p50_ms=14,
        memory_mib=236,
        memory_limit_mib=512,
        cpu_millicores=120,
        paths=("GET /products/{id}", "GET /products", "GET /categories"),
        calls=("inventory-service",),
        database="catalog-db",
        age_days=12,
    ),
    Service(
        name="cart-service",
        version="1.19.2",
        revision=18,
        runtime="go",
        requests_per_second=18,
        p50_ms=6,
        memory_mib=96,
        memory_limit_mib=256,
        cpu_millicores=55,
        paths=("GET /carts/{id}", "POST /carts/{id}/items"),
        age_days=21,
    ),
    Service(
        name="checkout-service",
        version="3.8.1",
        revision=33,
        runtime="go",
        requests_per_second=7,
        p50_ms=85,
        memory_mib=148,
        memory_limit_mib=384,
        cpu_millicores=70,
        paths=("POST /orders", "GET /orders/{id}"),
        calls=("cart-service", "payment-service", "shipping-service", "inventory-service", "notification-service"),
        age_days=6,
    ),
    Service(
        name="payment-service",
        version="4.2.0",
        revision=11,
        runtime="go",
        requests_per_second=6,
        p50_ms=46,
        memory_mib=132,
        memory_limit_mib=384,
        cpu_millicores=48,
        paths=("POST /charges", "GET /charges/{id}"),
        database="payments-db",
        age_days=15,
        strategy="Recreate",
    ),
    Service(
        name="inventory-service",
        version="2.6.5",
        revision=21,
        runtime="java",
        requests_per_second=22,
        p50_ms=9,
        memory_mib=158,
        memory_limit_mib=384,
        cpu_millicores=80,
        paths=("GET /stock/{id}", "POST /reservations"),
        database="catalog-db",
        age_days=18,
    ),
    Service(
        name="shipping-service",
        version="1.12.4",
        revision=16,
        runtime="go",
        requests_per_second=6,
        p50_ms=30,
        memory_mib=104,
        memory_limit_mib=256,
        cpu_millicores=35,
        paths=("POST /quotes", "GET /shipments/{id}"),
        age_days=30,
    ),
    Service(
        name="recommendation-service",
        version="0.24.0",
        revision=52,
        runtime="python",
        requests_per_second=12,
        p50_ms=52,
        memory_mib=288,
        memory_limit_mib=640,
        cpu_millicores=140,
        paths=("GET /recommendations/{id}",),
        calls=("catalog-service",),
        age_days=0.125,
    ),
    Service(
        name="notification-service",
        version="1.7.9",
        revision=14,
        runtime="python",
        requests_per_second=5,
        p50_ms=11,
        memory_mib=88,
        memory_limit_mib=256,
        cpu_millicores=25,
        paths=("POST /mails",),
        age_days=40,
    ),
)
BY_NAME = {service.name: service for service in SERVICES}
DATABASES = ("payments-db", "catalog-db", "redis")


def to_datetime(seconds: float) -> datetime:
    """Convert seconds relative to the end of the recording; negative is before."""
    return END + timedelta(seconds=seconds)


def format_time(seconds: float) -> str:
    """Format a time as Kubernetes does."""
    return to_datetime(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def generate_suffix(key: str, length: int) -> str:
    """Generate the end of a name: the same for the same key."""
    number = int(hashlib.sha256(key.encode()).hexdigest(), 16)
    return "".join(_SAFE[number // len(_SAFE) ** place % len(_SAFE)] for place in range(length))


def seeded_random(*key: object) -> random.Random:
    """Create a random generator for one purpose, so that a change to one leaves the others as they are."""
    return random.Random(":".join(map(str, ("shop", *key))))  # noqa: S311 - noise, not a secret


def cluster_host(service: str) -> str:
    """Return the host name of a service inside the cluster."""
    return f"{service}.{NAMESPACE}.svc.cluster.local"
