"""Real values against the description of the API: `python3 -m unittest discover xtask/python`."""

import json
import random
import unittest
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

from values import AIMED, BODIES, STRANGE, aim, in_a_header, in_the_path, in_the_query
from world import KEPT, World

OPENAPI = json.loads((Path(__file__).parents[2] / "command-api/openapi.json").read_text())
OPERATIONS = {
    f"{method.upper()} {path}": operation for path, methods in OPENAPI["paths"].items() for method, operation in methods.items()
}


def id_of(prefix, number=0):
    return f"{prefix}_{number:026d}"


def a_world():
    """One of everything, as lists of the product show it."""
    world = World(own_key=id_of("key", 9))
    ether = {"amount": {"asset": "eip155:31337/slip44:60", "minor": str(10**20), "decimals": 18}}
    account = {"id": id_of("acc"), "status": "open", "address": "0x" + "ab" * 20}
    lists = {
        "/v1/chains": [{"slug": "eth", "id": "eip155:31337", "assets": [{"id": "eip155:31337/slip44:60"}]}],
        "/v1/organizations": [{"id": id_of("org"), "createdAt": "2026-11-26T10:00:00Z", "token": "v1.token"}],
        "/v1/vaults": [{"id": id_of("vlt"), "accounts": [account]}],
        f"/v1/accounts/{id_of('acc')}": [{**account, "balances": [ether]}],
        "/v1/api-keys": [{"id": id_of("key", 1), "key": "key_1_secret"}, {"id": id_of("key", 9), "key": "key_9_secret"}],
        "/v1/sessions": [{"id": id_of("ses")}],
        "/v1/transfers": [{"id": id_of("trf"), "status": "awaiting_approval", "memo": "m"}],
        "/v1/views": [{"view": "transfers", "family": "core"}],
        "/v1/events": [{"id": f"{id_of('trf', 7)}/1", "type": "transfer.requested", "subject": {"id": id_of("trf", 7)}}],
    }
    for path, items in lists.items():
        world.see(path, {"vaultstream-command": ["cmd_1"]}, {"items": items, "nextCursor": f"after {path}"})
    return world


def a_case(label, dice):
    method, path = label.split(" ")
    return SimpleNamespace(
        method=method,
        path=path,
        path_parameters={"id": "x"},
        query={"limit": "x"},
        headers={"If-Match": "x"},
        body="x",
        media_type="application/json",
    )


def declared(operation):
    names = {"path": [], "query": [], "header": []}
    for parameter in operation.get("parameters", []):
        names[parameter["in"]].append(parameter["name"])
    return list(names.values())


