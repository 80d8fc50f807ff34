"""What the demo calls things, and how long it lets them take."""

from __future__ import annotations

NAMESPACE = "akeso-demo"
SYSTEM = "akeso-demo-system"  # the operator's own; no other installation is disturbed
OPERATOR_USER = f"system:serviceaccount:{SYSTEM}:akeso-operator"

LEAKY = "leaky"
TWIN = "leaky-twin"
CHECKOUT = "checkout"
HEALTHY = "healthy"
POLICY = "demo"

MATCHERS = 'job="kubelet-resource"'  # of the two endpoints that have memory

GOOD, BAD, NEXT = "v1", "v2", "v3"
BAD_ERROR_RATIO = "0.8"

# Times that fit a leak of three minutes and a scrape every 5 s. A real installation keeps the
# defaults, which are made for leaks of hours.
OPERATOR_SETTINGS = {
    "cycle_seconds": "5",
    "revision_healthy_seconds": "20",
    "rollout_unready_seconds": "20",
    "listen_host": "127.0.0.1",
    "listen_port": "0",
}


def users_of(name: str) -> str:
    """The load generator that plays a service's users."""
    return f"{name}-users"
