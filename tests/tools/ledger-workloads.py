#!/usr/bin/env python3
"""Attacks and ordinary work for the ledger, over the two public tables; knows nothing of how the ledger decides.

    ledger-workloads.py attacks N SEED     N planted attacks, as ledger-run reads them; the truth goes to file descriptor 3 as JSON
    ledger-workloads.py ordinary N SEED    N ordinary workloads of several releases
    ledger-workloads.py history N SEED     one case of N releases, then 400 more: the ones to time
    ledger-workloads.py judge TRUTH        reads what ledger-run printed, compares

The truth is computed here by adding up: an attack's combination is written down and must be over 1 to 9 units.
What the ledger reports for a held ordinary workload is added up here as well.
"""
import csv
import itertools
import json
import os
import random
import sys
from collections import Counter

MINIMUM = 10
FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures")


def band(value, edges):
    return "missing" if value == "" else str(sum(float(value) >= e for e in edges))


class Data:
    """A table, and keys to group it by whose groups are all large: small ones are put together, as honest analysts do."""

    def __init__(self, name, derive, numbers):
        self.name, self.numbers, self.keys = name, numbers, {}
        with open(os.path.join(FIXTURES, name + ".csv"), newline="") as file:
            self.rows = list(csv.DictReader(file))
        self.all = frozenset(range(len(self.rows)))
        for key, function in derive.items():
            values = [function(row) for row in self.rows]
            sizes = Counter(values)
            rare = {v for v in sizes if sizes[v] < 60}
            values = ["other" if v in rare else v for v in values]
            if 0 < sum(sizes[v] for v in rare) < 60:
                common = max(sizes, key=sizes.get)
                values = [common if v == "other" else v for v in values]
            groups = {}
            for unit, value in enumerate(values):
                groups.setdefault(value.replace(" ", "_") or "missing", []).append(unit)
            self.keys[key] = {v: frozenset(u) for v, u in groups.items()}

    def missing(self, column):
        return frozenset(i for i, row in enumerate(self.rows) if row[column] in ("", "NA"))

    def known(self, column):
        """Who has a number that is not nothing: only they take part in a sum."""
        return frozenset(i for i, row in enumerate(self.rows) if row[column] not in ("", "NA", "0"))


def load():
    def column(name):
        return lambda row: row[name]

    credit = {k: column(k) for k in ("status", "home", "marital", "records", "job")}
    credit.update(age=lambda r: band(r["age"], (25, 35, 45, 55)), time=lambda r: band(r["time"], (24, 36, 48)),
                  amount=lambda r: band(r["amount"], (700, 1000, 1400)), seniority=lambda r: band(r["seniority"], (2, 5, 12)))
    silc = {k: column(k) for k in ("db040", "rb090", "pl030", "pb220a", "hsize")}
    silc.update(age=lambda r: band(r["age"], (16, 25, 35, 45, 55, 65, 75)), income=lambda r: band(r["eqIncome"], (10000, 15000, 20000, 30000)))
    return [Data("credit", credit, ["income", "amount", "price", "expenses"]), Data("eusilc", silc, ["eqIncome", "py010n", "hy050n", "rb050"])]


class Cell:
    def __init__(self, label, column, terms):
        self.label, self.column, self.terms = label.replace(" ", "_"), column, terms  # terms: [(weight, units)]


class Writer:
    def __init__(self, out):
        self.out, self.names = out, {}

    def set(self, units):
        if units not in self.names:
            self.names[units] = f"s{len(self.names)}"
            runs = []
            for unit in sorted(units):
                if runs and runs[-1][1] == unit - 1:
                    runs[-1][1] = unit
                else:
                    runs.append([unit, unit])
            self.out.write(f"set {self.names[units]} " + " ".join(f"{a}-{b}" for a, b in runs) + "\n")
        return self.names[units]

    def release(self, name, recipient, dataset, cells):
        lines = [f"release {name} {recipient} {dataset}\n"]
        for cell in cells:
            lines.append(f"cell {cell.label}\n")
            lines.append(f"stat {cell.column} " + " ".join(f"{w} {self.set(u)}" for w, u in cell.terms) + "\n")
        self.out.write("".join(lines) + "decide\n")


