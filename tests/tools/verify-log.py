#!/usr/bin/env python3
"""verify-log.py DIR VKEY: verifies a tlog-tiles log; written from the specifications alone, as a second opinion.

Recomputes every leaf, every tile and the root from the entry bundles, compares the tiles' files, and checks the
checkpoint's Ed25519 signature with the openssl program.
"""
import base64
import hashlib
import os
import subprocess
import sys
import tempfile


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def root(hashes):
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return node(root(hashes[:split]), root(hashes[split:]))


def path(directory, kind, index, width):
    digits = f"{index % 1000:03d}"
    while index >= 1000:
        index //= 1000
        digits = f"x{index % 1000:03d}/{digits}"
    name = os.path.join(directory, "tile", str(kind), digits)
    return name if width == 256 else f"{name}.p/{width}"


def signed(text, signature, key):
    """Ed25519, by openssl: the public key as SubjectPublicKeyInfo."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in (("key", bytes.fromhex("302a300506032b6570032100") + key), ("text", text), ("sig", signature)):
            with open(os.path.join(folder, name), "wb") as file:
                file.write(content)
        return subprocess.run(["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER", "-inkey", "key", "-in", "text",
                               "-sigfile", "sig"], cwd=folder, capture_output=True).returncode == 0


def read_checkpoint(directory, vkey):
    name, key_id, encoded = vkey.split("+", 2)
    key = base64.b64decode(encoded)
    assert hashlib.sha256(name.encode() + b"\n" + key).digest()[:4].hex() == key_id, "key identifier"
    message = open(os.path.join(directory, "checkpoint"), "rb").read()
    text, _, signatures = message.rpartition(b"\n\n")
    text += b"\n"
    for line in signatures.splitlines():
        dash, signer, blob = line.decode().split(" ")
        blob = base64.b64decode(blob)
        if dash == "\u2014" and signer == name and blob[:4].hex() == key_id:
            assert signed(text, blob[4:], key[1:]), "signature"
            break
    else:
        raise AssertionError("not signed by the key")
    lines = text.decode().splitlines()
    return int(lines[1]), base64.b64decode(lines[2])


def main():
    directory, vkey = sys.argv[1:]
    size, signed_root = read_checkpoint(directory, vkey)
    leaves = []
    for index in range((size + 255) // 256):
        width = min(256, size - index * 256)
        bundle = open(path(directory, "entries", index, width), "rb").read()
        for _ in range(width):
            length = int.from_bytes(bundle[:2], "big")
            assert len(bundle) >= 2 + length, "bundle"
            leaves.append(hashlib.sha256(b"\0" + bundle[2:2 + length]).digest())
            bundle = bundle[2 + length:]
        assert not bundle, "bundle"
    assert root(leaves) == signed_root, "root"
    hashes, level = leaves, 0
    while hashes:
        for index in range((len(hashes) + 255) // 256):
            tile = hashes[index * 256:index * 256 + 256]
            assert open(path(directory, level, index, len(tile)), "rb").read() == b"".join(tile), "tile"
        hashes = [root(hashes[i:i + 256]) for i in range(0, len(hashes) // 256 * 256, 256)]
        level += 1
    print(size, "entries verified")


main()
