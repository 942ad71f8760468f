"""The page at `/` for people who open the server's address in a browser. It is the same for everybody.

It has no script, and its policy lets the browser load nothing. It shows nothing of the registry, not even a version.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from moorage.http.messages import Headers, Request, Response

_STYLE: Final = """
body { margin: 4rem auto; max-width: 40rem; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif; }
code { font-size: 0.95em; }
pre { overflow-x: auto; padding: 0.75rem 1rem; border: 1px solid; }
:root { color-scheme: light dark; }
"""

_PAGE: Final = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Moorage</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>Moorage</h1>
<p>This server is up. It is a container registry that serves the API of Amazon ECR to AWS clients, and the OCI
distribution protocol to docker, podman and other clients.</p>
<p><a href="/console/">Open the console</a> to see its repositories and images.</p>
<h2>Use it</h2>
<p>URL is the address of this page. HOST is the same without <code>http://</code> or <code>https://</code>. The operator
of this server creates access keys.</p>
<pre>export AWS_ENDPOINT_URL_ECR=URL
aws ecr get-login-password | docker login --username AWS --password-stdin HOST
docker push HOST/REPOSITORY:TAG</pre>
<h2>Documentation</h2>
<ul>
<li>Moorage: <code>README.md</code> and the folder <code>docs</code> of its source;
<code>moorage --help</code> for operators</li>
<li><a href="https://docs.aws.amazon.com/AmazonECR/latest/APIReference/Welcome.html">API reference of Amazon
ECR</a></li>
<li><a href="https://github.com/opencontainers/distribution-spec/blob/main/spec.md">OCI distribution
specification</a></li>
</ul>
</body>
</html>
"""


def _policy() -> bytes:
    """The Content-Security-Policy: nothing but the style above, by its hash."""
    style = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ).encode()


_BODY: Final = _PAGE.encode()
_HEADERS: Final[Headers] = [
    (b"content-type", b"text/html; charset=utf-8"),
    (b"content-length", b"%d" % len(_BODY)),
    (b"content-security-policy", _policy()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),  # It says that the server is up.
]


def is_wanted(request: Request) -> bool:
    """Whether a browser requests the page. AWS clients and curl do not accept HTML by name."""
    if request.method not in {"GET", "HEAD"} or request.path != "/":
        return False
    accepted = [_media_range(text) for text in (request.header(b"accept") or "").split(",")]
    return ("text/html", True) in accepted


def page() -> Response:
    """The page."""
    return Response(200, list(_HEADERS), _BODY)


def _media_range(text: str) -> tuple[str, bool]:
    """A media range of an Accept header, and whether it is accepted: `q=0` means that it is not (RFC 9110, 12.4.2)."""
    name, *parameters = (part.strip().lower() for part in text.split(";"))
    weights = [value for key, _, value in (part.partition("=") for part in parameters) if key.strip() == "q"]
    return name, all(value.strip().strip("0.") for value in weights)
