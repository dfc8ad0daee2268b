"""Whose door a key was refused at: most keys that are refused belong to another environment, or another host."""

from __future__ import annotations

from urllib.parse import urlsplit

from perpwire.credentials import Credentials
from perpwire.errors import APIError
from perpwire.venues.base import Control, Hosts, Venue


def origin(address: str) -> str:
    """Scheme, host and port of a URL: what follows may be a listen key or a signature."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def at_door(error: APIError, hosts: Hosts, address: str) -> None:
    """Say in the advice which environment and host it was."""
    door = f"environment {hosts.env!r} at {origin(address)}"
    if door not in error.advice:
        error.advice = f"{error.advice} It was refused by {door}."


def refused_login(
    control: Control, name: str, venue: Venue, hosts: Hosts, address: str, credentials: Credentials
) -> APIError:
    """What a socket's login came to that the venue refused; `name` is the connection's."""
    error = venue.login_refusal(control.code, control.text)
    error.redact(credentials.redact)
    error.redact(lambda words: f"{name} refused the login: {words or 'no reason given'}")
    at_door(error, hosts, address)
    return error
