#!/usr/bin/env bash
# Makes transfers on a sandbox, hands out checkpoints and keys, lays hands on copies of the log in five ways, and shows what
# an auditor finds who has nothing but a checkpoint that was kept, the public keys and the file.
#
#   VAULTSTREAM=target/release/vaultstream docs/demonstrations/tamper.sh
#
# Needs bash, python3 (for its sqlite3) and the binary. Everything lies in a temporary directory that is removed at the end.
set -euo pipefail
vaultstream=$(realpath "${VAULTSTREAM:-target/release/vaultstream}")
place=$(mktemp -d)
product=
trap '[ -z "$product" ] || kill "$product" 2>/dev/null || true; rm -rf "$place"' EXIT
cd "$place"

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

say "1. A product with a sandbox, and some transfers"
touch said
"$vaultstream" serve --demo --listen 127.0.0.1:0 --data-dir data >said 2>log &
product=$!
until grep -q "^One-time" said; do kill -0 "$product"; sleep 0.2; done
url=$(sed -n 's/^Vaultstream is ready at //p' said)
ask() { "$vaultstream" "$1" "$2" "${@:3}" --url "$url" --key-file data/demo.key -o json; }
vault=$(ask vault list | python3 -c 'import json, sys; print(json.load(sys.stdin)["items"][0]["id"])')
for n in 1 2 3; do
  until ask transfer send --from "$vault" --to 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed --amount 0.01 --asset ETH --wait 60 >transfer.json 2>refused; do sleep 1; done
  echo "transfer $n is completed"
done
echo "waiting until every event is sealed"
metric() { python3 -c 'import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())' "$url/metrics"; }
until metric | grep -qx 'vaultstream_unsealed_events 0'; do sleep 0.5; done

say "2. The operator hands out checkpoints and public keys; the auditor keeps the newest checkpoint"
"$vaultstream" audit export --data-dir data --out handed
kill "$product"; wait "$product" 2>/dev/null || true; product=
# The newest note: the last of the list.
python3 -c 'print(open("handed/checkpoints.notes").read().split("\nvaultstream/")[-1].strip().join(["vaultstream/", ""]))' >kept.note
verify() {
  local code=0
  "$vaultstream" audit verify --checkpoint kept.note --keys handed/checkpoints.keys --data-dir "$1" || code=$?
  echo "exit code $code"
}
verify data

tamper() {
  say "$1"
  rm -rf copy copy-checkpoints; cp -a data copy; cp -a data-checkpoints copy-checkpoints
  python3 - "$2" <<'PY'
import sqlite3, sys
log = sqlite3.connect("copy/log.db")
bits = 47
shard, count = log.execute(f"SELECT id >> {bits}, count(*) FROM event GROUP BY 1 ORDER BY 2 DESC LIMIT 1").fetchone()
at = (shard << bits) | (count // 2)
end = (shard << bits) | ((1 << bits) - 1)
print(f"touching shard {shard}, position {count // 2} of {count}")
way = sys.argv[1]
if way == "edit":
    log.execute("UPDATE event SET payload = CAST(replace(CAST(payload AS TEXT), '{', '{\"x\":1,') AS BLOB) WHERE id = ?", (at,))
elif way == "delete":
    log.execute("DELETE FROM event WHERE id = ?", (at,))
elif way == "insert":
    # An event that is whole by itself: one of another place, under its own name there, with everything behind it moved up.
    row = log.execute("SELECT stream, sequence, envelope, payload, previous, hash FROM event WHERE id = ?", (at + 2,)).fetchone()
    clock = log.execute("SELECT hlc FROM event WHERE id = ?", (at - 1,)).fetchone()[0]
    log.execute("DROP INDEX event_by_stream")
    log.execute("UPDATE event SET id = -(id + 1) WHERE id BETWEEN ? AND ?", (at, end))
    log.execute("UPDATE event SET id = -id WHERE id < 0")
    log.execute("INSERT INTO event (id, hlc, stream, sequence, envelope, payload, previous, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (at, clock + 1, *row))
elif way == "reorder":
    for a, b in [(at, -1), (at + 1, at), (-1, at + 1)]:
        log.execute("UPDATE event SET id = ? WHERE id = ?", (b, a))
elif way == "cut":
    log.execute("DELETE FROM event WHERE id BETWEEN ? AND ?", (at, end))
log.commit()
PY
  # Whoever cuts the log cuts the checkpoints beside it as well.
  if [ "$2" = cut ]; then rm -rf copy-checkpoints; fi
  verify copy
}

tamper "3. An event is edited" edit
tamper "4. An event is deleted" delete
tamper "5. An event is inserted, and all behind it moved up" insert
tamper "6. Two events change places" reorder
tamper "7. The tail is cut, and the checkpoints beside the log with it" cut

say "8. One event, proven to whoever has the public keys"
transfer=$(python3 -c 'import json; d = json.load(open("transfer.json")); print(d.get("id") or d["transfer"]["id"])')
"$vaultstream" audit prove "$transfer/1" --data-dir data --out proof.json
"$vaultstream" audit check-proof proof.json --keys handed/checkpoints.keys
