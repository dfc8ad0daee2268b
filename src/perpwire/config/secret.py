"""Secret: a word of the configuration that must not show."""

from __future__ import annotations


class Secret:
    """Holds a text; neither repr, str nor a pickle shows it. Empty: there is none."""

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Secret(***)" if self._text else "Secret()"

    def __reduce__(self) -> str:
        raise TypeError("secrets are not pickled: read them again where they are needed")
