"""Asks a node for what there is, by every GET operation of its /openapi.json, and holds the answers against the schemas:
see scripts/check-api, whose second half makes requests up and so meets little but refusals."""

import json
import re
import sys
import urllib.error
import urllib.parse
import urllib.request

import jsonschema_rs


class Node:
    def __init__(self, url):
        self.url = url.rstrip("/")
        self.description = json.loads(self.get("/openapi.json")[1])
        self.faults = []

    def get(self, path, method="GET"):
        """Status, body and media type."""
        request = urllib.request.Request(self.url + path, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read(), answer.headers.get_content_type()
        except urllib.error.HTTPError as error:
            return error.code, error.read(), error.headers.get_content_type()

    def json(self, path):
        return json.loads(self.get(path)[1])

    def fault(self, where, what):
        print(f"  {where}: {what}", flush=True)
        self.faults.append(where)

    def hold(self, where, document, schema):
        # References lead into the description.
        whole = {"$ref": "#/schema", "schema": schema, "components": self.description["components"]}
        if not isinstance(schema, dict) or not schema:
            return
        validator = jsonschema_rs.validator_for(dict(whole, **{"$schema": "https://json-schema.org/draft/2020-12/schema"}))
        for error in validator.iter_errors(document):
            self.fault(where, f"{error.message[:200]} at {'/'.join(str(part) for part in error.instance_path)}")

    def examples(self):
        """Values for the parameters, out of what the lists show: one for each parameter, or several."""
        part = lambda text: urllib.parse.quote(text, safe="")
        head = int(self.json("/v1/status")["head"]["height"])
        accounts = [entry["account"] for entry in self.json("/v1/accounts?limit=100")["accounts"]]
        services = self.json("/v1/services?limit=50")["services"]
        listed = self.json("/v1/transactions?limit=100")["transactions"]
        return {
            "height": ["1", str(max(1, head // 2)), str(head), "latest"], "account": accounts[:12],
            "service": [part(service["id"]) for service in services] or ["none"],
            "id": [entry["transaction"]["id"] for entry in listed[:30]] or ["00" * 32],
            "consensusKey": [member["consensusKey"] for member in self.json("/v1/masternodes")["masternodes"]],
            "number": [str(proposal["number"]) for proposal in self.json("/v1/proposals")["proposals"]] or ["1"],
            "hash": [service["codeHash"] for service in services] or ["00" * 32],
            "key": [b"gepoch".hex(), b"gparameters".hex(), "61" + "00" * 32],
        }

    def check(self):
        examples = self.examples()
        asked = 0
        for path, methods in self.description["paths"].items():
            if "get" not in methods or path == "/v1/events":
                continue
            operation = methods["get"]
            names = re.findall(r"\{(\w+)\}", path)
            for index in range(max([len(examples[name]) for name in names] or [1])):
                target = path
                for name in names:
                    values = examples[name]
                    target = target.replace("{" + name + "}", values[min(index, len(values) - 1)])
                status, body, media = self.get(target)
                asked += 1
                if str(status) not in operation["responses"]:
                    self.fault(target, f"answers {status}, which is not described")
                    continue
                response = operation["responses"][str(status)]
                if "$ref" in response:
                    response = self.description["components"]["responses"][response["$ref"].split("/")[-1]]
                if media not in response["content"]:
                    self.fault(target, f"answers {status} as {media}")
                elif media == "application/json" and operation["operationId"] != "getOpenAPI":
                    self.hold(target, json.loads(body), response["content"][media]["schema"])
                if self.get(target, "HEAD")[0] != status:
                    self.fault(target, "answers HEAD otherwise")
        print(f"  {asked} requests of {len(self.description['paths'])} paths, GET and HEAD", flush=True)
        self.events(int(self.json("/v1/status")["head"]["height"]))
        return self.faults

    def events(self, head):
        """The stream that does not end: its first blocks, and what it refuses."""
        schema = {"$ref": "#/components/schemas/BlockEvent"}
        count = 0
        with urllib.request.urlopen(f"{self.url}/v1/events?from={max(1, head - 20)}", timeout=60) as stream:
            if stream.headers.get_content_type() != "text/event-stream":
                self.fault("/v1/events", "is no event stream")
            while count < min(10, head):
                line = stream.readline().decode().rstrip("\n")
                if line.startswith("data:"):
                    self.hold("/v1/events", json.loads(line[5:]), schema)
                    count += 1
        for query, status in (("from=x", 400), (f"from={head + 1000000}", 409), ("from=-1", 400), ("form=1", 400)):
            found = self.get("/v1/events?" + query)[0]
            if found != status:
                self.fault("/v1/events?" + query, f"answers {found}, not {status}")
        print(f"  {count} events, and four positions that are refused", flush=True)


faults = Node(sys.argv[1]).check()
if faults:
    sys.exit(f"error: {len(faults)} answers are not as described")
