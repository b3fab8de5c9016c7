"""What schemathesis checks beside its own, and what it must not do: revoke the key it asks with."""

import os

import schemathesis

WORDS = ("type", "title", "code", "detail", "remedy", "requestId")
# `<key id>_<43 characters of secret>`
OWN_KEY = os.environ.get("VAULTSTREAM_KEY", "")[:-44]
NO_KEY = "key_06gywnjy01r010000000000008"


@schemathesis.hook
def before_call(ctx, case, kwargs):
    """Keys are listed, so its own is found and would be revoked: everything after that would be a 401."""
    parameters = case.path_parameters
    if parameters and case.method.upper() == "DELETE" and parameters.get("id") == OWN_KEY:
        parameters["id"] = NO_KEY


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
