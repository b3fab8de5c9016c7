#!/usr/bin/env bash
# Kills a product under load, then puts its log back to an earlier moment, and shows what clients, operators and the chain
# see: nothing that was acknowledged is lost by a kill, nothing is signed by a log that has forgotten signatures, and
# every payment is made once.
#
#   VAULTSTREAM=target/release/vaultstream docs/demonstrations/rewind.sh
#   WATCH=1 VAULTSTREAM_WEB_DIR=target/dashboard VAULTSTREAM=… docs/demonstrations/rewind.sh
#
# The second form waits for Enter before each act, so that you can watch the dashboard (`cargo xtask start` builds it).
# Needs bash, python3 and the binary. Everything lies in a temporary directory that is removed at the end.
set -euo pipefail
vaultstream=$(realpath "${VAULTSTREAM:-target/release/vaultstream}")
web=${VAULTSTREAM_WEB_DIR:+$(realpath "$VAULTSTREAM_WEB_DIR")}
export VAULTSTREAM_WEB_DIR=$web
umask 077
place=$(mktemp -d)
product=
load=
trap 'for child in $product $load; do kill "$child" 2>/dev/null || true; done; rm -rf "$place"' EXIT
cd "$place"

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
act() { if [ -n "${WATCH:-}" ]; then read -rp "Enter: $* " _; else echo "now: $*"; fi; }

# An integrator: keeps its key and what was acknowledged, asks for each payment under an Idempotency-Key of its own, and
# asks again under the same one when it hears nothing.
cat >client.py <<'PY'
import http.client, json, sys, time, urllib.error, urllib.request
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

AMOUNT, PATIENCE_S = 10**16, 120
writing = Lock()

def ask(method, path, body=None, intent=None):
    """Status and body of an answer; no status where there was none."""
    headers = {"Authorization": "Bearer " + open("client.key").read().strip(), "Content-Type": "application/json"}
    if intent:
        headers["Idempotency-Key"] = intent
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(open("url").read() + path, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)
    except (OSError, http.client.HTTPException, ValueError):
        return 0, None

def until(what, look):
    end = time.monotonic() + PATIENCE_S
    while (found := look()) is None:
        if time.monotonic() > end:
            sys.exit(f"waited too long: {what}")
        time.sleep(0.02)
    return found

def acknowledged(file="acknowledged"):
    with open(file) as lines:
        return dict(line.split() for line in lines)

def ready(begun_ms):
    """Waits for a product that was just started."""
    def answers():
        found = [line for line in open("said") if line.startswith("Vaultstream is ready at ")]
        if not found:
            return None
        open("url", "w").write(found[0].split()[-1])
        return ask("GET", "/health/ready")[0] == 200 or None
    until("the product is ready", answers)
    print(f"ready {time.time() * 1000 - int(begun_ms):.0f} ms after its start")

def pay(vault, to, first, last):
    """Payments FIRST to LAST - 1, from many hands, each until it is acknowledged."""
    known = acknowledged()
    def one(n):
        body = {"vaultId": vault, "asset": "eip155:31337/slip44:60", "amount": str(AMOUNT), "destination": to}
        def taken():
            status, answer = ask("POST", "/v1/transfers", body, f"drill-{n}")
            if status == 202:
                return answer["id"]
            if 400 <= status < 500:
                sys.exit(f"payment {n} was refused: {answer}")
        transfer = until(f"payment {n} is acknowledged", taken)
        if known.get(str(n), transfer) != transfer:
            sys.exit(f"payment {n} became another transfer")
        if str(n) not in known:
            with writing, open("acknowledged", "a") as file:
                file.write(f"{n} {transfer}\n")
        time.sleep(0.05)
        return str(n) in known
    with ThreadPoolExecutor(4) as hands:
        again = sum(hands.map(one, range(int(first), int(last))))
    if again:
        print(f"{again} payments were asked for again, under the same keys, and are the same transfers as before")

def enough(count):
    """Waits until so many payments are acknowledged."""
    until(f"{count} are acknowledged", lambda: len(acknowledged()) >= int(count) or None)

def there(file):
    lost = [n for n, transfer in acknowledged(file).items() if ask("GET", f"/v1/transfers/{transfer}")[0] != 200]
    if lost:
        sys.exit(f"acknowledged and lost: {lost}")
    print(f"all {len(acknowledged(file))} payments that were acknowledged are there")

def gone(first, last):
    known = acknowledged()
    unknown = [n for n in range(int(first), int(last)) if ask("GET", f"/v1/transfers/{known[str(n)]}")[0] == 404]
    print(f"{len(unknown)} of {int(last) - int(first)} later payments are unknown to this log")

def completed():
    for n, transfer in acknowledged().items():
        def is_over():
            status = (ask("GET", f"/v1/transfers/{transfer}")[1] or {}).get("status")
            if status in ("failed", "rejected", "cancelled", "expired"):
                sys.exit(f"payment {n} ended {status}")
            return status == "completed" or None
        until(f"payment {n} is completed", is_over)
    print(f"all {len(acknowledged())} payments are completed")

def balance_of(account):
    balances = (ask("GET", f"/v1/accounts/{account}")[1] or {}).get("balances", [])
    return sum(int(balance["amount"]["minor"]) for balance in balances)

