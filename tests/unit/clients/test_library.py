"""Only what is used of the Kubernetes library is loaded, and the rest is there for who asks."""

from __future__ import annotations

import subprocess
import sys

LAZILY = "from akeso.clients.kubernetes.library import load_lazily; load_lazily(); import sys\n"


def said(code: str) -> str:
    environment = {"PYTHONPATH": ":".join(sys.path)}
    command = [sys.executable, "-c", LAZILY + code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_connection_loads_no_synchronous_client():
    code = (
        "import akeso.clients.kubernetes.connection\n"
        "print([m for m in ('requests', 'oauthlib', 'websocket') if m in sys.modules])"
    )
    assert said(code) == "[]"


def test_whoever_asks_for_the_rest_gets_it():
    code = (
        "from kubernetes import config\nimport kubernetes, kubernetes.client\n"
        "print(config.load_kube_config.__name__, kubernetes.client.V1Pod.__name__,"
        " hasattr(kubernetes, 'nothing'))"
    )
    assert said(code) == "load_kube_config V1Pod False"


def test_a_package_that_is_loaded_already_stays():
    code = "before = sys.modules['kubernetes']; load_lazily(); print(before is sys.modules['kubernetes'])"
    assert said(code) == "True"
