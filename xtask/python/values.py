"""Real values for a request: ids that exist, addresses with money behind them, bodies that can be carried out.

The description calls an id a string, so what is made of it alone names nothing and is refused at the door. A part of the
requests stays as it was made, all of it; a part gets real parameters around a made-up body; most get both.

Nothing here knows schemathesis, so that it is tested without it.
"""

# Of a hundred requests, so many stay as they were made …
STRANGE = 25
# … and so many have real parameters only.
AIMED = 20

KINDS = {
    "accounts": "acc",
    "api-keys": "key",
    "organizations": "org",
    "sessions": "ses",
    "transfers": "trf",
    "vaults": "vlt",
}
SCOPES = ("events:read", "transfers:read", "vaults:read")
# Where a decision can still be taken.
UNDECIDED = ("requested", "screening", "awaiting_approval")
STATUSES = {"/v1/transfers": (*UNDECIDED, "completed", "rejected", "cancelled"), "/v1/vaults": ("active",)}
ETHER = 10**18


def aim(case, declared, world, dice):
    """Puts real values into a request. `declared` are the names of its parameters: of the path, the query and headers."""
    lot = dice.randrange(100)
    if lot < STRANGE:
        return
    in_path, in_query, in_headers = declared
    for name in in_path:
        value = in_the_path(name, case.path, world, dice)
        if value is not None:
            case.path_parameters[name] = value
    case.query.clear()
    for name in in_query:
        value = in_the_query(name, case.path, world, dice) if dice.randrange(3) == 0 else None
        if value is not None:
            case.query[name] = value
    for name in in_headers:
        value = in_a_header(name, world, dice)
        if value is not None:
            case.headers[name] = value
        else:
            case.headers.pop(name, None)
    make = BODIES.get(f"{case.method} {case.path}")
    # A body of another kind, or none, is what that request is about.
    if lot >= STRANGE + AIMED and make is not None and case.media_type == "application/json":
        body = make(world, dice)
        if body is not None:
            case.body = body


def in_the_path(name, path, world, dice):
    if name == "slug":
        return dice.choice(list(world.chains) or [None])
    if name == "view":
        return dice.choice(list(world.views) or [None])
    if name == "subject":
        return subject(world, dice)
    collection = path.split("/")[2]
    if collection == "commands":
        return world.word("command", dice)
    if is_decision(path):
        # A moment later most are decided, or run without a decision.
        return world.pick("trf", dice, lambda transfer: transfer.get("status") in UNDECIDED, newest=4)
    return world.pick(KINDS[collection], dice)


def is_decision(path):
    return path.startswith("/v1/transfers/") and path.endswith(("/approve", "/deny", "/cancel"))


def in_the_query(name, path, world, dice):
    values = {
        "limit": lambda: str(dice.randint(1, 200)),
        "cursor": lambda: world.word(f"cursor {path}", dice),
        "atLeast": lambda: world.word("token", dice),
        "asOf": lambda: world.word(dice.choice(("token", "moment")), dice),
        "status": lambda: dice.choice(STATUSES.get(path, (None,))),
        "vaultId": lambda: world.pick("vlt", dice),
        "name": lambda: "F",
        "from": lambda: dice.choice(("beginning", "now", world.word("moment", dice))),
        "until": lambda: world.word("moment", dice),
        "stream": lambda: world.pick(dice.choice(("acc", "trf", "vlt")), dice),
        "type": lambda: world.word("type", dice),
        "organization": lambda: world.pick("org", dice),
        "family": lambda: family(world, dice),
        "dryRun": lambda: "true",
    }
    return values[name]()


def in_a_header(name, world, dice):
    if name == "Idempotency-Key":
        known = world.word("intent", dice)
        # Now and then an intent comes again.
        if known is not None and dice.randrange(10) == 0:
            return known
        fresh = f"fuzz-{dice.getrandbits(96):x}"
        world.note("intent", fresh)
        return fresh
    if name == "If-Match":
        return '"1"' if dice.randrange(6) == 0 else "*"
    if name == "Prefer":
        return "wait=2"
    # What a stream of events has shown last: only streams know it.
    return None


def some(dice, **fields):
    """Each of these fields half of the time."""
    return {name: value for name, value in fields.items() if dice.randrange(2)}


def name(dice):
    return f"Fuzzed {dice.getrandbits(32):x}"


def chain(world, dice):
    return dice.choice(list(world.chains.values()) or [None])


