"""The texts of log lines: requests, routine messages, and failures that a story explains."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from sre_services.scenario.shop import Service, cluster_host
from sre_services.scenario.stories import CrashLoop, Story

_ROUTINE = {
    "frontend": (
        "INFO  session: 1204 active sessions",
        "INFO  assets: cache revalidated in {ms}ms",
        "ERROR http: client closed request after {ms}ms GET /",
    ),
    "catalog-service": (
        "INFO  search: index refreshed in {ms}ms, 18234 products",
        "INFO  gc: GC({n}) Pause Young 212M->148M(512M) 11.{n}ms",
    ),
    "cart-service": ("INFO  redis: pool 8 in use of 32", "INFO  carts: expired {n} abandoned carts"),
    "checkout-service": ("INFO  saga: {n} orders settled", "WARN  idempotency: key seen before, returning the stored order {id}"),
    "payment-service": (
        "INFO  settlement: batch {id} acknowledged by acquirer in {ms}ms",
        "WARN  acquirer: slow answer {ms}ms, below the limit of 2000ms",
    ),
    "inventory-service": ("INFO  stock: synchronised {n} warehouses", "INFO  gc: GC({n}) Pause Young 121M->88M(384M) 7.{n}ms"),
    "shipping-service": ("WARN  carrier: quote timed out after 800ms, used the cached rate", "INFO  rates: {n} carrier tables loaded"),
    "recommendation-service": ("INFO  model: {n} users warmed up in {ms}ms", "WARN  model: user {id} has no history, using bestsellers"),
    "notification-service": (
        "WARN  template: no template for locale=fi, using default",
        "WARN  template: no template for locale=pt, using default",
    ),
}


def routine_text(service: Service, random: Random) -> str:
    """Make a routine message, which has nothing to do with any incident."""
    text = random.choice(_ROUTINE[service.name])
    return text.format(ms=random.randrange(90, 480), n=random.randrange(3, 98), id=random.randrange(10_000, 99_999))


def request_text(service: Service, random: Random, slower: float) -> str:
    """Make the line of an answered request."""
    path, code = _path(service, random), 404 if random.random() < 0.012 else 200
    ms = service.p50_ms * slower * random.lognormvariate(0, 0.4)
    return f"INFO  http: {path} {code} {ms:.0f}ms trace={_trace(random)}"


def failure_texts(story: Story, service: Service, random: Random, t: float) -> Iterator[str]:
    """Make the lines of a failed request, with the cause as far as the service knows it."""
    trace = _trace(random)
    if isinstance(story, CrashLoop):
        yield from _without_payments(service, random, trace)
    elif service.name == "catalog-service":
        yield f"ERROR http: {_path(service, random)} 503 {random.randrange(2900, 3100)}ms worker queue full trace={trace}"
    else:
        yield f"ERROR client: GET http://{cluster_host('catalog-service')}:8080/products: EOF trace={trace}"
        yield f"WARN  http: {_path(service, random)} 503 {random.randrange(900, 2600)}ms trace={trace}"


def _without_payments(service: Service, random: Random, trace: str) -> Iterator[str]:
    if service.name == "checkout-service":
        refused = "dial tcp 10.100.44.17:8080: connect: connection refused"
        yield f"ERROR client: POST http://{cluster_host('payment-service')}:8080/charges: {refused} trace={trace}"
        yield f"ERROR saga: order {random.randrange(10_000, 99_999)} not placed: payment unavailable after 3 attempts trace={trace}"
    else:
        yield f"ERROR client: POST http://{cluster_host('checkout-service')}:8080/orders: status 503 trace={trace}"


def _path(service: Service, random: Random) -> str:
    return random.choice(service.paths).replace("{id}", str(random.randrange(100, 9_999)))


def _trace(random: Random) -> str:
    return f"{random.getrandbits(64):016x}"
