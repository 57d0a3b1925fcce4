"""A person's browser during a login, whose authorization server asks nothing."""

from urllib.parse import parse_qsl, urlsplit

import httpx2

REDIRECT_URI = "http://localhost:3000/callback"


async def consent(url: str) -> dict[str, str]:
    """Returns the parameters that the browser brings back. Raises RuntimeError if it is not sent back."""
    async with httpx2.AsyncClient() as browser:
        response = await browser.get(url)
    if not response.is_redirect:
        raise RuntimeError(f"The authorization server answered {response.status_code}.")
    return dict(parse_qsl(urlsplit(response.headers["location"]).query))
