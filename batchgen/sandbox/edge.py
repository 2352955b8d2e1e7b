"""Pages that a service does not make itself: of Cloudflare, Vercel, nginx and a site that is not open yet."""

from .wire import Wire, page

_CLOUDFLARE = {
    520: "Web server is returning an unknown error",
    521: "Web server is down",
    522: "Connection timed out",
    523: "Origin is unreachable",
    524: "A timeout occurred",
    525: "SSL handshake failed",
    526: "Invalid SSL certificate",
}


def cloudflare(status: int) -> Wire:
    """An error page of Cloudflare's own, with its marks."""
    title = f"{status}: {_CLOUDFLARE.get(status, 'Error')}"
    headers = [("Server", "cloudflare"), ("CF-RAY", "9a1b2c3d4e5f6071-FRA"), ("cf-error-type", str(status))]
    answer = page(status, title, f"Error code {status}. Cloudflare Ray ID: 9a1b2c3d4e5f6071", headers)
    answer.phrase = _CLOUDFLARE.get(status, answer.phrase)
    return answer


def cloudflare_1010() -> Wire:
    """Cloudflare's refusal of a client that it takes for a robot: no word about the key."""
    headers = [("Server", "cloudflare"), ("CF-RAY", "9a1b2c3d4e5f6071-FRA"), ("cf-error-type", "1010")]
    return Wire(403, b"error code: 1010", headers, kind="text/plain; charset=UTF-8")


def vercel(status: int, code: str) -> Wire:
    """An error of Vercel's platform in plain text."""
    text = f"An error occurred with your deployment\n\n{code}\n\nfra1::abcde-1757169743000-0123456789ab\n"
    headers = [("Server", "Vercel"), ("x-vercel-id", "fra1::abcde-1757169743000"), ("x-vercel-error", code)]
    return Wire(status, text.encode(), headers, kind="text/plain; charset=utf-8")


def nginx(status: int, headers: list[tuple[str, str]] | None = None) -> Wire:
    """A proxy's page for `status`."""
    answer = page(status, "", "nginx", [("Server", "nginx"), *(headers or [])])
    answer.content = answer.content.replace(b"<title>", f"<title>{status} {answer.phrase}".encode())
    answer.content = answer.content.replace(b"<h1>", f"<h1>{status} {answer.phrase}".encode())
    return answer


def not_open() -> Wire:
    """The site's own 404 page: the endpoint is announced and not open."""
    return page(404, "Video Generation (Coming soon)", "This endpoint is not open yet.")
