"""What the demo's models say: which of them answers, for which credential, and something made of what was asked."""

import re

_CODE = re.compile(r"\b(?:code|python|function|script|program|snippet)\b", re.IGNORECASE)
_LIST = re.compile(r"\b(?:list|steps|how (?:do|can|to)|ideas|plan)\b", re.IGNORECASE)
_LONG = re.compile(r"\b(?:long|story|essay|detail(?:s|ed)?)\b", re.IGNORECASE)
_LONGEST_ECHO = 200


def answer_to(question: str, *, model: str, key_name: str, messages: int) -> str:
    """A short Markdown answer. Asked for code, a list or something long, it has a block, a list or several paragraphs."""
    said = " ".join(question.replace("`", "'").split())  # a backtick would end the code block early
    echo = said if len(said) <= _LONGEST_ECHO else f"{said[: _LONGEST_ECHO - 1]}…"
    parts = [f"**{model}** here; this answer was served with `{key_name}`.", f"You asked: “{echo}”"]
    if _CODE.search(said):
        parts.append(_code(said))
    if _LIST.search(said):
        parts.append(_list(said))
    if _LONG.search(said):
        parts += [_paragraph(n, echo) for n in range(1, 9)]
    parts.append(f"That was message {messages} of this conversation, {_counted(said)}.")
    return "\n\n".join(parts)


def _counted(said: str) -> str:
    words = len(said.split())
    return f"{words} word{'' if words == 1 else 's'} in {len(said)} character{'' if len(said) == 1 else 's'}"


def _code(said: str) -> str:
    return f"```python\nquestion = {said[:_LONGEST_ECHO]!r}\nfor word in question.split():\n    print(word[::-1], len(word))\n```"


def _list(said: str) -> str:
    longest = sorted(set(re.findall(r"\w{4,}", said.lower())), key=len, reverse=True)[:3]
    points = [f"Begin with *{word}*." for word in longest] or ["Begin anywhere."]
    return "\n".join(f"{n}. {point}" for n, point in enumerate([*points, "See `/model status` for who pays."], 1))


def _paragraph(number: int, echo: str) -> str:
    sentence = f"Paragraph {number} turns “{echo}” over once more and finds nothing that was not in it before. "
    return (sentence * 3).strip()