def funded(account):
    until("the payer has money", lambda: balance_of(account) > 0 or None)

def paid(account):
    """What the chain says the recipient has: each acknowledged payment, once."""
    count = len(acknowledged())
    def once():
        has = balance_of(account)
        if has > count * AMOUNT:
            sys.exit(f"PAID TWICE: {has} wei for {count} payments")
        return has == count * AMOUNT or None
    until("the recipient's balance shows every payment", once)
    print(f"the recipient has {count * AMOUNT} wei on the chain: {count} payments of {AMOUNT}, each paid once")

def signing():
    said = ask("GET", "/health/ready")[1]["signing"]
    print("signing:", said["status"], "-", said.get("detail", ""))

def attempt(vault, to):
    body = {"vaultId": vault, "asset": "eip155:31337/slip44:60", "amount": str(AMOUNT), "destination": to}
    status, answer = ask("POST", "/v1/transfers", body, "drill-attempt")
    print(f"POST /v1/transfers: {status} {answer['code']}: {answer['detail']}")

def moment():
    """Something happens, and its place in the log is printed."""
    vault = ask("POST", "/v1/vaults", {"name": "The moment", "chains": []}, "moment")[1]["id"]
    def place():
        events = (ask("GET", f"/v1/events?stream={vault}")[1] or {}).get("items")
        return "{shard}:{position}".format(**events[-1]) if events else None
    print(until("the event is told", place))

globals()[sys.argv[1]](*sys.argv[2:])
PY
client() { python3 client.py "$@"; }
touch client.key acknowledged

listen=127.0.0.1:0
start() {
  : >said
  local begun
  begun=$(date +%s%3N)
  "$vaultstream" serve "$@" --config vaultstream.toml --listen "$listen" --data-dir data >said 2>>log &
  product=$!
  client ready "$begun"
}
ended() { wait "$product" 2>/dev/null || true; product=; }

say "1. Two operators make keys; a product with a sandbox names them"
for name in alice bob; do
  "$vaultstream" operator keygen --name "$name" --out "$name.key" >"$name.public"
  echo "$name's public key: $(cat "$name.public")"
done
printf '[operators]\nthreshold = 2\nkeys = ["%s", "%s"]\n' "$(cat alice.public)" "$(cat bob.public)" >vaultstream.toml
start --demo
until grep -q "^One-time" said; do kill -0 "$product"; sleep 0.1; done
url=$(cat url)
# A page that is open finds the product again where it was.
if [ -n "${WATCH:-}" ]; then listen=${url#http://}; fi
cp data/demo.key client.key
ask() { "$vaultstream" "$1" "$2" "${@:3}" --url "$url" --key-file client.key -o json; }
of() { python3 -c 'import json, sys; d = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"; }
ask vault list >vaults.json
payer=$(of 'next(v["id"] for v in d["items"] if v["name"] == "Operations")' <vaults.json)
purse=$(of 'next(v["accounts"][0]["id"] for v in d["items"] if v["name"] == "Operations")' <vaults.json)
ask vault create Recipient >recipient.json
account=$(of 'd["accounts"][0]["id"]' <recipient.json)
address=$(of 'd["accounts"][0]["address"]' <recipient.json)
client funded "$purse"
echo "the dashboard: $url"
echo "sign in with:  $(sed -n 's/^One-time sign-in link: //p' said)"
echo "watch the list of transfers: it moves by itself, says Reconnecting while nobody answers, and goes on where it was"

say "2. kill -9 under load"
act "80 payments begin, and the product is killed among them"
client pay "$payer" "$address" 0 80 &
load=$!
client enough 25
kill -9 "$product"
ended
cp acknowledged before-the-kill
echo "killed after $(wc -l <before-the-kill) of 80 payments were acknowledged; the others are asked for until they are"
start
client there before-the-kill
wait "$load"
load=
client completed
client paid "$account"

say "3. A backup, and history that will be lost"
"$vaultstream" backup --to backup --data-dir data
moment=$(client moment)
echo "the moment to come back to: the event at $moment (shard and position)"
client pay "$payer" "$address" 80 85
client completed
"$vaultstream" backup --to backup --data-dir data
client pay "$payer" "$address" 85 86
act "the product is killed with payment 85 in flight"
kill -9 "$product"
ended

say "4. The log is put back to that moment, and starts in quarantine"
mv data data-old
"$vaultstream" restore --from backup --data-dir data --surviving data-old --to-position "$moment"
start
client signing
client there before-the-kill
client gone 80 86
client attempt "$payer" "$address"
act "look at the dashboard: all is there to be read, and nothing moves; then the product is stopped and reconciled"
kill "$product"
ended

say "5. Operators look, and sign"
reconcile() {
  local code=0
  "$vaultstream" reconcile "$@" --config vaultstream.toml --data-dir data || code=$?
  echo "exit code $code"
}
reconcile --statement statement.txt
for name in alice bob; do
  "$vaultstream" operator sign --key "$name.key" --statement statement.txt --out "$name.note"
done
"$vaultstream" release --signed alice.note --signed bob.note --config vaultstream.toml --data-dir data

say "6. It goes on, and the clients that find nothing ask again"
start
client signing
act "payments 80 to 85 are asked for again"
client pay "$payer" "$address" 80 86
client completed
client paid "$account"
kill "$product"
ended
reconcile