class Values(unittest.TestCase):
    def test_every_body_has_the_fields_that_the_description_knows(self):
        world, dice = a_world(), random.Random(1)
        with_body = {label for label, operation in OPERATIONS.items() if "requestBody" in operation}
        self.assertEqual(set(BODIES), with_body, "a body for each operation that takes one, and no other")
        for label in sorted(with_body):
            reference = OPERATIONS[label]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
            schema = OPENAPI["components"]["schemas"][reference.rsplit("/", 1)[1]]
            for _ in range(50):
                body = BODIES[label](world, dice)
                self.assertLessEqual(set(body), set(schema["properties"]), label)
                self.assertGreaterEqual(set(body), set(schema.get("required", [])), label)

    def test_every_parameter_has_a_value_that_was_seen(self):
        world, dice = a_world(), random.Random(2)
        for label, operation in OPERATIONS.items():
            path = label.split(" ")[1]
            in_path, in_query, in_headers = declared(operation)
            for name in in_path:
                self.assertIsNotNone(in_the_path(name, path, world, dice), f"{label}: {name}")
            for name in in_query:
                # Some are drawn from several kinds, one of which may not be known yet; a short list has no cursor.
                drawn = [in_the_query(name, path, world, dice) for _ in range(20)]
                self.assertTrue(any(drawn) or (name == "cursor" and "quarantine" in path), f"{label}: {name}")
            for name in in_headers:
                value = in_a_header(name, world, dice)
                self.assertTrue(name == "Last-Event-ID" or value, f"{label}: {name}")

    def test_most_requests_become_real_and_some_stay_as_they_were(self):
        world, dice, lots = a_world(), random.Random(3), Counter()
        label = "POST /v1/transfers/{id}/approve"
        for _ in range(2000):
            case = a_case(label, dice)
            aim(case, declared(OPERATIONS[label]), world, dice)
            lots[case.path_parameters["id"] != "x", case.body != "x"] += 1
        self.assertEqual(set(lots), {(False, False), (True, False), (True, True)})
        self.assertAlmostEqual(lots[False, False] / 20, STRANGE, delta=4)
        self.assertAlmostEqual(lots[True, False] / 20, AIMED, delta=4)

    def test_bodies_of_another_kind_and_other_methods_stay(self):
        world, dice = a_world(), random.Random(4)
        for change in ({"media_type": "text/plain"}, {"method": "PUT"}):
            for _ in range(50):
                case = a_case("POST /v1/vaults", dice)
                vars(case).update(change)
                aim(case, ([], [], []), world, dice)
                self.assertEqual(case.body, "x")

    def test_nothing_is_made_up_in_an_empty_world(self):
        world, dice = World(), random.Random(5)
        for label, make in BODIES.items():
            # Either a body that needs nothing, or none; never an error.
            make(world, dice)
            self.assertIsNone(in_the_path("slug", label.split(" ")[1], world, dice))


class Seen(unittest.TestCase):
    def test_own_key_is_never_found(self):
        world, dice = a_world(), random.Random(6)
        self.assertEqual({world.pick("key", dice) for _ in range(50)}, {id_of("key", 1)})
        self.assertEqual(world.word("secret", dice), "key_1_secret")

    def test_things_of_others_in_events_are_not_taken_for_ours(self):
        world, dice = a_world(), random.Random(7)
        self.assertEqual({world.pick("trf", dice) for _ in range(50)}, {id_of("trf")})
        self.assertEqual(world.word("type", dice), "transfer.requested")

    def test_newest_are_kept_as_they_were_last_shown(self):
        world = World()
        for number in range(KEPT + 5):
            world.see("/v1/transfers", {}, {"items": [{"id": id_of("trf", number), "status": "requested"}]})
        world.see("/v1/transfers", {}, {"id": id_of("trf", 6), "status": "completed"})
        known = world.things["trf"]
        self.assertEqual(len(known), KEPT)
        self.assertNotIn(id_of("trf", 4), known)
        self.assertEqual(known[id_of("trf", 6)]["status"], "completed")
        self.assertEqual(world.transfer_statuses, {"requested", "completed"})

    def test_what_fits_comes_before_the_rest(self):
        world, dice = World(), random.Random(8)
        for number, status in enumerate(("frozen", "open", "frozen")):
            world.see("/v1/accounts", {}, {"id": id_of("acc", number), "status": status})
        self.assertEqual({world.pick("acc", dice, lambda a: a["status"] == "open") for _ in range(20)}, {id_of("acc", 1)})
        self.assertEqual(len({world.pick("acc", dice, lambda a: False) for _ in range(50)}), 3)
        self.assertIsNone(world.pick("vlt", dice))
        self.assertEqual({world.pick("acc", dice, newest=1) for _ in range(20)}, {id_of("acc", 2)})
        world.forget_status("acc", id_of("acc", 1))
        world.forget_status("acc", id_of("acc", 7))
        self.assertEqual(world.thing("acc", id_of("acc", 1)), {"id": id_of("acc", 1)})

    def test_look_around_reads_every_list_and_each_account(self):
        asked = []

        def get(path):
            asked.append(path)
            return {"items": [{"id": id_of("vlt"), "accounts": [{"id": id_of("acc")}]}]} if path == "/v1/vaults" else None

        World().look_around(get)
        self.assertIn("/v1/views", asked)
        self.assertEqual(asked[-1], f"/v1/accounts/{id_of('acc')}")


if __name__ == "__main__":
    unittest.main()