def family(world, dice):
    return dice.choice(sorted({family for families in world.views.values() for family in families}) or [None])


def address(world, dice):
    """One of ours that is open, or nobody's."""
    account = world.thing("acc", world.pick("acc", dice, lambda account: account.get("address")))
    nobody = f"0x{dice.getrandbits(160):040x}"
    return account.get("address") or nobody if dice.randrange(2) else nobody


def subject(world, dice):
    """Whose personal data can be erased."""
    if dice.randrange(3) == 0:
        return world.pick("org", dice)
    return world.pick("trf", dice, lambda transfer: transfer.get("memo"))


def can_pay(account):
    balances = account.get("balances", [])
    return account.get("status") == "open" and any(int(balance["amount"]["minor"]) > ETHER for balance in balances)


def transfer(world, dice):
    account, served = world.pick("acc", dice, can_pay), chain(world, dice)
    if account is None or served is None:
        return None
    return {
        "accountId": account,
        "asset": served["assets"][0]["id"],
        "amount": str(dice.choice((1, 1000, ETHER // 1000))),
        "destination": address(world, dice),
        **some(
            dice,
            memo="what nobody else may read",
            externalId=f"fuzz-{dice.getrandbits(64):x}",
            feeMax=str(ETHER),
            expiresIn=dice.randint(120, 3600),
        ),
    }


def vault(world, dice):
    served = chain(world, dice)
    chains = [] if served is None else [served["id"]]
    return {"name": name(dice), "chains": chains, **some(dice, tier=dice.choice(("hot", "warm", "cold")))}


def account(world, dice):
    served = chain(world, dice)
    return None if served is None else {"chain": served["id"]}


def check(world, dice):
    served = chain(world, dice)
    return None if served is None else {"chain": served["id"], "address": address(world, dice)}


def faucet(world, dice):
    owned = world.thing("acc", world.pick("acc", dice, lambda account: account.get("address")))
    return {"address": owned.get("address") or address(world, dice), "amount": str(10 * ETHER)}


def api_key(world, dice):
    scopes = sorted(dice.sample(SCOPES, dice.randint(1, len(SCOPES))))
    return {"name": name(dice), "scopes": scopes, **some(dice, expiresIn=dice.randint(60, 3600))}


def session(world, dice):
    secret = world.word("secret", dice)
    return None if secret is None else {"key": secret}


def organization(world, dice):
    contact = {"email": "somebody@example.org", "name": "Somebody"}
    return {"name": name(dice), **some(dice, approval=dice.choice(("none", "one")), contact=contact)}


def organization_change(world, dice):
    # Mostly so that there is something to decide.
    return {"approval": dice.choice(("none", "one", "one", "one")), **some(dice, name=name(dice))}


def erasure(world, dice):
    whose = subject(world, dice)
    if whose is None:
        return None
    data = ["memo"] if whose.startswith("trf_") else ["contact"]
    return {"subject": whose, "data": data, "grounds": dice.choice(("request", "retention", "mistake"))}


def reason(world, dice):
    return some(dice, reason="asked by a machine that knows no better")


def of_a_view(world, dice):
    known = family(world, dice)
    of_family = {} if known is None else some(dice, family=known)
    return {**reason(world, dice), **of_family}


BODIES = {
    "POST /v1/accounts/{id}/freeze": reason,
    "POST /v1/accounts/{id}/unfreeze": reason,
    "PATCH /v1/accounts/{id}": lambda world, dice: {"label": name(dice)},
    "POST /v1/addresses/validate": check,
    "POST /v1/api-keys": api_key,
    "POST /v1/erasures": erasure,
    "POST /v1/organizations": organization,
    "PATCH /v1/organizations/{id}": organization_change,
    "POST /v1/organizations/{id}/reactivate": reason,
    "POST /v1/organizations/{id}/suspend": reason,
    "POST /v1/sandbox/{slug}/faucet": faucet,
    "POST /v1/sessions": session,
    "POST /v1/transfers": transfer,
    "POST /v1/transfers/{id}/approve": reason,
    "POST /v1/transfers/{id}/cancel": reason,
    "POST /v1/transfers/{id}/deny": reason,
    "POST /v1/vaults": vault,
    "PATCH /v1/vaults/{id}": lambda world, dice: {"name": name(dice)},
    "POST /v1/vaults/{id}/accounts": account,
    "POST /v1/views/{view}/rebuilds": of_a_view,
    "POST /v1/views/{view}/retries": of_a_view,
}
