"""What schemathesis is told beside the description: what to ask with, what to check, what to write down.

It asks with real values where it can (`values.py`, of what `world.py` has seen), checks that each refusal is a problem, and
counts the answers of every operation into the file that `VAULTSTREAM_ANSWERS` names. It must not revoke its own key.
"""

import atexit
import json
import os
import random
import urllib.error
import urllib.request
from collections import Counter, defaultdict

import schemathesis

from values import aim, is_decision
from world import World

WORDS = ("type", "title", "code", "detail", "remedy", "requestId")
KEY = os.environ.get("VAULTSTREAM_KEY", "")
# `<key id>_<43 characters of secret>`
OWN_KEY = KEY[:-44]
NO_KEY = "key_06gywnjy01r010000000000008"

WORLD = World(OWN_KEY)
# Its own: Hypothesis sets the one that everybody shares back before every case.
DICE = random.Random(5)
ANSWERS = defaultdict(Counter)


def get(path):
    """A body of the product, None where it is refused."""
    request = urllib.request.Request(os.environ["VAULTSTREAM_URL"] + path, headers={"Authorization": f"Bearer {KEY}"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError:
        return None


def tell():
    told = {"answers": ANSWERS, "transfers": sorted(WORLD.transfer_statuses)}
    with open(os.environ["VAULTSTREAM_ANSWERS"], "w") as file:
        json.dump(told, file)


WORLD.look_around(get)
atexit.register(tell)


@schemathesis.hook
def before_call(ctx, case, kwargs):
    """Every request comes by here, whichever phase made it."""
    operation = case.operation
    containers = (operation.path_parameters, operation.query, operation.headers)
    aim(case, [[parameter.name for parameter in container] for container in containers], WORLD, DICE)
    # Keys are listed, so its own is found and would be revoked: everything after that would be a 401.
    if case.method.upper() == "DELETE" and case.path_parameters.get("id") == OWN_KEY:
        case.path_parameters["id"] = NO_KEY


@schemathesis.hook
def after_call(ctx, case, response):
    ANSWERS[f"{case.method.upper()} {case.path}"][response.status_code] += 1
    kind = response.headers.get("content-type", [""])[0]
    if response.status_code < 300 and kind.startswith("application/json"):
        WORLD.see(case.path, response.headers, response.json())
    if response.status_code == 409 and is_decision(case.path):
        WORLD.forget_status("trf", case.path_parameters.get("id"))


@schemathesis.check
def refusal_is_a_problem(ctx, response, case):
    if response.status_code < 400:
        return
    kind = response.headers.get("content-type", "")
    kind = kind[0] if isinstance(kind, list) else kind
    assert kind.startswith("application/problem+json"), f"{response.status_code} as {kind!r}"
    problem = response.json()
    missing = [word for word in WORDS if not problem.get(word)]
    assert not missing, f"{response.status_code} without {missing}: {problem}"
    assert problem["status"] == response.status_code, f"{response.status_code} that calls itself {problem['status']}"
