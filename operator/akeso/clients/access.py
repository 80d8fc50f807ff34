"""How Prometheus and Alertmanager are reached: TLS, credentials and tenant, as people have them.

Files are read when they are used, so that what rotates them needs nobody else. No secret is in any
text: what is wrong with a file is said by its path.
"""

from __future__ import annotations

import base64
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from akeso.errors import TransientError, UnreachedError
from akeso.settings import Settings
from akeso.settings.names import key_of

LARGEST_SECRET = 64 * 2**10  # bytes of a token or password file; tokens have a few KiB


@dataclass(slots=True)
class Access:
    """One server. `what` is its name in sentences and, in lower case, the prefix of its settings."""

    what: str
    url: str
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None
    token_file: str | None = None
    username: str | None = None
    password_file: str | None = None
    tenant: str | None = None
    _context: ssl.SSLContext | None = field(default=None, repr=False)
    _made_from: tuple[object, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, what: str, url: str, settings: Settings) -> Access:
        def setting(name: str) -> str | None:
            found: str | None = getattr(settings, f"{what.lower()}_{name}", None)
            return found

        return cls(
            what,
            url.rstrip("/"),
            ca_file=setting("ca_file"),
            certificate_file=setting("client_certificate_file"),
            key_file=setting("client_key_file"),
            token_file=setting("token_file"),
            username=setting("username"),
            password_file=setting("password_file"),
            tenant=setting("tenant"),
        )

    def key(self, name: str) -> str:
        """A setting of this server as people set it."""
        return key_of(f"{self.what.lower()}_{name}")

    @property
    def host(self) -> str:
        """Host and port, which may be told."""
        return urlsplit(self.url).netloc.rpartition("@")[2]

    def headers(self) -> Mapping[str, str]:
        """Credentials and tenant as they are now. TransientError where a file is not as it must be."""
        found: dict[str, str] = {}
        if self.token_file is not None:
            found["Authorization"] = f"Bearer {self._secret('token_file', self.token_file)}"
        if self.username is not None and self.password_file is not None:
            login = f"{self.username}:{self._secret('password_file', self.password_file)}"
            found["Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
        if self.tenant is not None:
            found["X-Scope-OrgID"] = self.tenant
        return found

    def context(self) -> ssl.SSLContext | bool:
        """TLS for aiohttp, made anew when a file has changed; True: the system's own."""
        files = (self.ca_file, self.certificate_file, self.key_file)
        if not any(files):
            return True
        stamps = tuple(self._stamp(file) for file in files)
        if self._context is None or stamps != self._made_from:
            self._context, self._made_from = self._new_context(), stamps
        return self._context

    def stamps(self) -> tuple[object, ...]:
        """Another value when one of the files has changed."""
        files = (self.ca_file, self.certificate_file, self.key_file)
        return tuple(map(self._stamp, (*files, self.token_file, self.password_file)))

    def authorities(self) -> str | bool:
        """What requests verifies with, the same as aiohttp: a file, or a folder."""
        paths = ssl.get_default_verify_paths()
        return self.ca_file or paths.cafile or paths.capath or True

    def certificate(self) -> tuple[str, str] | None:
        """What requests shows of itself."""
        if self.certificate_file is None or self.key_file is None:
            return None
        return self.certificate_file, self.key_file

    def _new_context(self) -> ssl.SSLContext:
        name, file = "ca_file", self.ca_file
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            name, file = "client_certificate_file", self.certificate_file
            if self.certificate_file is not None:
                context.load_cert_chain(self.certificate_file, self.key_file)
        except (OSError, ValueError) as e:  # of which ssl.SSLError is one
            why = e.strerror if isinstance(e, OSError) and e.strerror else type(e).__name__
            raise TransientError(
                f"{self.what} is not asked: {file} can't be used ({why}); correct"
                f" {self.key(name)}: it must hold certificates in PEM"
                f"{' and fit its key' if name != 'ca_file' else ''}."
            ) from None
        return context

    def _stamp(self, file: str | None) -> object:
        if file is None:
            return None
        try:
            found = Path(file).stat()
        except OSError:
            return "gone"
        return found.st_mtime_ns, found.st_ino, found.st_size

    def _secret(self, name: str, file: str) -> str:
        try:
            with Path(file).open("rb") as opened:
                raw = opened.read(LARGEST_SECRET + 1)
            text = raw.decode("ascii" if name == "token_file" else "utf-8").strip()
        except OSError as e:
            raise self._no_secret(
                name, file, f"can't be read: {e.strerror or 'no access'}"
            ) from None
        except UnicodeDecodeError:
            raise self._no_secret(name, file, "is no plain text") from None
        if len(raw) > LARGEST_SECRET:
            raise self._no_secret(name, file, "is larger than any secret")
        if not text or not text.isprintable() or (name == "token_file" and " " in text):
            raise self._no_secret(name, file, "must hold one line, the secret itself")
        return text

    def _no_secret(self, name: str, file: str, why: str) -> TransientError:
        return TransientError(
            f"{self.what} is not asked: {file} {why}; correct the file, or {self.key(name)}."
        )

    def unreached(self, error: Exception) -> UnreachedError:
        """What keeps a connection from coming about, and what to do. Foreign errors quote URLs, of
        which only the host is told."""
        return UnreachedError(f"{self.what} at {self.host} cannot be reached: {self._why(error)}")

    def _why(self, error: Exception) -> str:
        said = _chain(error)
        if isinstance(error, aiohttp.ClientConnectorDNSError) or _any(said, *_NO_NAME):
            return f"its name is not known; correct {self.key('url')}."
        if _any(said, "certificate verify failed", "certificateerror"):
            reason = _between(said, "certificate verify failed: ", " (")
            return (
                f"its certificate does not verify{f' ({reason})' if reason else ''}; set"
                f" {self.key('ca_file')} to the CA that signed it, or correct {self.key('url')}."
            )
        if _any(said, "certificate required", "bad certificate", "unknown ca"):
            return (
                f"it wants another client certificate; see {self.key('client_certificate_file')}."
            )
        if _any(said, "wrong version number", "record layer failure", "http request"):
            return f"it does not speak TLS; correct {self.key('url')} (http:// or https://)."
        if _any(said, "connection refused", "connect call failed"):
            return f"nothing listens there; correct {self.key('url')}, or see why it is down."
        if isinstance(error, OSError) and error.strerror and "http" not in error.strerror:
            return f"{error.strerror}."
        return f"the connection failed ({type(error).__name__})."

    def refusal(self, status: int) -> UnreachedError | None:
        """What an answer's status means that is none of an API's own; None: read on."""
        if status == 401:
            chosen = [k for k in ("token_file", "username") if getattr(self, k) is not None]
            what = f"check {self.key(chosen[0])}" if chosen else f"set {self.key('token_file')}"
            also = "" if chosen else f", or {self.key('username')} and {self.key('password_file')}"
            return self._refused(status, f"it does not accept these credentials; {what}{also}.")
        if status == 403:
            what = f"; see what it may read, and {self.key('tenant')}"
            return self._refused(status, f"this account may not read it{what}.")
        if status == 404:
            what = f"correct {self.key('url')}, with the path prefix if it has one"
            return self._refused(status, f"no such API is there; {what}.")
        if 300 <= status < 400:
            what = f"set {self.key('url')} to the final URL"
            return self._refused(status, f"it redirects, which is not followed; {what}.")
        return None

    def no_json(self, status: int) -> TransientError:
        """An answer that is a page, as of a login or of another server."""
        if status == 200:
            what = f"is {self.key('url')} the URL of {self.what}, with its path prefix?"
            return self._refused(status, f"the answer is no JSON but a page; {what}")
        return TransientError(f"{self.what} answered HTTP {status} without JSON.")

    def _refused(self, status: int, said: str) -> UnreachedError:
        return UnreachedError(f"{self.what} at {self.host} answered HTTP {status}: {said}")


_NO_NAME = (
    "name or service not known",
    "nodename nor servname",
    "no address associated",
    "name resolution",
    "getaddrinfo failed",
)


def _chain(error: BaseException | None) -> str:
    """All that an error and its causes say, to be searched and not to be told."""
    said: list[str] = []
    while error is not None and len(said) < 8:
        said.append(f"{type(error).__name__} {error}")
        error = error.__cause__ or error.__context__
    return " ".join(said).lower()


def _any(said: str, *parts: str) -> bool:
    return any(part in said for part in parts)


def _between(said: str, before: str, after: str) -> str:
    """OpenSSL's own words for a certificate that does not verify: they name no secret."""
    return said.partition(before)[2].partition(after)[0][:80]