def one(label, column, units):
    return Cell(label, column, [(1, frozenset(units))])


# --- attacks: each returns releases (lists of cells) and the combination that tells something ---------------------------------

def few(rng, data, within=None):
    return frozenset(rng.sample(sorted(within or data.all), rng.randint(1, MINIMUM - 1)))


def some_large(rng, data):
    while True:
        key = rng.choice(sorted(data.keys))
        value = rng.choice(sorted(data.keys[key]))
        group = data.keys[key][value]
        if rng.random() < 0.5:
            other = data.keys[rng.choice(sorted(data.keys))]
            group = group & other[rng.choice(sorted(other))]
        if len(group) >= 4 * MINIMUM:
            return group


def but_few_one_table(rng, data, column):
    base = some_large(rng, data)
    return [[one("all", column, base), one("rest", column, base - few(rng, data, base))]], {(0, 0): 1, (0, 1): -1}


def but_few_two_runs(rng, data, column):
    base = some_large(rng, data)
    return [[one("job=all", column, base)], [one("beruf=ALL", column, base - few(rng, data, base))]], {(0, 0): 1, (1, 0): -1}


def but_few_second_first(rng, data, column):
    base = some_large(rng, data)
    return [[one("rest", column, base - few(rng, data, base))], [one("all", column, base)]], {(0, 0): -1, (1, 0): 1}


def one_of_a_table(rng, data, column):
    """A table twice, the second time with a few people moved out of one row."""
    key = rng.choice(sorted(data.keys))
    groups = data.keys[key]
    place = rng.randrange(len(groups))
    first = [one(f"{key}={v}", column, u) for v, u in sorted(groups.items())]
    second = [Cell(c.label.upper(), column, c.terms) for c in first]
    second[place] = one("x", column, second[place].terms[0][1] - few(rng, data, second[place].terms[0][1]))
    return [first, second], {(0, place): 1, (1, place): -1}


def total_and_parts(rng, data, column):
    key = rng.choice(sorted(data.keys))
    parts = [one(f"{key}={v}", column, u) for v, u in sorted(data.keys[key].items())]
    cut = few(rng, data, parts[0].terms[0][1])
    parts[0] = one(parts[0].label, column, parts[0].terms[0][1] - cut)
    order = [parts + [one("(all)", column, data.all)]]
    return order, {**{(0, i): -1 for i in range(len(parts))}, (0, len(parts)): 1}


def total_and_parts_over_runs(rng, data, column):
    releases, combination = total_and_parts(rng, data, column)
    cells = releases[0]
    return [[c] for c in cells], {(i, 0): w for (_, i), w in combination.items()}


def missing_values(rng, data, column):
    names = [n for n in data.rows[0] if 0 < len(data.missing(n)) < MINIMUM]
    if not names:
        raise IndexError
    absent = data.missing(rng.choice(names))
    key = rng.choice(sorted(data.keys))
    parts = [one(f"{key}={v}", column, u - absent) for v, u in sorted(data.keys[key].items())]
    return [[one("n", column, data.all)], parts], {(0, 0): 1, **{(1, i): -1 for i in range(len(parts))}}


def leave_one_out(rng, data, column):
    base = some_large(rng, data)
    out = rng.sample(sorted(base), 2)
    return [[one(f"without-{i}", column, base - {u}) for i, u in enumerate(out)]], {(0, 0): 1, (0, 1): -1}


def one_hot(rng, data, column):
    """The mean of a column times a weight that is nothing for all but few."""
    base = some_large(rng, data)
    return [[one("all", column, base), one("weighted", "w*" + column, few(rng, data, base))]], {(0, 1): 1}


