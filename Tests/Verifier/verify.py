#!/usr/bin/env python3
"""A verifier of an Edgeproof chain written from Docs/protocol.md alone, to show that the document is enough.

    verify.py --genesis genesis.json [--node URL] [--audit FILE]...

It knows no layout by heart: the definitions of the document's code blocks, and its table of parameters, are read and
become the decoders and encoders here. What it checks are the rules of the sections that are named below. It needs
nothing but Python's standard library. Ends with 1 at the first thing that is not as the document says.
"""

import argparse
import base64
import hashlib
import json
import os
import re
import sys
import urllib.parse
import urllib.request

DOCUMENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "Docs", "protocol.md")


class Wrong(Exception):
    pass


def require(condition, what):
    if not condition:
        raise Wrong(what)


def H(domain, *parts):
    return hashlib.sha256(domain.encode() + b"".join(parts)).digest()


# ---- Section 1: the encoding, out of the document's own definitions ------------------------------------------------

TOKEN = re.compile(r"\s*(?:(\d+)|([A-Za-z_]\w*)|(<=|[{}\[\]<>|:,=()]))")


class Definitions:
    """The types that the document's code blocks define."""

    FIXED = {"Digest": 32, "PublicKey": 32, "Signature": 64, "Account": 32, "KEMKey": 32}
    COUNTERS = {"Height", "View", "Epoch", "Time"}

    def __init__(self, text):
        self.types = {}
        for block in re.findall(r"^[ ]*```\n(.*?)^[ ]*```", text, re.S | re.M):
            for name, parameter, body in self.statements(block):
                if "||" in body or "(" in body.split("=")[0]:
                    continue
                try:
                    tokens = self.tokens(body)
                    parsed = self.alternatives(tokens)
                    require(not tokens, "rest " + str(tokens))
                except (Wrong, IndexError, ValueError):
                    # Not in the notation, so that nothing below may use it.
                    continue
                self.types[name] = (parameter, parsed)

    @staticmethod
    def statements(block):
        current = None
        for line in block.split("\n"):
            head = re.match(r"([A-Z]\w*)(?:<(\w)>)?\s*=\s*(.*)$", line)
            if head:
                if current:
                    yield current
                current = (head[1], head[2], head[3])
            elif current and line.startswith(" "):
                current = (current[0], current[1], current[2] + " " + line.strip())
            elif current:
                yield current
                current = None
        if current:
            yield current

    @staticmethod
    def tokens(text):
        found, place = [], 0
        text = text.strip()
        while place < len(text):
            match = TOKEN.match(text, place)
            require(match, "unreadable: " + text[place:])
            found.append(match[1] or match[2] or match[3])
            place = match.end()
        return found

    def alternatives(self, tokens):
        """Cases of an enum, or one type."""
        if not tokens[0].isdigit():
            return self.type(tokens)
        cases = {}
        while True:
            tag = int(tokens.pop(0))
            if tokens and tokens[0] == ":":
                tokens.pop(0)
            name, content = None, None
            if tokens and re.match(r"[a-z]", tokens[0]):
                name = tokens.pop(0)
            if tokens and tokens[0] != "|":
                content = self.type(tokens)
            cases[tag] = (name, content)
            if not tokens:
                return ("enum", cases)
            require(tokens.pop(0) == "|", "a case ends with |")

    def type(self, tokens):
        token = tokens.pop(0)
        if token == "{":
            return self.fields(tokens)
        if token == "[":
            element = self.type(tokens)
            require(tokens.pop(0) == "]", "a list ends with ]")
            if tokens[:2] == ["for", "each"]:
                require(tokens[2:4] == ["bit", "of"], "for each bit of")
                field = tokens[4]
                del tokens[:5]
                return ("bits", element, field)
            return ("list", element, self.limit(tokens))
        if token in ("bytes", "string"):
            return (token, self.limit(tokens))
        if token in ("Option", "Vote", "Certificate", "Proven") or (tokens and tokens[0] == "<" and token[0].isupper()):
            require(tokens.pop(0) == "<", "a parameter")
            inner = self.type(tokens)
            require(tokens.pop(0) == ">", "a parameter's end")
            return ("option", inner) if token == "Option" else ("generic", token, inner)
        return ("name", token)

    @staticmethod
    def limit(tokens):
        if tokens and tokens[0] == "<=":
            tokens.pop(0)
            return int(tokens.pop(0))
        return None

    def fields(self, tokens):
        found = []
        while tokens[0] != "}":
            name = tokens.pop(0)
            constant = None
            if tokens[0] == ":":
                tokens.pop(0)
                kind = self.type(tokens)
            else:
                kind = ("name", name[0].upper() + name[1:])
            if tokens[0] == "=":
                tokens.pop(0)
                constant = int(tokens.pop(0))
            found.append((name, kind, constant))
            if tokens[0] == ",":
                tokens.pop(0)
        tokens.pop(0)
        return ("struct", found)

    # Decoding and encoding

    def decode(self, name, data):
        """A value of this type that takes all the bytes."""
        reader = Reader(data)
        value = self.read(("name", name) if isinstance(name, str) else name, reader, {})
        require(reader.place == len(data), f"bytes follow the end of a {name}")
        return value

    def resolve(self, kind, bound):
        if kind[0] == "generic":
            require(kind[1] in self.types, f"the document does not define {kind[1]}")
            parameter, body = self.types[kind[1]]
            return body, {parameter: (kind[2], bound)}
        if kind[0] == "name" and kind[1] in bound:
            inner, outer = bound[kind[1]]
            return inner, outer
        if kind[0] == "name" and kind[1] in self.types:
            return self.types[kind[1]][1], {}
        return kind, bound

    def read(self, kind, reader, bound, siblings=None):
        what = kind[0]
        if what == "struct":
            value = {}
            for name, field, constant in kind[1]:
                value[name] = self.read(field, reader, bound, value)
                require(constant is None or value[name] == constant, f"{name} is {value[name]}, not {constant}")
            return value
        if what == "enum":
            tag = reader.integer(1)
            require(tag in kind[1], f"unknown tag {tag}")
            name, content = kind[1][tag]
            value = {"tag": tag, "name": name}
            if content is not None:
                value["value"] = self.read(content, reader, bound)
            return value
        if what == "list":
            count = reader.integer(4)
            require(kind[2] is None or count <= kind[2], f"a list of {count}, over {kind[2]}")
            return [self.read(kind[1], reader, bound) for _ in range(count)]
        if what == "bits":
            field = siblings[kind[2]]
            count = sum(bin(byte).count("1") for byte in field) if isinstance(field, bytes) else bin(field).count("1")
            return [self.read(kind[1], reader, bound) for _ in range(count)]
        if what in ("bytes", "string"):
            count = reader.integer(4)
            require(kind[1] is None or count <= kind[1], f"{count} bytes, over {kind[1]}")
            found = reader.take(count)
            return found if what == "bytes" else found.decode()
        if what == "option":
            tag = reader.integer(1)
            require(tag < 2, f"an Option of {tag}")
            return self.read(kind[1], reader, bound) if tag else None
        resolved, inner = self.resolve(kind, bound)
        if resolved is not kind:
            return self.read(resolved, reader, inner)
        name = kind[1]
        if re.fullmatch(r"u(8|16|32|64|128)", name):
            return reader.integer(int(name[1:]) // 8)
        if name in self.COUNTERS:
            return reader.integer(8)
        if name == "bool":
            value = reader.integer(1)
            require(value < 2, f"a bool of {value}")
            return value == 1
        if name == "Role":
            return reader.integer(1)
        require(name in self.FIXED, f"the document does not define {name}")
        return reader.take(self.FIXED[name])

    def encode(self, name, value):
        return self.write(("name", name) if isinstance(name, str) else name, value, {})

    def write(self, kind, value, bound):
        what = kind[0]
        if what == "struct":
            return b"".join(self.write(field, value[name] if constant is None else constant, bound)
                            for name, field, constant in kind[1])
        if what == "enum":
            name, content = kind[1][value["tag"]]
            return bytes([value["tag"]]) + (self.write(content, value["value"], bound) if content is not None else b"")
        if what == "list":
            return len(value).to_bytes(4, "little") + b"".join(self.write(kind[1], item, bound) for item in value)
        if what == "bits":
            return b"".join(self.write(kind[1], item, bound) for item in value)
        if what in ("bytes", "string"):
            data = value if what == "bytes" else value.encode()
            return len(data).to_bytes(4, "little") + data
        if what == "option":
            return b"\0" if value is None else b"\1" + self.write(kind[1], value, bound)
        resolved, inner = self.resolve(kind, bound)
        if resolved is not kind:
            return self.write(resolved, value, inner)
        name = kind[1]
        if re.fullmatch(r"u(8|16|32|64|128)", name):
            return value.to_bytes(int(name[1:]) // 8, "little")
        if name in self.COUNTERS:
            return value.to_bytes(8, "little")
        if name in ("bool", "Role"):
            return bytes([value])
        require(len(value) == self.FIXED[name], f"a {name} of {len(value)} bytes")
        return value


class Reader:
    def __init__(self, data):
        self.data, self.place = data, 0

    def take(self, count):
        require(self.place + count <= len(self.data), "the bytes end too early")
        self.place += count
        return self.data[self.place - count:self.place]

    def integer(self, size):
        return int.from_bytes(self.take(size), "little")


def read_document(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    definitions = Definitions(text)
    # Section 6: the table of parameters, which are one struct in the order of its rows.
    rows = re.findall(r"^\| `(\w+)` \| (u32|u64) \|", text, re.M)
    require(len(rows) > 20, "the document has no table of parameters")
    definitions.types["Parameters"] = (None, ("struct", [(name, ("name", width), None) for name, width in rows]))
    return definitions


# ---- Sections 1 and 2: addresses and signatures --------------------------------------------------------------------

ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def polymod(values):
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            if top >> bit & 1:
                checksum ^= generator
    return checksum


PREFIX = [ord(c) >> 5 for c in "edge"] + [0] + [ord(c) & 31 for c in "edge"]


def account_of(address):
    require(re.fullmatch("edge1[" + ALPHABET + "]{58}", address), f"{address} is no address")
    values = [ALPHABET.index(c) for c in address[5:]]
    require(polymod(PREFIX + values) == 0x2BC830A3, f"{address} has a wrong checksum")
    number = 0
    for value in values[:52]:
        number = number << 5 | value
    require(number & 15 == 0, f"{address} has padding that is not zero")
    return (number >> 4).to_bytes(32, "big")


P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def add(a, b):
    (x1, y1, z1, t1), (x2, y2, z2, t2) = a, b
    e, f = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    g, h = 2 * D * t1 * t2 % P, 2 * z1 * z2 % P
    p, q, r, s = f - e, h - g, h + g, f + e
    return p * q % P, r * s % P, q * r % P, p * s % P


def times(scalar, point):
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def point_of(data):
    """Rule 2: y modulo p, any encoding; nothing where y belongs to no point."""
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, (number & (1 << 255) - 1) % P
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P != u:
        x = x * ROOT % P
    if v * x * x % P != u:
        return None
    if x & 1 != sign:
        x = -x % P
    return x, y, 1, x * y % P


BASE = point_of((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def is_signed(key, signature, message):
    R, s = signature[:32], int.from_bytes(signature[32:], "little")
    a, r = point_of(key), point_of(R)
    if s >= L or a is None or r is None:
        return False
    k = int.from_bytes(hashlib.sha512(R + key + message).digest(), "little") % L
    x, y, z, t = add(r, times(k, a))
    difference = times(8, add(times(s, BASE), (-x % P, y, z, -t % P)))
    return difference[0] == 0 and (difference[1] - difference[2]) % P == 0


# ---- Sections 4 to 6: blocks, certificates, the genesis ------------------------------------------------------------

def merkle(leaves):
    """RFC 9162."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\1" + merkle(leaves[:split]) + merkle(leaves[split:])).digest()


def frontier(leaves):
    """The roots of the perfect subtrees, largest first."""
    roots, place = [], 0
    for bit in reversed(range(len(leaves).bit_length())):
        if len(leaves) >> bit & 1:
            roots.append(merkle(leaves[place:place + (1 << bit)]))
            place += 1 << bit
    return roots


class Chain:
    def __init__(self, definitions, genesis_file):
        self.types = definitions
        with open(genesis_file, encoding="utf-8") as file:
            document = json.load(file)
        self.genesis = {
            "chainName": document["chainName"], "time": int(document["time"]), "parameters": document["parameters"],
            "masternodes": [
                {"name": m["name"], "consensusKey": bytes.fromhex(m["consensusKey"]), "owner": account_of(m["owner"]),
                 "beaconTip": bytes.fromhex(m["beaconTip"])} for m in document["masternodes"]],
            "allocations": sorted(
                ({"account": account_of(a["account"]), "balance": int(a["balance"])} for a in document["allocations"]),
                key=lambda allocation: allocation["account"]),
        }
        self.hash = H("edgeproof/genesis/1", self.types.encode("Genesis", self.genesis))
        require("genesisHash" not in document or document["genesisHash"] == self.hash.hex(),
                f"the genesis hashes to {self.hash.hex()}, the file says {document.get('genesisHash')}")

    def digest(self, header):
        return H("edgeproof/block/1", self.hash, self.types.encode("Header", header))

    def set_hash(self, members):
        return H("edgeproof/masternode-set/1", self.types.encode(("list", ("name", "Masternode"), None), members))

    def check_certificate(self, certificate, kind, domain, members):
        """Section 5: a quorum of the set signed the subject."""
        bitmap = certificate["bitmap"]
        require(not bitmap or bitmap[-1] != 0, "a bitmap ends with a zero byte")
        signers = [i for i in range(8 * len(bitmap)) if bitmap[i // 8] >> i % 8 & 1]
        require(all(i < len(members) for i in signers), "a signer is outside the set")
        quorum = len(members) - (len(members) - 1) // 3
        require(len(signers) >= quorum, f"{len(signers)} signers, the quorum is {quorum}")
        message = domain.encode() + self.hash + self.types.encode(kind, certificate["subject"])
        for signer, signature in zip(signers, certificate["signatures"]):
            require(is_signed(members[signer]["consensusKey"], signature, message), f"signer {signer} did not sign")

    def check_final(self, header, descendants, finalization, members):
        """Section 8: a Finalization of the header, or of a descendant with the headers that lead there."""
        last = header
        for next_header in descendants:
            require(next_header["parent"] == self.digest(last), "a header does not name its parent")
            require(next_header["height"] == last["height"] + 1 and next_header["epoch"] == header["epoch"]
                    and next_header["time"] > last["time"] and next_header["view"] > last["view"],
                    "headers do not rise without a gap in one epoch")
            last = next_header
        subject = finalization["subject"]
        require(header["activeSetHash"] == self.set_hash(members), "the header names another set")
        require(subject["digest"] == self.digest(last), "the Finalization is about another block")
        require(subject["epoch"] == last["epoch"] and subject["view"] >= last["view"], "the Finalization is of another view")
        self.check_certificate(finalization, "Finalize", "edgeproof/finalize/1", members)

    def follow(self, links):
        """Section 6a, light clients: the set that the links lead to."""
        members, epoch, height = self.genesis["masternodes"], 0, 0
        for link in links:
            header = link["header"]
            require(header["epoch"] >= epoch and header["height"] > height and header["epoch"] < 2**64 - 1, "links do not ascend")
            self.check_final(header, [], link["finalization"], members)
            require(self.set_hash(link["nextSet"]) == header["nextSetHash"], "a link gives another next set")
            keys = [member["consensusKey"] for member in link["nextSet"]]
            require(keys and len(set(keys)) == len(keys), "a next set is empty or has a key twice")
            members, epoch, height = link["nextSet"], header["epoch"] + 1, header["height"]
        return members, epoch, height

    # Section 7

    def genesis_state(self):
        """The whole state before block 1, by key."""
        genesis, parameters = self.genesis, self.genesis["parameters"]
        encode = self.types.encode
        randomness = H("edgeproof/beacon/1", self.hash)
        zero = {"sequence": 0, "balance": 0, "locked": 0, "deposit": 0, "sponsor": None, "lent": 0, "credits": 0,
                "creditTime": genesis["time"], "history": {"size": 0, "subtrees": []}}
        accounts = {}
        for allocation in genesis["allocations"]:
            accounts[allocation["account"]] = dict(zero, balance=allocation["balance"])
        state, supply = {}, sum(allocation["balance"] for allocation in genesis["allocations"])
        for member in genesis["masternodes"]:
            key, collateral = member["consensusKey"], parameters["collateral"]
            supply += collateral
            accounts.setdefault(key, dict(zero))["locked"] = collateral
            state[b"b" + key] = member["beaconTip"]
            state[b"m" + key] = encode("MasternodeRecord", {
                "masternode": member, "collateral": collateral, "status": {"tag": 0, "value": {"from": 0}},
                "registeredAt": 0, "lastSeen": 0})
        for account, record in accounts.items():
            stake = record["balance"] + record["locked"] + record["deposit"]
            record["credits"] = min(stake // parameters["balancePerCredit"], 2**64 - 1)
            state[b"a" + account] = encode("AccountRecord", record)
        for epoch in (0, 1):
            state[b"e" + epoch.to_bytes(8, "little")] = encode(
                "EpochPlan", {"epoch": epoch, "seed": randomness, "set": genesis["masternodes"]})
        number = lambda value, size=8: value.to_bytes(size, "little")
        state[b"gheight"], state[b"gtime"], state[b"grandomness"] = number(0), number(genesis["time"]), randomness
        state[b"gsupply"] = number(supply, 16)
        state[b"gschedule"] = encode("ScheduleCounters", {"count": 0, "nextNumber": 0, "nextTicket": 0})
        state[b"gmasternodes"] = encode(("list", ("name", "PublicKey"), None), [m["consensusKey"] for m in genesis["masternodes"]])
        state[b"gepoch"] = encode("EpochProgress", {
            "epoch": 0, "startHeight": 0, "startTime": genesis["time"], "protocolVersion": 1, "seen": b""})
        state[b"gproposals"] = encode("ProposalIndex", {"next": 1, "open": []})
        return state

    def check_proof(self, root, key, value, proof):
        path = hashlib.sha256(key).digest()
        end, empty = proof["end"], H("edgeproof/state-empty/1")
        if end["tag"] == 0:
            require(value is not None, "a proof of nothing ends at the claimed leaf")
            running = H("edgeproof/state-leaf/1", path, H("edgeproof/state-value/1", value))
        elif end["tag"] == 1:
            require(value is None, "a proof of a value ends at nothing")
            running = empty
        else:
            other = end["value"]
            require(value is None and other["path"] != path, "a proof of a value ends at another leaf")
            depth = len(proof["siblings"])
            require(bits(other["path"])[:depth] == bits(path)[:depth], "the other leaf stands elsewhere")
            running = H("edgeproof/state-leaf/1", other["path"], other["valueHash"])
        require(not proof["siblings"] or proof["siblings"][0] != empty, "the deepest sibling is empty")
        for place, sibling in enumerate(proof["siblings"]):
            depth = len(proof["siblings"]) - 1 - place
            pair = (sibling, running) if bits(path)[depth] == "1" else (running, sibling)
            running = H("edgeproof/state-inner/1", *pair)
        require(running == root, "a proof does not lead to the state root")

    # Section 8

    def check_audit(self, data):
        magic = b"EDGEPROOF-AUDIT"
        require(data.startswith(magic), "this is no audit file")
        require(hashlib.sha256(data[:-32]).digest() == data[-32:], "the checksum is wrong")
        reader = Reader(data[:-32])
        reader.take(len(magic))
        read = lambda kind: self.types.read(kind, reader, {})
        listed = lambda name: read(("list", ("name", name), None))
        proven = lambda name: (read(("option", ("name", name))), read(("name", "StateProof")))
        require(reader.integer(1) == 2, "another version of the audit file")
        require(reader.take(32) == self.hash, "the file is of another chain")
        account = reader.take(32)
        links, header, descendants = listed("EpochLink"), read(("name", "Header")), listed("Header")
        finalization, record = read(("name", "Finalization")), proven("AccountRecord")
        entries = listed("HistoryEntry")
        reputation = [proven("ReputationRecord") for _ in range(5)]
        require(reader.place == len(reader.data), "bytes follow the end of the file")

        members, epoch, height = self.follow(links)
        require(header["height"] > height and header["epoch"] >= epoch, "the header is not above the last link")
        self.check_final(header, descendants, finalization, members)
        encoded = lambda name, value: None if value is None else self.types.encode(name, value)
        self.check_proof(header["stateRoot"], b"a" + account, encoded("AccountRecord", record[0]), record[1])
        for role, (value, proof) in enumerate(reputation):
            self.check_proof(header["stateRoot"], b"r" + account + bytes([role]), encoded("ReputationRecord", value), proof)

        history = record[0]["history"] if record[0] else {"size": 0, "subtrees": []}
        require(len(entries) == history["size"], "the history is not complete")
        require(frontier([self.types.encode("HistoryEntry", entry) for entry in entries]) == history["subtrees"],
                "the history hashes to something else")
        sequence, height, time, counters = 0, 0, 0, {}
        for index, entry in enumerate(entries):
            require(entry["index"] == index and entry["height"] >= height and entry["time"] >= time, "entries descend")
            height, time = entry["height"], entry["time"]
            require(height < header["height"] and time <= header["time"], "an entry is of after the header")
            content = entry["content"]
            if content["tag"] == 0:
                transaction = content["value"]["transaction"]
                require(transaction["sender"] == account and transaction["sequence"] == sequence, "an action is missing")
                sequence += 1
            else:
                self.find(counters, content["value"], time)
        require(sequence == (record[0]["sequence"] if record[0] else 0), "there are other actions than the record says")
        for role, (value, _) in enumerate(reputation):
            require(counters.get(role) == value, f"the findings do not give the reputation in role {role}")
        return account, len(entries), sequence, {role: self.score(value) for role, (value, _) in enumerate(reputation) if value}

    def find(self, counters, finding, time):
        """Section 7: what a finding adds, after the decay to its period."""
        weight, top = finding["weight"], 2**64 - 1
        positive, negative = {
            0: (weight, 0), 1: (min(2 * weight, top), 0), 2: (weight // 2, 0), 3: (0, weight // 4), 4: (0, weight // 8),
            5: (0, weight), 6: (0, 0), 7: (0, 0)}[finding["kind"]]
        if positive == 0 and negative == 0:
            return
        period = time // self.genesis["parameters"]["decayPeriodMs"]
        record = counters.setdefault(finding["role"], {"positive": 0, "negative": 0, "period": 0})
        for _ in range(max(0, period - record["period"])):
            fade = record["positive"] >> 8, record["negative"] >> 10
            if fade == (0, 0):
                break
            record["positive"] -= fade[0]
            record["negative"] -= fade[1]
        record["period"] = max(record["period"], period)
        record["positive"] = min(record["positive"] + positive, top)
        record["negative"] = min(record["negative"] + negative, top)

    @staticmethod
    def score(record):
        return (record["positive"] << 20) // (record["positive"] + 4 * record["negative"] + 64 * 2**20)


def bits(path):
    return bin(int.from_bytes(path, "big") | 1 << 256)[3:]


def root_of(state):
    leaves = sorted((hashlib.sha256(key).digest(), H("edgeproof/state-value/1", value)) for key, value in state.items())

    def subtree(leaves, depth):
        if not leaves:
            return H("edgeproof/state-empty/1")
        if len(leaves) == 1:
            return H("edgeproof/state-leaf/1", *leaves[0])
        left = [leaf for leaf in leaves if bits(leaf[0])[depth] == "0"]
        return H("edgeproof/state-inner/1", subtree(left, depth + 1), subtree(leaves[len(left):], depth + 1))

    return subtree(leaves, 0)


# ---- Section 9a: a running node ------------------------------------------------------------------------------------

class Node:
    def __init__(self, url, chain):
        self.url, self.chain, self.types = url.rstrip("/"), chain, chain.types

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return answer.read()

    def json(self, path):
        return json.loads(self.get(path))

    def block(self, height):
        data = self.get(f"/v1/blocks/{height}/raw")
        block = self.types.decode("Block", data)
        require(self.types.encode("Block", block) == data, "a block has another encoding than its own")
        header = block["header"]
        certificate = H("edgeproof/parent-certificate/1", self.types.encode("ParentCertificate", block["parentCertificate"]))
        require(certificate == header["parentCertificateHash"], f"block {height} holds another parent certificate")
        leaves = [self.types.encode("SignedTransaction", transaction) for transaction in block["transactions"]]
        require(merkle(leaves) == header["transactionsRoot"], f"the transactions of block {height} hash to something else")
        return block

    def check(self):
        chain = self.chain
        status = self.json("/v1/status")
        require(status["genesisHash"] == chain.hash.hex(), f"the node is on the chain {status['genesisHash']}")
        print("genesis hash", chain.hash.hex())

        # Section 4: block 1 certifies the genesis state, and names block 0.
        first = self.block(1)["header"]
        require(first["stateRoot"] == root_of(chain.genesis_state()), "the genesis state has another root than block 1 says")
        print("genesis state root", first["stateRoot"].hex())
        empty, sets = merkle([]), chain.set_hash(chain.genesis["masternodes"])
        zero = {
            "version": 1, "height": 0, "view": 0, "epoch": 0, "parent": bytes(32), "proposer": 0,
            "time": chain.genesis["time"], "transactionsRoot": empty, "stateRoot": first["stateRoot"],
            "receiptsRoot": empty, "gasUsed": 0, "reveal": bytes(32), "randomness": H("edgeproof/beacon/1", chain.hash),
            "activeSetHash": sets, "nextSetHash": sets, "parentCertificateHash": H("edgeproof/parent-certificate/1", b"\0")}
        require(first["parent"] == chain.digest(zero), "block 1 names another block 0")

        # The chain of headers, its randomness and its certificates; transactions by id and signature.
        head = int(status["head"]["height"])
        before, known = zero, {}
        members = chain.genesis["masternodes"]
        for height in range(1, min(head, 40) + 1):
            block = self.block(height)
            header = block["header"]
            require(header["parent"] == chain.digest(before) and header["time"] > before["time"], f"block {height} has another parent")
            require(header["randomness"] == H("edgeproof/beacon-mix/1", before["randomness"], header["reveal"]),
                    f"block {height} mixes the randomness otherwise")
            if header["epoch"] == 0 and height > 1:
                certificate = block["parentCertificate"]
                kind, domain = {1: ("Proposal", "edgeproof/notarize/1"), 2: ("Finalize", "edgeproof/finalize/1")}[certificate["tag"]]
                require(certificate["value"]["subject"]["digest"] == header["parent"], f"block {height} certifies another parent")
                if height < 6:
                    chain.check_certificate(certificate["value"], kind, domain, members)
            for signed in block["transactions"]:
                body = self.types.encode("Transaction", signed["transaction"])
                known[H("edgeproof/tx/1", chain.hash, body)] = (height, signed, body)
            before = header
        print(f"headers 1 to {before['height']}, their parents, roots and randomness")
        for identity, (height, signed, body) in list(known.items())[:8]:
            sender, signature = signed["transaction"]["sender"], signed["authorization"]["value"]["signature"]
            require(is_signed(sender, signature, b"edgeproof/tx/1" + chain.hash + body), "a transaction has a wrong signature")
            found = self.json("/v1/transactions/" + identity.hex())
            require(int(found["inclusion"]["height"]) == height, "the node has the transaction elsewhere")
        print(f"{len(known)} transaction ids, {min(len(known), 8)} of them asked for and their signatures checked")

        # Finality of the newest block, and proofs against its state.
        proof = self.json(f"/v1/blocks/{head}/finality")
        headers = [self.types.decode("Header", base64.b64decode(text)) for text in proof["headers"]]
        finalization = self.types.decode("Finalization", base64.b64decode(proof["finalization"]))
        if headers[0]["activeSetHash"] == sets:
            chain.check_final(headers[0], headers[1:], finalization, members)
        print(f"block {headers[0]['height']} is final")
        keys = [b"gepoch", b"gsupply", b"grewardPool", b"gparameters", b"a" + members[0]["consensusKey"],
                b"m" + members[0]["consensusKey"], b"e" + bytes(8), b"a" + bytes(32)]
        decoders = {b"ge": "EpochProgress", b"gs": None, b"m": "MasternodeRecord", b"e": "EpochPlan", b"a": "AccountRecord"}
        present = 0
        for key in keys:
            answer = self.json("/v1/state/" + key.hex())
            header = self.types.decode("Header", base64.b64decode(answer["header"]))
            finalization = self.types.decode("Finalization", base64.b64decode(answer["finalization"]))
            if header["activeSetHash"] == sets:
                chain.check_final(header, [], finalization, members)
            value = base64.b64decode(answer["value"]) if "value" in answer else None
            chain.check_proof(header["stateRoot"], key, value, self.types.decode("StateProof", base64.b64decode(answer["proof"])))
            name = decoders.get(key[:2], decoders.get(key[:1]))
            if value is not None:
                present += 1
                if name:
                    require(self.types.encode(name, self.types.decode(name, value)) == value, f"a {name} of another layout")
        print(f"{len(keys)} state values proven, {len(keys) - present} of them to be absent")
        for service in self.json("/v1/services?kind=job&limit=5")["services"]:
            self.check_job(service["id"])

    def check_job(self, name):
        """Section 10: what the contract answers, beside what the node makes of it."""
        path = "/v1/services/" + urllib.parse.quote(name, safe="")
        job = self.json(path + "/job")

        def ask(query, kind):
            request = urllib.request.Request(self.url + path + "/query", data=bytes([query]), method="POST")
            request.add_header("content-type", "application/octet-stream")
            with urllib.request.urlopen(request, timeout=30) as answer:
                data = base64.b64decode(json.loads(answer.read())["data"])
            return self.types.decode(("list", ("name", kind), 64), data)

        workers, rounds = ask(1, "JobParticipant"), ask(2, "JobRound")
        require([account_of(worker["account"]) for worker in job["workers"]] == [worker["account"] for worker in workers],
                f"the job {name} has other workers")
        require([(entry["round"], int(entry["metricMicro"]), entry["checkpoint"]) for entry in job["history"]]
                == [(entry["round"], entry["metricMicro"], entry["checkpoint"].hex()) for entry in rounds],
                f"the job {name} has other rounds")
        print(f"job {name}: {len(workers)} workers and {len(rounds)} rounds")


def forge(chain, data):
    """Changes one bit at places all over the file and puts the checksum right: nothing of it may be taken."""
    count = 40
    for place in range(16, len(data) - 32, max(1, (len(data) - 48) // count)):
        forged = bytearray(data[:-32])
        forged[place] ^= 1 << place % 8
        try:
            chain.check_audit(bytes(forged) + hashlib.sha256(forged).digest())
        except (Wrong, KeyError, UnicodeDecodeError):
            continue
        raise Wrong(f"a file with a changed bit at byte {place} was taken")
    return count


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--genesis", required=True)
    parser.add_argument("--node")
    parser.add_argument("--audit", action="append", default=[])
    parser.add_argument("--document", default=DOCUMENT)
    options = parser.parse_args()
    try:
        chain = Chain(read_document(options.document), options.genesis)
        if options.node:
            Node(options.node, chain).check()
        for path in options.audit:
            with open(path, "rb") as file:
                data = file.read()
            account, entries, actions, scores = chain.check_audit(data)
            print(f"audit of {account.hex()[:16]}: {entries} entries, {actions} actions, scores {scores}")
            forged = forge(chain, data)
            print(f"  {forged} forgeries of it refused")
    except (Wrong, KeyError) as error:
        sys.exit(f"error: {error if isinstance(error, Wrong) else 'there is no ' + str(error)}")
    print("everything is as Docs/protocol.md says")


if __name__ == "__main__":
    main()
