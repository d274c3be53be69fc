extension Explorer {
    static let script = scriptBase + scriptViews + scriptMembership + scriptJob + scriptStart

    /// Elements, texts, requests.
    private static let scriptBase = #"""
        "use strict";
        const main = document.getElementById("main");
        function make(tag, attributes, ...children) {
          const element = document.createElement(tag);
          for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
          for (const child of children.flat(Infinity)) {
            if (child !== null && child !== undefined) element.append(child);
          }
          return element;
        }
        const link = (path, text, label) =>
          make("a", Object.assign({ href: "#/" + path, class: "mono" }, label ? { title: label } : {}), text);
        const short = (text, head = 10, tail = 6) =>
          text.length > head + tail + 1 ? text.slice(0, head) + "\u2026" + text.slice(-tail) : text;
        const grouped = text => String(text).replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
        const part = text => encodeURIComponent(text);
        const blockLink = height => height === "0" ? make("span", {}, "genesis") : link("block/" + height, height);
        const txLink = id => link("tx/" + id, short(id), id);
        const accountLink = id => link("account/" + id, short(id, 12, 6), id);
        const wholeAccount = id => link("account/" + id, id);
        const serviceLink = id => id === "chain" ? make("code", {}, "chain") : link("service/" + part(id), id);
        const hash = text => make("code", {}, text);
        function moment(ms) {
          const date = new Date(Number(ms));
          return isNaN(date) ? String(ms) : date.toISOString().replace("T", " ").replace("Z", "");
        }
        const clock = ms => make("span", { title: moment(ms) + " UTC" }, moment(ms).slice(11, 19));
        function span(ms) {
          const s = Math.floor(Number(ms) / 1000);
          if (s < 60) return s + " s";
          if (s < 3600) return Math.floor(s / 60) + " min " + s % 60 + " s";
          if (s < 86400) return Math.floor(s / 3600) + " h " + Math.floor(s % 3600 / 60) + " min";
          return Math.floor(s / 86400) + " d " + Math.floor(s % 86400 / 3600) + " h";
        }
        function outcome(value) {
          if (value.kind === "failed") return make("span", { class: "bad" }, "failed" + (value.message ? ": " + value.message : ""));
          return make("span", { class: value.kind === "succeeded" ? "good" : "soft" }, value.kind);
        }
        function bytesOf(base64) {
          const text = atob(base64);
          return Uint8Array.from(text, c => c.charCodeAt(0));
        }
        function readable(base64) {
          const bytes = bytesOf(base64);
          if (bytes.length === 0) return make("span", { class: "soft" }, "none");
          try {
            const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
            if (!/[\u0000-\u0008\u000e-\u001f\u007f]/.test(text)) return make("pre", { class: "mono" }, text);
          } catch (error) { /* not text: shown as hexadecimal */ }
          const shown = Array.from(bytes.slice(0, 2048), b => b.toString(16).padStart(2, "0")).join("");
          return make("pre", { class: "mono" }, "0x" + shown + (bytes.length > 2048 ? "\u2026" : ""));
        }
        async function get(path) {
          const answer = await fetch("/v1/" + path);
          const document = await answer.json();
          if (!answer.ok) throw Object.assign(new Error(document.error.reason), { status: answer.status });
          return document;
        }
        function table(title, columns, rows, none) {
          const head = make("tr", {}, columns.map(c => make("th", { scope: "col", class: c[0] === "#" ? "number" : "" }, c.replace("#", ""))));
          const body = make("tbody", {}, rows.map(cells => row(columns, cells)));
          const card = make("section", { class: "card" }, make("h2", {}, title));
          card.append(rows.length || none === undefined
            ? make("table", {}, make("thead", {}, head), body) : make("div", { class: "empty" }, none));
          return card;
        }
        const row = (columns, cells) => make("tr", {}, cells.map((cell, i) =>
          make("td", { class: columns[i][0] === "#" ? "number" : "" }, cell)));
        function facts(title, pairs) {
          return make("section", { class: "card" }, title ? make("h2", {}, title) : null, make("dl", {},
            pairs.filter(pair => pair).map(([name, value]) => [make("dt", {}, name), make("dd", {}, value)])));
        }
        const tile = (name, value, note) => make("div", { class: "tile" }, make("span", {}, name), make("b", {}, value),
          note === undefined ? null : make("small", {}, note));

        """#

    /// What each address shows.
    private static let scriptViews = #"""
        const views = {};
        const blockColumns = ["#Height", "Time", "Digest", "#Transactions", "#Events"];
        const blockCells = b => [blockLink(b.height), clock(b.time), hash(short(b.digest)),
          String(b.transactions.length), String(b.events.length)];
        // Filled by the event stream, which starts some blocks back.
        const recent = new Map();
        let home = null, statusAt = 0;
        // Whether a block makes the page shown stale; some pages never change.
        let isStale = () => false;
        function drawBlocks() {
          if (!home) return;
          const shown = [...recent.values()].sort((a, b) => Number(b.height) - Number(a.height)).slice(0, 15);
          const known = home.highest;
          home.body.replaceChildren(...shown.map(block => {
            const line = row(blockColumns, blockCells(block));
            if (known && Number(block.height) > known) line.className = "new";
            return line;
          }));
          if (shown.length) home.highest = Number(shown[0].height);
        }

        async function showStatus(into) {
          const s = await get("status");
          statusAt = Date.now();
          document.getElementById("chain").textContent = s.chain;
          document.getElementById("node").textContent =
            s.node + " (" + s.role + ", " + s.version + "), up " + span(s.uptimeMs) + (s.catchingUp ? ", catching up" : "");
          if (into) into.replaceChildren(
            tile("Finalised height", grouped(s.head.height), "epoch " + s.epoch + ", view " + s.view),
            tile("Finality, recent", s.finalityMs ? s.finalityMs.p50 + " ms" : "\u2013",
              s.finalityMs ? "95 % within " + s.finalityMs.p95 + " ms" : "nothing submitted here yet"),
            tile("Waiting transactions", grouped(s.mempool.transactions), grouped(s.mempool.bytes) + " bytes"),
            tile("Peers", String(s.peers), "of this node"),
            tile("State root", make("code", { title: s.state.root }, s.state.root.slice(0, 10)), "after block " + grouped(s.state.height)));
          return s;
        }

        views[""] = async (_, paint) => {
          const tiles = make("div", { class: "tiles" });
          await showStatus(tiles);
          const [services, nodes, proposals] = await Promise.all(
            [get("services?limit=50"), get("masternodes"), get("proposals?limit=20")]);
          const blocks = table("Latest blocks", blockColumns, []);
          if (paint(tiles, make("div", { class: "columns" },
            blocks,
            make("div", {},
              table("Services", ["Name", "Kind", "#Since"], services.services.map(v =>
                [serviceLink(v.id), v.kind, blockLink(v.registeredAt)]), "No service is registered yet."),
              table("Masternodes, epoch " + nodes.epoch, ["Name", "Owner", "Status", "Connection"], nodes.masternodes.map(m => [
                link("masternode/" + m.consensusKey, m.name, m.consensusKey), link("account/" + m.owner, short(m.owner, 10, 4), m.owner),
                make("span", {}, standing(m), m.isLeader ? ", leads" : ""), connection(m)])),
              proposals.proposals.length ? table("Proposals", ["#No.", "Change", "#From epoch", "State", "#For", "#Against"],
                proposals.proposals.map(p => [p.number, make("span", { title: p.change.description }, brief(p.change)), p.from,
                  p.outcome, String(p.approvals.length), String(p.rejections.length)])) : "")))) {
            home = { body: blocks.querySelector("tbody"), tiles, highest: 0 };
            drawBlocks();
          }
        };

        views.block = async (height, paint) => {
          const [block, receipts] = await Promise.all([get("blocks/" + part(height)), get("blocks/" + part(height) + "/receipts")]);
          const outcomes = new Map(receipts.receipts.filter(r => r.transaction).map(r => [r.transaction, r]));
          const scheduled = receipts.receipts.filter(r => r.scheduled);
          const previous = Number(block.height) - 1;
          paint(make("h1", {}, "Block " + grouped(block.height)), facts(null, [
            ["Time", moment(block.time) + " UTC"], ["Digest", hash(block.digest)],
            ["Parent", make("span", {}, hash(block.parent), " ", blockLink(String(previous)))],
            ["Proposer", "masternode " + block.proposer + ", epoch " + block.epoch + ", view " + block.view],
            ["Finalised by", block.finalizedBy ? "masternodes " + block.finalizedBy.join(", ") : "a later block"],
            ["Size", grouped(block.bytes) + " bytes"],
            ["State root before", hash(block.stateRoot)], ["Transactions root", hash(block.transactionsRoot)],
            ["Randomness", hash(block.randomness)]]),
            table("Transactions", ["Id", "Sender", "Action", "Service", "Post", "Outcome"], block.transactions.map(t => [
              txLink(t.id), accountLink(t.sender), t.action, serviceLink(t.serviceId), t.postId,
              outcomes.has(t.id) ? outcome(outcomes.get(t.id).outcome) : ""]), "This block has no transactions."),
            scheduled.length ? table("Scheduled calls", ["Contract", "#Number", "#Gas", "#Events", "Outcome"], scheduled.map(r => [
              accountLink(r.scheduled.contract), r.scheduled.number, grouped(r.gasUsed), String(r.events.length),
              outcome(r.outcome)])) : "");
        };

        views.tx = async (id, paint) => {
          const found = await get("transactions/" + part(id)), t = found.transaction, i = found.inclusion;
          if (!i) isStale = () => true;
          paint(make("h1", {}, "Transaction"), facts(null, [
            ["Id", hash(t.id)],
            ["State", i ? make("span", {}, "final in block ", blockLink(i.height), ", " + moment(i.time) + " UTC") : "waiting"],
            i && ["Outcome", outcome(i.receipt.outcome)],
            ["Sender", wholeAccount(t.sender)], ["Sequence", t.sequence],
            ["Service", serviceLink(t.serviceId)], ["Post", t.postId || make("span", { class: "soft" }, "none")],
            ["Action", t.actionId + " " + t.action], ["Value", grouped(t.value)],
            ["Gas", (i ? grouped(i.receipt.gasUsed) + " of " : "at most ") + grouped(t.gasLimit)],
            ["Valid until", moment(t.validUntil) + " UTC"],
            ["Data, " + grouped(t.dataBytes) + " bytes", readable(t.data || "")]]),
            i && i.receipt.events.length ? table("Events", ["Contract", "Topic", "Data"], i.receipt.events.map(e =>
              [accountLink(e.contract), e.topic, readable(e.data)])) : "");
        };

        function entryCells(e) {
          if (e.finding) return [e.index, blockLink(e.height), clock(e.time), "finding: " + e.finding.kind,
            serviceLink(e.finding.service), "as " + e.finding.role,
            (Number(e.finding.weight) / 1048576).toFixed(2) + (e.finding.note ? " (" + e.finding.note + ")" : "")];
          const t = e.action.transaction;
          return [e.index, blockLink(e.height), clock(e.time), link("tx/" + t.id, t.action, t.id), serviceLink(t.serviceId), t.postId,
            outcome(e.action.outcome)];
        }
        views.account = async (id, paint) => {
          const a = await get("accounts/" + part(id));
          const size = Number(a.history.size), from = Math.max(0, size - 50);
          const [reputation, history] = await Promise.all([
            get("accounts/" + part(id) + "/reputation"), get("accounts/" + part(id) + "/history?limit=50&from=" + from)]);
          paint(make("h1", {}, "Account"), facts(null, [
            ["Address", make("code", {}, a.account)], ["Balance", grouped(a.balance)],
            a.locked !== "0" && ["Locked collateral", grouped(a.locked)], ["Next sequence", a.sequence],
            ["Credits", grouped(a.credits.available) + " of " + grouped(a.credits.capacity)],
            ["History", grouped(a.history.size) + " entries, root " + a.history.root],
            ["Audit file", make("a", { href: "/v1/accounts/" + part(id) + "/audit", download: a.account + ".audit" }, "download")]]),
            table("Reputation", ["Role", "#Score", "#For", "#Against"], reputation.roles.map(r => [r.role,
              (Number(r.score) / 1048576).toFixed(4), (Number(r.positive) / 1048576).toFixed(2),
              (Number(r.negative) / 1048576).toFixed(2)]), "No evidence in any role."),
            table(from > 0 ? "History, the last 50 entries" : "History",
              ["#Entry", "#Block", "Time", "What", "Service", "Post or role", "Outcome or weight"],
              history.entries.reverse().map(entryCells), "No entries."));
        };

        """#

    private static let scriptJob = #"""
        const phases = ["registered", "open", "commit", "reveal", "validate", "challenge", "final", "starved", "paused", "aborted", "finished"];
        function borsh(bytes) {
          const view = new DataView(bytes.buffer); let at = 0;
          const step = size => { const from = at; at += size; return from; };
          return { u8: () => view.getUint8(step(1)), u16: () => view.getUint16(step(2), true), u32: () => view.getUint32(step(4), true),
            u64: () => Number(view.getBigUint64(step(8), true)), u128: () => { const low = view.getBigUint64(step(8), true); return view.getBigUint64(step(8), true) << 64n | low; },
            hex: size => { const from = step(size); return Array.from(bytes.subarray(from, at), b => b.toString(16).padStart(2, "0")).join(""); },
            text() { const size = this.u32(); const from = step(size); return new TextDecoder().decode(bytes.subarray(from, at)); } };
        }
        async function ask(service, kind) {
          const answer = await fetch("/v1/services/" + part(service) + "/query",
            { method: "POST", headers: { "content-type": "application/octet-stream" }, body: new Uint8Array([kind]) });
          if (!answer.ok) throw new Error((await answer.json()).error.reason);
          return borsh(bytesOf((await answer.json()).data));
        }
        async function job(service) {
          const s = await ask(service, 0);
          s.u8(); const title = s.text(); s.u8(); s.u8();
          const edges = s.u16(), clouds = s.u16(), quorum = s.u16(), rounds = s.u32(), steps = s.u32(), batch = s.u32(), rate = s.u32();
          for (let i = 0; i < 5; i++) s.u64();
          s.u32(); s.hex(32); s.u8(); s.hex(32); s.u32();
          const phase = phases[s.u8()], round = s.u32(); s.u64(); s.u64();
          const checkpoint = s.hex(32), metric = s.u64(), loss = s.u64(), best = s.u64(), accepted = s.u32(), rejected = s.u32(), escrow = s.u128(), reason = s.text();
          const h = await ask(service, 2), list = [];
          for (let n = h.u32(); n > 0; n--) list.push({ round: h.u32(), outcome: ["accepted", "rolled back", "starved"][h.u8()],
            metric: h.u64(), loss: h.u64(), at: h.u64(), checkpoint: h.hex(32), participants: h.u16() });
          const done = phase === "finished" ? rounds : Math.min(round, rounds);
          const card = facts("Training job", [
            ["Title", title || make("span", { class: "soft" }, "none")],
            ["Phase", phase + (reason ? " (" + reason + ")" : "")],
            ["Rounds", done + " of " + rounds + " closed, " + accepted + " accepted, " + rejected + " not"],
            ["Accuracy", (metric / 10000).toFixed(2) + " %, best " + (best / 10000).toFixed(2) + " %"],
            ["Loss", (loss / 1e6).toFixed(4)],
            ["Workers", clouds + " cloud, " + edges + " edges, quorum " + quorum],
            ["Round", steps + " steps of " + batch + " samples for each edge, learning rate " + rate / 1e6],
            ["Checkpoint", hash(checkpoint)], ["Escrow", grouped(escrow)]]);
          card.append(make("progress", { value: String(done), max: String(rounds), "aria-label": "closed rounds" }));
          return [card, table("Rounds", ["#Round", "Outcome", "#Accuracy", "#Loss", "#Delivered", "Closed", "Checkpoint"],
            list.reverse().map(r => [String(r.round), r.outcome, (r.metric / 10000).toFixed(2) + " %", (r.loss / 1e6).toFixed(4),
              String(r.participants), clock(r.at), hash(short(r.checkpoint))]), "No round is closed yet.")];
        }
        views.service = async (id, paint) => {
          const s = await get("services/" + part(id));
          isStale = block => block.events.some(event => event.contract === s.contract);
          const parts = s.kind === "job" ? await job(id).catch(error => [make("p", { class: "soft" }, "The job's state cannot be shown: " + error.message)]) : [];
          paint(make("h1", {}, "Service " + s.id), ...parts, facts(s.kind === "job" ? "Contract" : null, [
            ["Kind", s.kind], ["Contract", wholeAccount(s.contract)], ["Owner", wholeAccount(s.owner)],
            s.validator && ["Validator", wholeAccount(s.validator)], ["Code", hash(s.codeHash)],
            ["Registered in block", blockLink(s.registeredAt)], ["Balance", grouped(s.balance)]]));
        };

        """#

    private static let scriptStart = #"""
        let showing = 0;
        async function show() {
          const [kind, ...rest] = location.hash.replace(/^#\/?/, "").split("/");
          const mine = ++showing;
          home = null;
          isStale = () => false;
          const view = views[kind];
          try {
            if (!view) throw new Error("There is nothing at this address.");
            await view(decodeURIComponent(rest.join("/")),
              (...children) => { if (mine === showing) main.replaceChildren(...children); return mine === showing; });
            if (mine !== showing) return;
            document.title = (kind ? kind + " " + short(decodeURIComponent(rest.join("/")), 16, 4) + " \u2013 " : "") + "Edgeproof explorer";
          } catch (error) {
            if (mine === showing) main.replaceChildren(make("h1", {}, error.status === 404 ? "Not found" : "This cannot be shown"),
              make("p", {}, error.message), make("p", {}, make("a", { href: "#/" }, "Back to the start")));
          }
        }
        document.getElementById("search").addEventListener("submit", async event => {
          event.preventDefault();
          const text = document.getElementById("query").value.trim();
          if (!text) return;
          let target = "service/" + part(text);
          if (/^\d+$/.test(text) || text === "latest") target = "block/" + text;
          else if (/^[0-9a-fA-F]{64}$/.test(text)) target = "tx/" + text.toLowerCase();
          else if (/^edge1/i.test(text)) target = "account/" + part(text.toLowerCase());
          if (location.hash === "#/" + target) show(); else location.hash = "#/" + target;
        });
        addEventListener("hashchange", show);

        const live = document.getElementById("live");
        function say(state, text) { live.className = "live " + state; live.textContent = text; }
        // Browsers allow six connections to a host: a page that nobody looks at gives its stream back.
        let events = null;
        async function listen() {
          if (events || document.hidden) return;
          const mine = events = { close() {} };
          const again = () => { events = null; say("off", "no connection, trying again"); setTimeout(listen, 2000); };
          const head = await get("status").then(s => Number(s.head.height), () => -1);
          if (events !== mine) return;
          if (head < 0) return again();
          live.dataset.from = String(head);
          events = new EventSource("/v1/events?from=" + Math.max(1, head - 14));
          events.onopen = () => say("on", "live");
          events.onerror = () => {
            if (events && events.readyState === EventSource.CLOSED) again(); else say("off", "no connection, trying again");
          };
          events.addEventListener("block", event => {
            const block = JSON.parse(event.data);
            say("on", "live, block " + grouped(block.height));
            recent.set(block.height, block);
            while (recent.size > 60) recent.delete(recent.keys().next().value);
            drawBlocks();
            if (live.dataset.from && Number(block.height) > Number(live.dataset.from) && isStale(block)) {
              isStale = () => false;
              setTimeout(show, 300);
            }
            if (home && Date.now() - statusAt > 900) showStatus(home.tiles).catch(() => {});
          });
        }
        function deafen() {
          if (events) events.close();
          events = null;
          say("", "paused");
        }
        document.addEventListener("visibilitychange", () => document.hidden ? deafen() : (listen(), show()));
        addEventListener("pagehide", deafen);
        addEventListener("pageshow", listen);
        listen();
        show();
        showStatus(null).catch(() => {});
        """#
}