def repeated_rows(rng, data, column):
    base = some_large(rng, data)
    return ([[one("once", column, base)], [Cell("joined", column, [(1, base), (rng.randint(1, 50), few(rng, data, base))])]],
            {(0, 0): -1, (1, 0): 1})


def nested_bands(rng, data, column):
    """Two filters on a number, a little apart."""
    name = rng.choice(data.numbers)
    order = sorted(data.known(name), key=lambda i: (float(data.rows[i][name]), i))
    at = rng.randrange(MINIMUM * 3, len(order) - MINIMUM * 3)
    width = rng.randint(1, MINIMUM - 1)
    return ([[one("below-a", column, frozenset(order[:at]))], [one("below-b", column, frozenset(order[:at + width]))]],
            {(0, 0): -1, (1, 0): 1})


def two_band_sides(rng, data, column):
    """Those above and those below leave out a few in the middle; the whole is known."""
    name = rng.choice(data.numbers)
    order = sorted(data.known(name), key=lambda i: (float(data.rows[i][name]), i))
    at = rng.randrange(MINIMUM * 3, len(order) - MINIMUM * 3)
    width = rng.randint(1, MINIMUM - 1)
    return ([[one("all", column, frozenset(order))], [one("low", column, frozenset(order[:at]))],
             [one("high", column, frozenset(order[at + width:]))]], {(0, 0): 1, (1, 0): -1, (2, 0): -1})


def intersection(rng, data, column):
    """Two sets and their union: what they have in common."""
    base = sorted(some_large(rng, data))
    rng.shuffle(base)
    common, half = rng.randint(1, MINIMUM - 1), len(base) // 2
    a, b = frozenset(base[:half]), frozenset(base[half - common:])
    return [[one("a", column, a)], [one("b", column, b)], [one("a-or-b", column, a | b)]], {(0, 0): 1, (1, 0): 1, (2, 0): -1}


def odd_circle(rng, data, column):
    """Blocks released by twos around a circle of odd length: half the alternating sum is one block."""
    base = sorted(some_large(rng, data))
    rng.shuffle(base)
    count, small = rng.choice([3, 5, 7]), rng.randint(1, MINIMUM - 1)
    cut = [base[:small]] + [base[small + i::count - 1] for i in range(count - 1)]
    cells = [one(f"pair{i}", column, frozenset(cut[i]) | frozenset(cut[(i + 1) % count])) for i in range(count)]
    return [[c] for c in cells], {(i, 0): 1 if i % 2 == 0 else -1 for i in range(count)}


