"""Credentials for the API server: a kubeconfig, or the service account of the pod."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml
from kubernetes.aio import config as kube_config
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration

from akeso.errors import PermanentError
from akeso.settings import Settings

# What the loaders raise for a file that is absent, not YAML, or no kubeconfig.
_UNUSABLE = (
    kube_config.ConfigException,
    yaml.YAMLError,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we are, for a client of its own (kopf's). Paths are of files, `token` is a secret."""

    server: str
    ca_path: str | None
    certificate_path: str | None
    key_path: str | None
    token: str | None = field(repr=False)
    verify: bool


async def credentials(settings: Settings) -> Credentials:
    """Reads them anew: tokens rotate."""
    configuration: Any = await _configuration(settings)
    header = configuration.get_api_key_with_prefix("BearerToken")
    if asyncio.iscoroutine(header):
        header = await header
    # A kubeconfig's is "Bearer ...", a service account's "bearer ...".
    scheme, _, token = str(header or "").partition(" ")
    return Credentials(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        certificate_path=configuration.cert_file,
        key_path=configuration.key_file,
        token=token.strip() if scheme.lower() == "bearer" else None,
        verify=bool(configuration.verify_ssl),
    )


async def log_in(settings: Settings) -> ApiClient:
    """A client with credentials that were read now. PermanentError where there are none."""
    client = ApiClient(await _configuration(settings))
    client.user_agent = f"akeso/{_version()}"
    return client


async def _configuration(settings: Settings) -> Configuration:
    configuration = Configuration()
    loaders: Any = kube_config
    try:
        if settings.kubeconfig is None and "KUBERNETES_SERVICE_HOST" in os.environ:
            loaders.load_incluster_config(client_configuration=configuration)
        else:
            await loaders.load_kube_config(
                config_file=settings.kubeconfig,
                client_configuration=configuration,
                persist_config=False,
            )
    except _UNUSABLE as e:
        raise PermanentError(_complaint(settings, e)) from e
    return configuration


def _complaint(settings: Settings, error: Exception) -> str:
    """Which files were looked at, and what was wrong with them, in one line."""
    if settings.kubeconfig is None and "KUBERNETES_SERVICE_HOST" in os.environ:
        return f"No credentials for the API server: the pod's service account: {_line(error)}"
    asked = settings.kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
    files = [Path(name).expanduser() for name in asked.split(os.pathsep) if name]
    there = [str(file) for file in files if file.exists()]
    remedy = "Name one that is right with --kubeconfig, AKESO_KUBECONFIG or KUBECONFIG."
    if not there:
        missing = ", ".join(map(str, files))
        return f"No credentials for the API server: there is no {missing}. {remedy}"
    return (
        f"No credentials for the API server: kubeconfig {', '.join(there)} can't be used:"
        f" {_line(error)}. {remedy}"
    )


def _line(error: Exception) -> str:
    """What a foreign library says, without its line breaks; a wrong shape it says badly."""
    if isinstance(error, TypeError | AttributeError | LookupError):
        return "it is no kubeconfig"
    return " ".join(str(error).split()).rstrip(".")


def _version() -> str:
    try:
        return metadata.version("akeso")
    except metadata.PackageNotFoundError:  # run from a source tree
        return "0"
