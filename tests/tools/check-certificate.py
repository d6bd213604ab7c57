#!/usr/bin/env python3
"""check-certificate.py FILE: checks a certificate of suppression; written from docs/disclosure.md alone, shares no code with the C checker.

    check-certificate.py FILE               0: good, 5: wrong (says why)
    check-certificate.py --tamper FILE OUT  changes every number and every yes or no in turn, forges the digest, and writes each to OUT/N.json
"""
import hashlib
import itertools
import json
import os
import sys
from fractions import Fraction


class Wrong(Exception):
    pass


def need(condition, why):
    if not condition:
        raise Wrong(why)


def ancestors(key, code):
    """The code, its group, the group's group, ... up to everything."""
    line = [code]
    while line[-1] != 0:
        line.append(key["codes"][line[-1]][1])
    return line


class Cells:
    """Cells by universe, measure and codes of all keys, in the order that the format prescribes."""

    def __init__(self, certificate):
        self.keys, self.minimum = certificate["keys"], certificate["minimum"]
        need(self.minimum >= 0, "a minimum out of range")
        self.order, self.of = [], {}
        for key in self.keys:
            need(key["codes"] and key["codes"][0][1] == 0, "a key without everything")
            need(all(0 <= parent < i for i, (_, parent) in enumerate(key["codes"]) if i), "a group behind its parts")
        for table in certificate["tables"]:
            for cell in table["cells"]:
                self.add_given(table, cell)
        self.given = len(self.order)
        self.add_margins()
        self.equations = []
        self.add_equations()

    def add(self, name, cell):
        if name not in self.of:
            self.of[name] = cell
            self.order.append(name)
        return self.of[name]

    def add_given(self, table, cell):
        codes = [0] * len(self.keys)
        need(len(set(table["keys"])) == len(table["keys"]) and min(table["keys"], default=0) >= 0, "a key twice")
        need(table["universe"] >= 0 and table["measure"] >= 0, "no such universe")
        need(min(cell[f] for f in ("count", "lower", "upper", "cost")) >= 0, "a number out of range")
        for key, code in zip(table["keys"], cell["codes"], strict=True):
            need(0 <= code < len(self.keys[key]["codes"]), "a code that is not there")
            codes[key] = code
        name = (table["universe"], table["measure"], tuple(codes))
        new = dict(cell, hidden=False, non_negative=table["non_negative"], integer=table["integer"])
        known = self.add(name, new)
        same = ("value", "count", "suppressed", "non_negative", "integer")
        need(all(known[f] == new[f] for f in same), "a cell differs between tables")
        for field in ("lower", "upper", "unsafe"):
            known[field] = max(known[field], new[field])
        need(not table["non_negative"] or cell["value"] >= 0, "a negative cell")

    def hidden(self, like):
        return dict(hidden=True, unsafe=False, suppressed=True, lower=0, upper=0, value=None, count=None,
                    non_negative=like["non_negative"], integer=like["integer"])

    def add_margins(self):
        place = 0
        while place < len(self.order):
            universe, measure, codes = self.order[place]
            for k, code in enumerate(codes):
                if code:
                    above = codes[:k] + (self.keys[k]["codes"][code][1],) + codes[k + 1:]
                    self.add((universe, measure, above), self.hidden(self.of[self.order[place]]))
            place += 1

    def add_equations(self):
        names = list(self.order)
        depth = {n: sum(len(ancestors(self.keys[k], c)) - 1 for k, c in enumerate(n[2])) for n in names}
        for name in sorted(names, key=lambda n: -depth[n]):  # sorted keeps the order of equals
            for k in range(len(self.keys)):
                self.add_equation(name, k)

    def add_equation(self, name, k):
        universe, measure, codes = name
        parts = [(universe, measure, codes[:k] + (child,) + codes[k + 1:])
                 for child, (_, parent) in enumerate(self.keys[k]["codes"]) if parent == codes[k] and child != 0]
        parts = [p for p in parts if p in self.of]
        if not parts:
            return
        total = self.of[name]
        value, count = (sum(self.of[p][f] for p in parts) for f in ("value", "count"))
        if total["value"] is None:
            total["value"], total["count"] = value, count
        rest, people = total["value"] - value, total["count"] - count
        if rest or people:
            need(people >= 0 and (rest >= 0 or not total["non_negative"]), "parts are more than the whole")
            parts.append((universe, measure, codes[:k] + (codes[k] + len(self.keys[k]["codes"]),) + codes[k + 1:]))
            self.add(parts[-1], self.rest(total, rest, people))
        self.equations.append((name, parts))

    def rest(self, total, value, people):
        cell = dict(self.hidden(total), value=value, count=people)
        if 0 < people < self.minimum:
            full = -(-abs(value) * self.minimum // people)
            cell.update(unsafe=True, lower=abs(value), upper=max(1, full - abs(value)))
        return cell


def check(text):
    need(text.endswith(b"\n"), "no newline at the end")
    certificate = json.loads(text)
    body, _, tail = text.rpartition(b',"digest":"')
    need(tail == b"sha256:" + hashlib.sha256(body).hexdigest().encode() + b'"}\n', "the digest is another one")
    need(certificate["type"] == "glovebox-disclosure-certificate" and certificate["version"] == 1, "another type or version")
    need(list(certificate) == ["type", "version", "minimum", "keys", "tables", "witnesses", "digest"], "other fields")
    cells = Cells(certificate)
    shown = {}
    for name in cells.order[:cells.given]:
        cell = cells.of[name]
        need(cell["suppressed"] or not cell["unsafe"], "an unsafe cell is shown")
        need(shown.setdefault((name[0], name[2]), cell["suppressed"]) == cell["suppressed"], "suppressed for one measure only")
    wanted = []
    for name in cells.order:
        cell = cells.of[name]
        if cell["non_negative"]:
            cell["lower"] = min(cell["lower"], cell["value"])
        shown_alike = shown.get((name[0], name[2]), True)
        if cell["suppressed"] and (shown_alike or cell["hidden"]):
            wanted += [(name, side) for side, field in (("low", "lower"), ("high", "upper")) if cell[field] > 0]
    need(len(wanted) == len(certificate["witnesses"]), "too few or too many witnesses")
    for (name, side), witness in zip(wanted, certificate["witnesses"]):
        check_witness(cells, name, side, witness)
    return len(wanted)


def check_witness(cells, name, side, witness):
    need(cells.order[witness["cell"]] == name and witness["side"] == side, "a witness is missing")
    need(1 <= witness["denominator"] <= 1000000, "a denominator out of range")
    amounts = {}
    for place, amount in witness["moves"]:
        need(0 <= place < len(cells.order) and amount != 0, "a move of nothing")
        need(cells.order[place] not in amounts, "a cell moved twice")
        amounts[cells.order[place]] = Fraction(amount, witness["denominator"])
    for moved, amount in amounts.items():
        cell = cells.of[moved]
        need(cell["suppressed"], "a shown cell moves")
        need(not cell["integer"] or amount.denominator == 1, "a fraction of a person")
        need(not cell["non_negative"] or cell["value"] + amount >= 0, "a negative completion")
    for total, parts in cells.equations:
        need(amounts.get(total, 0) == sum(amounts.get(p, 0) for p in parts), "a completion that does not add up")
    cell, amount = cells.of[name], amounts.get(name, 0)
    need(amount <= -cell["lower"] if side == "low" else amount >= cell["upper"], "the interval's end is not reached")


def places_of(value, path=()):
    if isinstance(value, dict):
        return itertools.chain.from_iterable(places_of(v, path + (k,)) for k, v in value.items())
    if isinstance(value, list):
        return itertools.chain.from_iterable(places_of(v, path + (i,)) for i, v in enumerate(value))
    return [path]


def tamper(text, folder):
    certificate, number = json.loads(text), 0
    del certificate["digest"]
    for path in list(places_of(certificate)):
        holder = certificate
        for step in path[:-1]:
            holder = holder[step]
        saved = holder[path[-1]]
        for other in ([not saved] if isinstance(saved, bool) else [saved + 1, saved - 1] if isinstance(saved, int) else []):
            holder[path[-1]] = other
            body = json.dumps(certificate, separators=(",", ":"), ensure_ascii=False).encode()[:-1]
            out = body + b',"digest":"sha256:' + hashlib.sha256(body).hexdigest().encode() + b'"}\n'
            with open(os.path.join(folder, f"{number}.json"), "wb") as file:
                file.write(out)
            number += 1
        holder[path[-1]] = saved
    print(number)


def main():
    if len(sys.argv) == 4 and sys.argv[1] == "--tamper":
        with open(sys.argv[2], "rb") as file:
            tamper(file.read(), sys.argv[3])
        return 0
    worst = 0
    for path in sys.argv[1:]:
        with open(path, "rb") as file:
            try:
                print(f"good: {check(file.read())} witnesses")
            except (Wrong, ValueError, KeyError, IndexError, TypeError, RecursionError) as error:
                print(f"wrong: {error}")
                worst = 5
    return worst


if __name__ == "__main__":
    sys.exit(main())