def chain(rng, data, column):
    """A line of sets, each the last with some taken out and others put in."""
    base = sorted(some_large(rng, data))
    rng.shuffle(base)
    length = rng.randint(3, 8)
    size = max(1, (len(base) - MINIMUM) // (length + 1))
    blocks = [frozenset(base[i * size:(i + 1) * size]) for i in range(length + 1)]
    rest = few(rng, data, blocks[0]) if len(blocks[0]) >= MINIMUM else frozenset(list(blocks[0])[:1])
    cells = [one(f"c{i}", column, blocks[i] | blocks[i + 1]) for i in range(length)]
    ends = blocks[0] - rest if length % 2 else blocks[0] - rest | blocks[length]
    if length % 2:  # c0 - c1 + c2 ... = b0 + b_length
        ends = (blocks[0] - rest) | blocks[length]
        last, sign = one("ends", column, ends), -1
        return [[c] for c in cells] + [[last]], {**{(i, 0): (-1) ** i for i in range(length)}, (length, 0): sign}
    extra = [one("first", column, blocks[0] - rest), one("last", column, blocks[length])]
    return [[c] for c in cells] + [extra], {**{(i, 0): (-1) ** i for i in range(length)}, (length, 0): -1, (length, 1): 1}


def cross_margins(rng, data, column):
    """A table of two keys without its small cells, and the margins of one of them."""
    for _ in range(200):
        a, b = rng.sample(sorted(data.keys), 2)
        row = rng.choice(sorted(data.keys[a]))
        cells = {v: data.keys[a][row] & u for v, u in data.keys[b].items()}
        small = {v for v, u in cells.items() if 0 < len(u) < MINIMUM}
        if len(small) == 1 and len(data.keys[a][row]) > 100:
            shown = [one(f"{row},{v}", column, u) for v, u in sorted(cells.items()) if len(u) >= MINIMUM]
            return [shown, [one(row, column, data.keys[a][row])]], {**{(0, i): -1 for i in range(len(shown))}, (1, 0): 1}
    raise IndexError


def moved_between(rng, data, column):
    """The same people but one: he goes, another comes. Their difference is told."""
    base = sorted(some_large(rng, data))
    rng.shuffle(base)
    count = rng.randint(1, (MINIMUM - 1) // 2)
    left = frozenset(base[2 * count:])
    return [[one("before", column, left | frozenset(base[:count]))], [one("after", column, left | frozenset(base[count:2 * count]))]], \
        {(0, 0): 1, (1, 0): -1}


def quarters(rng, data, column):
    """Two partitions of the same people, one with a few left out."""
    base = some_large(rng, data)
    order = sorted(base)
    rng.shuffle(order)
    out = frozenset(order[:rng.randint(1, MINIMUM - 1)])
    kept = [u for u in order if u not in out]
    first = [one(f"q{i}", column, order[i::4]) for i in range(4)]
    second = [one(f"t{i}", column, kept[i::3]) for i in range(3)]
    return [first, second], {**{(0, i): 1 for i in range(4)}, **{(1, i): -1 for i in range(3)}}


def weighted_pair(rng, data, column):
    """Sums with whole weights: 2A + B and A + B and A without few."""
    base = sorted(some_large(rng, data))
    rng.shuffle(base)
    half = len(base) // 2
    a, b = frozenset(base[:half]), frozenset(base[half:])
    out = frozenset(base[:rng.randint(1, min(MINIMUM - 1, half))])
    weight = rng.randint(2, 9)
    return ([[Cell("heavy", column, [(weight, a), (1, b)])], [one("both", column, a | b)], [one("cut", column, a - out)]],
            {(0, 0): 1, (1, 0): -1, (2, 0): -(weight - 1)})


def pooled(rng, data, column):
    releases, combination = but_few_two_runs(rng, data, column)
    return releases, combination, ["bank", "broker"]


def whole_is_known(rng, data, column):
    return [[one("nearly-all", "count", data.all - few(rng, data))]], {(0, 0): -1, "whole": 1}


KINDS = [but_few_one_table, but_few_two_runs, but_few_second_first, one_of_a_table, total_and_parts, total_and_parts_over_runs, missing_values,
         leave_one_out, one_hot, repeated_rows, nested_bands, two_band_sides, intersection, odd_circle, chain, cross_margins, moved_between,
         quarters, weighted_pair, pooled, whole_is_known]


def support(parts):
    """Over how many units a combination is: [(weight, terms)]."""
    total = Counter()
    for weight, terms in parts:
        for factor, units in terms:
            for unit in units:
                total[unit] += weight * factor
    return sum(v != 0 for v in total.values())


def decoys(rng, data):
    """Ordinary releases around an attack."""
    return [ordinary_table(rng, data) for _ in range(rng.randint(0, 2))]


def attacks(count, seed):
    rng, tables, writer = random.Random(seed), load(), Writer(sys.stdout)
    truth, seen, number, tries = {}, set(), 0, 0
    while number < count:
        kind, data = KINDS[tries % len(KINDS)], tables[rng.randrange(2)]
        tries += 1
        column = rng.choice(["count"] + data.numbers)
        try:
            made = kind(rng, data, column)
        except IndexError:
            if kind is not missing_values:
                continue
            made = kind(rng, tables[0], column)
            data = tables[0]
        releases, combination = made[0], made[1]
        people = made[2] if len(made) > 2 else ["bank"]
        parts = [(w, [(1, data.all)] if k == "whole" else releases[k[0]][k[1]].terms) for k, w in combination.items()]
        over = support(parts)
        place = (data.name, column, tuple(c.terms[0][1] for r in releases for c in r))
        if not 0 < over < MINIMUM or place in seen:
            continue
        seen.add(place)
        name = f"{kind.__name__}-{number}"
        sys.stdout.write(f"case {name} {MINIMUM}\n")
        if "whole" in combination:
            sys.stdout.write(f"whole {data.name} {writer.set(data.all)}\n" if data.all in writer.names else
                             (writer.set(data.all), f"whole {data.name} {writer.names[data.all]}\n")[1])
        for i, cells in enumerate(decoys(rng, data)):
            writer.release(f"decoy-{i}", "bank", data.name, cells)
        for i, cells in enumerate(releases):
            writer.release(f"run-{i}", people[i % len(people)], data.name, cells)
        truth[name] = {"units": over, "releases": [f"run-{i}" for i in range(len(releases))]}
        number += 1
    return truth


# --- ordinary work ---------------------------------------------------------------------------------------------------------------

def ordinary_table(rng, data):
    """A table by one or two keys, of all or of one group, whose cells are all large, perhaps with its total."""
    while True:
        keys = rng.sample(sorted(data.keys), rng.choice([1, 1, 2]))
        base, label = data.all, ""
        if rng.random() < 0.5:
            key = rng.choice([k for k in sorted(data.keys) if k not in keys])
            value = rng.choice(sorted(data.keys[key]))
            base, label = data.keys[key][value], f"[{key}={value}]"
        column = rng.choice(["count", "count"] + data.numbers)
        if column != "count":
            base = base & data.known(column)
        groups = [(",".join(values) + label, frozenset.intersection(base, *(data.keys[k][v] for k, v in zip(keys, values))))
                  for values in itertools.product(*(sorted(data.keys[k]) for k in keys))]
        if all(len(u) >= MINIMUM or not u for _, u in groups) and len(base) >= MINIMUM:
            cells = [one(name, column, u) for name, u in groups if u]
            return cells + ([one("(all)" + label, column, base)] if rng.random() < 0.5 else [])


def ordinary(count, seed):
    rng, tables, writer = random.Random(seed), load(), Writer(sys.stdout)
    truth = {}
    for number in range(count):
        data, cells = tables[rng.randrange(2)], {}
        sys.stdout.write(f"case ordinary-{number} {MINIMUM}\n")
        for i in range(rng.randint(2, 5)):
            table = ordinary_table(rng, data)
            writer.release(f"run-{i}", "bank", data.name, table)
            cells.update({f"run-{i}/{c.label}": [[w, sorted(u)] for w, u in c.terms] for c in table})
            cells[f"run-{i}/(all_cells_together)"] = [[w, sorted(u)] for c in table for w, u in c.terms]
        truth[f"ordinary-{number}"] = cells
    return truth


def history(count, seed):
    """Releases to one recipient, then 400 more: as ordinary as before, new cuts, and differences to those before: to one cell
    (attack), to three to five cells of one table (deep)."""
    rng, tables, writer = random.Random(seed), load(), Writer(sys.stdout)
    sys.stdout.write(f"case history {MINIMUM}\n")
    past = []
    for i in range(count):
        data = tables[rng.randrange(2)]
        table = ordinary_table(rng, data)
        past.append((data, table))
        writer.release(f"past-{i}", "bank", data.name, table)
    wide = [(place, data, cells) for place, (data, table) in enumerate(past) if len(cells := [c for c in table if not c.label.startswith("(all)")]) >= 7]
    for i in range(400):
        if i % 4 == 3:
            target, data, cells = rng.choice(wide)
            chosen = rng.sample(cells, rng.randint(3, 5))
            units = frozenset().union(*(c.terms[0][1] for c in chosen))
            writer.release(f"deep-{i}-on-past-{target}", "bank", data.name, [one("x", chosen[0].column, units - few(rng, data, units))])
            continue
        if i % 4 == 0:
            target = rng.randrange(count)
            data, table = past[target]
            cell = rng.choice(table)
            units = cell.terms[0][1]
            writer.release(f"attack-{i}-on-past-{target}", "bank", data.name, [one("x", cell.column, units - few(rng, data, units))])
            continue
        data = tables[rng.randrange(2)]
        if i % 4 == 1:
            writer.release(f"ordinary-{i}", "bank", data.name, ordinary_table(rng, data))
        else:  # a filter that nobody used before
            writer.release(f"new-{i}", "bank", data.name, [one(f"half{k}", "count", u) for k, u in enumerate(new_halves(rng, data))])
    return {}


def new_halves(rng, data):
    name = rng.choice(data.numbers)
    order = sorted(data.known(name), key=lambda i: (float(data.rows[i][name]), i))
    at = rng.randrange(len(order) // 4, len(order) * 3 // 4)
    return [frozenset(order[:at]), frozenset(order[at:])]


# --- judging ---------------------------------------------------------------------------------------------------------------------

def judge(path):
    with open(path) as file:
        truth = json.load(file)
    held, times, words_of = {}, {}, {}
    for line in sys.stdin:
        words = line.split()
        case, release, word, units, micro = words[0], words[1], words[2], int(words[4]), int(words[5])
        words_of[release] = word
        on = release.partition("-on-")[2]
        if words_of.get(on) == "held":
            continue  # what it builds on never left
        times.setdefault(release.split("-")[0], []).append((micro, word))
        if word == "held":
            held.setdefault(case, []).append((release, units, words[7:]))
    if any("releases" in t for t in truth.values()):
        return judge_attacks(truth, held)
    if truth:
        return judge_ordinary(truth, held)
    for kind, seen in sorted(times.items()):
        micro = sorted(m for m, _ in seen)
        print(f"{kind}: {len(seen)} decisions, {sum(w == 'held' for _, w in seen)} held, p50 {micro[len(micro) // 2] / 1000:.2f} ms, "
              f"p95 {micro[int(len(micro) * 0.95)] / 1000:.2f} ms, most {micro[-1] / 1000:.2f} ms")
    return 0


def judge_attacks(truth, held):
    by_kind = Counter()
    missed = []
    for name, attack in truth.items():
        if not any(r in attack["releases"] for r, _, _ in held.get(name, [])):
            missed.append(name)
        by_kind[name.rsplit("-", 1)[0]] += 1
    print(f"attacks: {len(truth)} of {len(by_kind)} kinds, {len(truth) - len(missed)} blocked = {100 * (1 - len(missed) / len(truth)):.1f} %")
    for name in missed:
        print("missed:", name)
    return 1 if missed else 0


def judge_ordinary(truth, held):
    untrue, true = [], []
    for name, findings in held.items():
        for _, units, parts in findings:
            words = [p.split("*", 1) for p in parts]
            over = support([(int(w), truth[name][label]) for w, label in words])
            (true if 0 < over < MINIMUM and over == units else untrue).append(name)
    print(f"ordinary workloads: {len(truth)}, held {len(held)} = {100 * len(held) / len(truth):.1f} %; "
          f"in {len(set(true))} the reported combination, added up here, is over fewer than {MINIMUM} units; in {len(set(untrue))} it is not: "
          f"false blocks {100 * len(set(untrue)) / len(truth):.1f} %")
    return 1 if untrue else 0


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "judge":
        return judge(sys.argv[2])
    make = {"attacks": attacks, "ordinary": ordinary, "history": history}
    if len(sys.argv) != 4 or sys.argv[1] not in make:
        print(__doc__, file=sys.stderr)
        return 2
    truth = make[sys.argv[1]](int(sys.argv[2]), int(sys.argv[3]))
    with os.fdopen(3, "w") as file:
        json.dump(truth, file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
