"""Reads docs/api.md: the examples of each section, and what the page says they print."""

import json
import pathlib
import re

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/api.md"
# What an example writes for an id that the ones before it have printed, such as `file-...`.
PREFIXES = ("file-", "batch_", "upload_", "part_")
LANGUAGES = ("sh", "python")


class Example:
    """A block that can be run, and the block behind it that says what it prints; None: it says nothing."""

    def __init__(self, section, line, language, code):
        self.section, self.line, self.language, self.code = section, line, language, code
        self.prints = None


def examples(text):
    """All of the page, in order."""
    found, section, block = [], "", None
    for number, line in enumerate(text.splitlines(), 1):
        if block is None and (heading := re.fullmatch(r"#+ (.*)", line)):
            section = heading[1]
        elif block is None and (fence := re.fullmatch(r"```(\w+)", line)):
            block = Example(section, number, fence[1], "")
        elif block is not None and line == "```":
            if block.language in LANGUAGES:
                found.append(block)
            elif block.language in ("json", "text") and found and found[-1].section == section:
                found[-1].prints = block.code
            block = None
        elif block is not None:
            block.code += line + "\n"
    return found


def filled(code, ids):
    """The code with each `file-...` replaced by the last id of its kind."""
    for prefix, name in ids.items():
        code = code.replace(prefix + "...", name)
    left = [prefix for prefix in PREFIXES if prefix + "..." in code]
    if left:
        raise AssertionError(f"no example before has printed an id {left[0]}...")
    return code


def note_ids(printed, ids):
    """Remembers the last id of each kind that what an example has printed has as its `id`."""
    for prefix in PREFIXES:
        for name in re.findall(rf'"id": *"({prefix}[0-9a-f]{{16,}})"', printed):
            ids[prefix] = name


def difference(wanted, printed):
    """How what was printed is not what the page says; None when it is.

    JSON may have more keys than the page shows, and the times of another moment; `...` in a text stands for anything.
    """
    try:
        wanted = json.loads(wanted)
    except ValueError:
        return None if matches(wanted.strip(), printed.strip()) else f"printed {printed!r}, not {wanted!r}"
    try:
        found = json.loads(printed)
    except ValueError:
        return f"no JSON: {printed!r}"
    return json_difference(wanted, found, "$")


def matches(pattern, text):
    return re.fullmatch(".*".join(map(re.escape, pattern.split("..."))), text, re.DOTALL) is not None


def json_difference(wanted, found, path):
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key, value in wanted.items():
            if key not in found:
                return f"{path}.{key} is not there"
            is_time = key.endswith("_at") or key == "created"
            if is_time and type(value) is int and type(found[key]) is int:
                continue
            if different := json_difference(value, found[key], f"{path}.{key}"):
                return different
        return None
    if isinstance(wanted, list) and isinstance(found, list):
        if len(wanted) > len(found):
            return f"{path} has {len(found)} elements, not {len(wanted)}"
        differences = (json_difference(w, f, f"{path}[{n}]") for n, (w, f) in enumerate(zip(wanted, found)))
        return next(filter(None, differences), None)
    if isinstance(wanted, str) and isinstance(found, str) and matches(wanted, found):
        return None
    return None if wanted == found and type(wanted) is type(found) else f"{path} is {found!r}, not {wanted!r}"
