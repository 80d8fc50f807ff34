"""What an API server says when it refuses, and what no server would ever say."""

import json

# https://pkg.go.dev/k8s.io/apimachinery/pkg/apis/meta/v1#StatusReason
REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


def kubernetes_status(
    code: int, reason: str = "", message: str = "", retry_after: float | None = None
) -> dict[str, object]:
    """A `Status` object as the API server would send it with an error."""
    status: dict[str, object] = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message or f"fault proxy: refused with {code}",
        "reason": reason or REASONS.get(code, "Unknown"),
        "code": code,
    }
    if retry_after is not None:
        status["details"] = {"retryAfterSeconds": round(retry_after)}
    return status


def error_event(code: int) -> bytes:
    """One line of a watch: an ERROR event that carries a `Status`."""
    event = {"type": "ERROR", "object": kubernetes_status(code)}
    return json.dumps(event, separators=(",", ":")).encode() + b"\n"


def garble(body: bytes, style: str) -> bytes:
    """Break a body: cut in half, or turned into bytes that no JSON parser accepts."""
    if style == "truncated":
        return body[: len(body) // 2]
    return b'{"\xff\x00garbled' + body[::-1]
