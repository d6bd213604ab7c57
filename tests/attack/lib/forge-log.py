#!/usr/bin/env python3
"""forge-log.py DIR edit|delete|insert|swap|truncate N [M]: what an insider with write access and no key can do.

Changes entry N of a tlog-tiles log and rewrites every bundle and tile, so that entries and hashes agree again. Prints the
new size. The checkpoint is left: its root cannot be signed. With FORGE_CHECKPOINT=1 its text is rewritten all the same,
under the old signature.
"""
import base64
import hashlib
import os
import shutil
import sys


def root(hashes):
    if len(hashes) < 2:
        return hashes[0] if hashes else hashlib.sha256(b"").digest()
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + root(hashes[:split]) + root(hashes[split:])).digest()


def name(index):
    digits = f"{index % 1000:03d}"
    while index >= 1000:
        index //= 1000
        digits = f"x{index % 1000:03d}/{digits}"
    return digits


def read_entries(directory, size):
    entries = []
    for index in range((size + 255) // 256):
        width = min(256, size - index * 256)
        path = f"{directory}/tile/entries/{name(index)}" + ("" if width == 256 else f".p/{width}")
        data = open(path, "rb").read()
        while data:
            length = int.from_bytes(data[:2], "big")
            entries.append(data[2:2 + length])
            data = data[2 + length:]
    return entries


def write(path, width, data):
    path += "" if width == 256 else f".p/{width}"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    open(path, "wb").write(data)


def main():
    directory, change, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
    lines = open(f"{directory}/checkpoint", encoding="utf-8").read().split("\n")
    entries = read_entries(directory, int(lines[1]))
    if change == "edit":
        entries[n] = entries[n].replace(b'"outcome":"', b'"outcome":"x', 1)
    elif change == "delete":
        del entries[n]
    elif change == "insert":
        entries.insert(n, entries[0])
    elif change == "swap":
        m = int(sys.argv[4])
        entries[n], entries[m] = entries[m], entries[n]
    elif change == "truncate":
        del entries[n:]
    shutil.rmtree(f"{directory}/tile")
    for start in range(0, len(entries), 256):
        part = entries[start:start + 256]
        write(f"{directory}/tile/entries/{name(start // 256)}", len(part), b"".join(len(e).to_bytes(2, "big") + e for e in part))
    hashes, level = [hashlib.sha256(b"\0" + e).digest() for e in entries], 0
    top = root(hashes)
    while hashes:
        for start in range(0, len(hashes), 256):
            part = hashes[start:start + 256]
            write(f"{directory}/tile/{level}/{name(start // 256)}", len(part), b"".join(part))
        hashes = [root(hashes[i:i + 256]) for i in range(0, len(hashes) // 256 * 256, 256)]
        level += 1
    if os.environ.get("FORGE_CHECKPOINT"):
        lines[1:3] = [str(len(entries)), base64.b64encode(top).decode()]
        open(f"{directory}/checkpoint", "w", encoding="utf-8").write("\n".join(lines))
    print(len(entries))


main()
