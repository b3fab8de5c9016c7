"""What has been seen of the product: real ids, chains, tokens, to be asked with again.

Nothing here knows schemathesis, so that it is tested without it.
"""

import re
from collections import deque

ID = re.compile(r"([a-z]{3})_[0-9a-hjkmnp-tv-z]{26}")
# So many of a kind are remembered, the newest.
KEPT = 200
# What shows everything else: read once, before the first request.
LISTS = ("chains", "organizations", "vaults", "api-keys", "sessions", "transfers", "views")


class World:
    """Things by the prefix of their ids, each as it was last shown, and words by what they are for."""

    def __init__(self, own_key=""):
        # The key that asks: never among what is found, or it would be revoked.
        self.own_key = own_key
        self.things = {}
        self.words = {}
        self.chains = {}
        self.views = {}
        self.transfer_statuses = set()

    def look_around(self, get):
        """Reads every list; `get` takes a path and gives a body, or None where it is refused."""
        for name in LISTS:
            self.see(f"/v1/{name}", {}, get(f"/v1/{name}"))
        for account in list(self.things.get("acc", {})):
            self.see(f"/v1/accounts/{account}", {}, get(f"/v1/accounts/{account}"))

    def see(self, path, headers, body):
        """Learns from an answer. `path` is the operation's, headers have lists of values under lower-case names."""
        for command in headers.get("vaultstream-command", []):
            self.note("command", command)
        if path == "/v1/events":
            # Only words of these: an auditor reads everybody's, and what is not ours names nothing for us.
            page = body or {}
            self.note(f"cursor {path}", page.get("nextCursor"))
            for event in page.get("items", []):
                self.note("type", event.get("type"))
            return
        self._walk(path, body)

    def pick(self, prefix, dice, fits=lambda thing: True, newest=KEPT):
        """An id of this kind whose thing fits, one of the `newest`; else any of the kind, else None."""
        known = self.things.get(prefix, {})
        fitting = [id for id, thing in known.items() if fits(thing)][-newest:]
        return dice.choice(fitting or list(known) or [None])

    def forget_status(self, prefix, id):
        """What is known of it is out of date: it refused what its status would have allowed."""
        self.thing(prefix, id).pop("status", None)

    def thing(self, prefix, id):
        return self.things.get(prefix, {}).get(id, {})

    def word(self, what, dice):
        return dice.choice(self.words.get(what) or [None])

    def note(self, what, word):
        words = self.words.setdefault(what, deque(maxlen=KEPT))
        if isinstance(word, str) and word and word not in words:
            words.append(word)

    def _walk(self, path, value):
        if isinstance(value, list):
            # Lists show the newest first.
            for each in reversed(value):
                self._walk(path, each)
        elif isinstance(value, dict):
            self._meet(path, value)
            for each in value.values():
                self._walk(path, each)

    def _meet(self, path, thing):
        self.note("token", thing.get("token"))
        self.note("moment", thing.get("createdAt"))
        self.note(f"cursor {path}", thing.get("nextCursor"))
        if "slug" in thing and "assets" in thing:
            self.chains[thing["slug"]] = thing
        if "view" in thing and "family" in thing:
            self.views.setdefault(thing["view"], set()).add(thing["family"])
        id = thing.get("id")
        match = ID.fullmatch(id) if isinstance(id, str) else None
        if match is None or id == self.own_key:
            return
        if match[1] == "key":
            self.note("secret", thing.get("key"))
        if match[1] == "trf" and "status" in thing:
            self.transfer_statuses.add(thing["status"])
        known = self.things.setdefault(match[1], {})
        # At the end again: the newest are kept.
        known[id] = {**known.pop(id, {}), **thing}
        if len(known) > KEPT:
            del known[next(iter(known))]
