"""Drives a headless Chromium over the DevTools protocol through the explorer of a node: see scripts/check-explorer."""

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

WIDE, NARROW = (1280, 900), (390, 844)


class Browser:
    """One page of a Chromium, spoken to through two pipes: the protocol's messages end with a zero byte."""

    def __init__(self, program):
        self.folder = tempfile.mkdtemp(prefix="explorer-check")
        to_browser, self.sink = os.pipe()
        self.source, from_browser = os.pipe()

        def hand_over():
            # The two may already lie at 3 and 4, or the other way round.
            first, second = os.dup(to_browser), os.dup(from_browser)
            os.dup2(first, 3)
            os.dup2(second, 4)
            os.set_inheritable(3, True)
            os.set_inheritable(4, True)

        self.process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
             "--no-first-run", "--disable-background-networking", "--disable-component-update", "--no-proxy-server",
             f"--user-data-dir={self.folder}", "--remote-debugging-pipe", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            close_fds=False, preexec_fn=hand_over)
        os.close(to_browser)
        os.close(from_browser)
        self.rest = b""
        self.number = 0
        self.events = []
        self.session = None
        page = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(domain + ".enable")

    def close(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def receive(self):
        while b"\0" not in self.rest:
            data = os.read(self.source, 1 << 20)
            if not data:
                raise RuntimeError("the browser has ended")
            self.rest += data
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.sink, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def run(self, script):
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{script}: {answer['exceptionDetails']['text']}")
        return answer["result"].get("value")

    def wait(self, script, seconds=15):
        """Whether a condition in the page comes true."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.run(f"Boolean({script})"):
                return True
            time.sleep(0.1)
        return False

    def size(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=width < 600)

    def picture(self, path):
        width = self.run("innerWidth")
        # The rest of a long list looks like its beginning.
        height = min(4 * width, self.run("document.documentElement.scrollHeight"))
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True,
                         clip={"x": 0, "y": 0, "width": width, "height": height, "scale": 1})["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def complaints(self):
        """What went wrong in the page's script since the last question."""
        found = []
        for event in self.events:
            if event.get("method") == "Runtime.exceptionThrown":
                details = event["params"]["exceptionDetails"]
                found.append("exception: " + details.get("exception", {}).get("description", details["text"]))
            if event.get("method") == "Runtime.consoleAPICalled" and event["params"]["type"] in ("error", "warning"):
                found.append("console: " + str([a.get("value") for a in event["params"]["args"]]))
            if event.get("method") == "Log.entryAdded" and event["params"]["entry"]["level"] == "error":
                entry = event["params"]["entry"]
                # A page about what there is not asks for it, and is told so.
                if entry.get("source") != "network":
                    found.append("log: " + entry["text"])
        self.events = []
        return found


class Check:
    def __init__(self, browser, node, out):
        self.browser, self.node, self.out = browser, node.rstrip("/"), out
        self.faults = []
        self.links = {}

    def fault(self, where, what):
        print(f"  {where}: {what}", flush=True)
        self.faults.append((where, what))

    def get(self, path):
        with urllib.request.urlopen(self.node + path, timeout=20) as answer:
            return json.load(answer)

    def go(self, path):
        """Shows a page, and waits until it is there."""
        target = f"{self.node}/#/{path}"
        if self.browser.run("location.origin") != self.node:
            self.browser.call("Page.navigate", url=target)
        else:
            self.browser.run(f"document.getElementById('main').replaceChildren(); "
                             f"if (location.href === {json.dumps(target)}) show(); else location.href = {json.dumps(target)}")
        ready = "document.readyState === 'complete' && document.querySelector('#main > *') && !document.querySelector('#main > noscript')"
        if not self.browser.wait(ready):
            self.fault(path, "nothing was shown within 15 s")
            return False
        return True

    def page(self, name, path, expected=None, lost=False):
        for label, size in (("wide", WIDE), ("narrow", NARROW)):
            self.browser.size(*size)
            if not self.go(path):
                return
            where = f"{name} ({label})"
            if expected and not self.browser.wait(f"document.body.innerText.includes({json.dumps(expected)})", 10):
                self.fault(where, f"does not say {expected!r}")
            text = self.browser.run("document.body.innerText")
            is_lost = self.browser.run(
                "['Not found', 'This cannot be shown'].includes((document.querySelector('#main h1') || {}).textContent)")
            if is_lost != lost:
                self.fault(where, "is not found" if is_lost else "does not say that there is no such thing")
            for sign in ("undefined", "NaN", "[object ", "Invalid Date", "null"):
                if sign in text:
                    self.fault(where, f"shows {sign!r}")
            wide = self.browser.run("document.documentElement.scrollWidth - innerWidth")
            if wide > 0:
                self.fault(where, f"is {wide} pixels wider than the screen")
            cut = self.browser.run(
                "[...document.querySelectorAll('.card')].filter(c => c.scrollWidth > c.clientWidth + 1)"
                ".map(c => (c.querySelector('h2') || {}).textContent || 'a card').join(', ')")
            if cut:
                self.fault(where, f"has to be scrolled sideways: {cut}")
            for complaint in self.browser.complaints():
                self.fault(where, complaint)
            self.browser.picture(os.path.join(self.out, f"{name}-{label}.png"))
        for target in self.browser.run("[...document.querySelectorAll('a[href^=\"#/\"]')].map(a => a.getAttribute('href'))"):
            self.links.setdefault(target[2:], name)
        print(f"  {name}: looked at", flush=True)

    def search(self, text, target):
        self.browser.size(*WIDE)
        self.go("")
        self.browser.run(f"document.getElementById('query').value = {json.dumps(text)};"
                         "document.querySelector('#search button').click()")
        wanted = "#/" + target
        if not self.browser.wait(f"location.hash === {json.dumps(wanted)}", 10):
            found = self.browser.run("location.hash")
            self.fault("search", f"{text!r} leads to {found!r} and not to {wanted!r}")
        else:
            print(f"  search for {text[:24]!r} leads to {target[:32]}", flush=True)

    def all(self):
        status = self.get("/v1/status")
        height = int(status["head"]["height"])
        transactions = self.get("/v1/transactions?limit=50")["transactions"]
        services = self.get("/v1/services?limit=50")["services"]
        masternodes = self.get("/v1/masternodes")["masternodes"]
        accounts = self.get("/v1/accounts?limit=100")["accounts"]
        busiest = max(accounts, key=lambda account: int(account["entries"]))["account"]
        busy = height
        while busy > 1 and not self.get(f"/v1/blocks/{busy}")["transactions"]:
            busy -= 1

        self.page("start", "", "Latest transactions")
        self.page("blocks", "blocks", "heartbeat")
        self.page("block", f"block/{busy}", "Finalised by")
        self.page("block-first", "block/1", "genesis")
        self.page("transactions", "transactions", "Transactions")
        kinds = set()
        cursor = ""
        while True:
            shown = self.get(f"/v1/transactions?limit=50{cursor}")
            for entry in shown["transactions"]:
                transaction = entry["transaction"]
                kind = (transaction["actionId"], transaction["postId"].split("/")[-1] if "/" in transaction["postId"] else "")
                if kind not in kinds and len(kinds) < 16:
                    kinds.add(kind)
                    self.page("tx-" + "-".join(str(part) for part in kind if part != ""), "tx/" + transaction["id"],
                              "What it says" if entry.get("meaning", {}).get("fields") else None)
            if not shown.get("next"):
                break
            cursor = "&before=" + shown["next"]
        self.page("accounts", "accounts", "units")
        self.page("account", f"account/{busiest}", "Audit file")
        self.page("account-older", f"account/{busiest}/0", "History")
        self.page("services", "services", "Services")
        for service in services[:4]:
            self.page("service-" + service["kind"], "service/" + urllib.parse.quote(service["id"], safe=""), service["contract"][:10])
            if service["kind"] == "job":
                self.job(service["id"])
        self.page("masternodes", "masternodes", "quorum")
        self.page("masternode", "masternode/" + masternodes[0]["consensusKey"], "Collateral")
        self.page("proposals", "proposals", "Proposals")
        self.page("lost-block", "block/99999999", "newest block", lost=True)
        self.page("lost-account", "account/edge1mistyped", "starts with edge1", lost=True)
        self.page("lost-tx", "tx/" + "7f" * 32, "expired", lost=True)
        self.page("lost-service", "service/no-such-service", "Names are exact", lost=True)
        self.page("lost-page", "nothing", "There is no page", lost=True)

        self.search(str(height), f"block/{height}")
        self.search(f"{height:,}", f"block/{height}")
        self.search(busiest, f"account/{busiest}")
        if transactions:
            self.search(transactions[0]["transaction"]["id"], "tx/" + transactions[0]["transaction"]["id"])
        if services:
            self.search(services[0]["id"], "service/" + services[0]["id"])
        self.search(masternodes[0]["name"], "masternode/" + masternodes[0]["consensusKey"])
        self.search(masternodes[0]["consensusKey"], "masternode/" + masternodes[0]["consensusKey"])
        self.live()
        self.stalled()
        self.follow()

    def job(self, name):
        self.browser.size(*WIDE)
        self.go("service/" + urllib.parse.quote(name, safe=""))
        rounds = len(self.get(f"/v1/services/{urllib.parse.quote(name, safe='')}/job")["history"])
        charts = self.browser.run("[...document.querySelectorAll('.chart')].map(c => "
                                  "[c.querySelector('h2').firstChild.textContent, c.querySelectorAll('circle').length])")
        if rounds and [chart for chart, _ in charts][:2] != ["Accuracy", "Loss"]:
            self.fault("job " + name, f"has the curves {charts}")
        for chart, points in charts:
            if points not in (rounds, rounds - 1):
                self.fault("job " + name, f"the curve {chart} has {points} points for {rounds} rounds")
        print(f"  job {name}: curves {', '.join(f'{chart} ({points} points)' for chart, points in charts)}", flush=True)

    def live(self):
        """A block that comes while somebody looks must show without a reload."""
        self.browser.size(*WIDE)
        self.go("")
        if not self.browser.wait("document.getElementById('live').classList.contains('on')", 20):
            return self.fault("live", "the page does not connect")
        shown = "document.querySelector('.tile b').textContent"
        before = self.browser.run(shown)
        started = time.monotonic()
        if self.browser.wait(f"{shown} !== {json.dumps(before)}", 60):
            print(f"  live: height {before} became {self.browser.run(shown)} after {time.monotonic() - started:.0f} s", flush=True)
        else:
            self.fault("live", f"no new block was shown for a minute after {before}")
        for complaint in self.browser.complaints():
            self.fault("live", complaint)

    def stalled(self):
        """A chain that stands still: a status as a node without a quorum gives it."""
        self.browser.size(*NARROW)
        self.go("")
        self.browser.run("""window.realFetch = window.fetch; window.fetch = async (...asked) => {
            const answer = await window.realFetch(...asked);
            if (!String(asked[0]).includes("/v1/status")) return answer;
            const told = await answer.json();
            Object.assign(told.liveness, { stalled: true, sinceBlockMs: "93000", reachable: 2, masternodes: 4, quorum: 3 });
            return new Response(JSON.stringify(told), { status: 200, headers: { "content-type": "application/json" } });
        }; show()""")
        said = "The chain stands still: no block for"
        if not self.browser.wait(f"document.body.innerText.includes({json.dumps(said)})", 20):
            self.fault("stalled", "does not say that the chain stands still")
        text = self.browser.run("document.getElementById('alarm').textContent")
        for part in ("2 of 4 masternodes reachable, quorum 3", "when 1 more is back"):
            if part not in text:
                self.fault("stalled", f"says {text!r}, without {part!r}")
        self.browser.picture(os.path.join(self.out, "stalled-narrow.png"))
        self.browser.run("window.fetch = window.realFetch; show()")
        if not self.browser.wait("document.getElementById('alarm').hidden", 20):
            self.fault("stalled", "still says so when it goes on")
        print("  stalled: " + text, flush=True)

    def follow(self):
        """Links lead to pages that there are: some of every kind, from every page."""
        chosen, count = [], {}
        for target, origin in self.links.items():
            kind = (target.split("/")[0], origin)
            count[kind] = count.get(kind, 0) + 1
            if count[kind] <= 2 and not origin.startswith("lost"):
                chosen.append((target, origin))
        self.browser.size(*WIDE)
        for target, origin in chosen:
            if self.go(target) and self.browser.run(
                    "['Not found', 'This cannot be shown'].includes((document.querySelector('#main h1') || {}).textContent)"):
                self.fault(origin, f"links to #/{target}, which is not found")
        print(f"  {len(chosen)} links followed", flush=True)


def main():
    program, node, out = sys.argv[1:]
    browser = Browser(program)
    check = Check(browser, node, out)
    try:
        check.all()
    finally:
        browser.close()
    if check.faults:
        sys.exit(f"error: {len(check.faults)} faults; pictures are in {out}")
    print(f"the explorer is as it should be; pictures are in {out}")


if __name__ == "__main__":
    main()
