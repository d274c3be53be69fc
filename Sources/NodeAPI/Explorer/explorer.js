// The explorer: pages made in the browser out of what /v1 answers. Every text of the chain is set as text, never as
// markup. In this order: elements and texts, requests, the pages, the start.
"use strict";

// ---- Elements and texts ---------------------------------------------------------------------------------------------

const main = document.getElementById("main");
function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}
function draw(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
  element.append(...children);
  return element;
}
const soft = text => make("span", { class: "soft" }, text);
const link = (path, text, label) =>
  make("a", Object.assign({ href: "#/" + path, class: "mono" }, label ? { title: label } : {}), text);
const short = (text, head = 10, tail = 6) =>
  text.length > head + tail + 1 ? text.slice(0, head) + "…" + text.slice(-tail) : text;
const grouped = text => String(text).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
const money = units => grouped(units) + (String(units) === "1" ? " unit" : " units");
const plural = (count, one) => grouped(count) + " " + one + (Number(count) === 1 ? "" : "s");
const part = text => encodeURIComponent(text);
const blockLink = height => String(height) === "0" ? make("span", {}, "genesis") : link("block/" + height, grouped(height));
const txLink = id => link("tx/" + id, short(id), id);
const accountLink = id => link("account/" + id, short(id, 12, 6), id);
const serviceLink = id => id === "chain" ? make("code", {}, "chain") : link("service/" + part(id), id);
// A plain record's service is a name that nobody has registered: there is no page of it.
const serviceOf = (id, outcome) => outcome && outcome.kind === "recorded" ? make("code", {}, id) : serviceLink(id);
const hash = text => make("code", {}, text);

// A value that people take elsewhere: with a button that copies it.
function copied(text, shown) {
  const button = make("button", { type: "button", class: "copy", title: "Copy " + text }, "copy");
  button.addEventListener("click", async () => {
    try { await navigator.clipboard.writeText(text); } catch (error) {
      const field = make("textarea", {}, text);
      document.body.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
    button.textContent = "copied";
    button.classList.add("copied");
    setTimeout(() => { button.textContent = "copy"; button.classList.remove("copied"); }, 1500);
  });
  return make("span", {}, shown || hash(text), button);
}

function moment(ms) {
  const date = new Date(Number(ms));
  return isNaN(date) ? String(ms) : date.toISOString().replace("T", " ").replace("Z", "") + " UTC";
}
function span(ms) {
  const s = Math.floor(Number(ms) / 1000);
  if (s < 60) return s + " s";
  if (s < 3600) return Math.floor(s / 60) + " min " + s % 60 + " s";
  if (s < 86400) return Math.floor(s / 3600) + " h " + Math.floor(s % 3600 / 60) + " min";
  return Math.floor(s / 86400) + " d " + Math.floor(s % 86400 / 3600) + " h";
}
// How long ago, kept true while the page is open; the whole date stands beside it or in its title.
function ago(ms) {
  const element = make("time", { datetime: new Date(Number(ms)).toISOString(), title: moment(ms), "data-at": String(ms) });
  tick(element);
  return element;
}
function left(ms) {
  const element = make("time", { title: moment(ms), "data-until": String(ms) });
  tick(element);
  return element;
}
function tick(element) {
  const now = Date.now();
  if (element.dataset.at) {
    const past = now - Number(element.dataset.at);
    element.textContent = past < 1000 ? "just now" : span(past) + " ago";
  } else {
    const ahead = Number(element.dataset.until) - now;
    element.textContent = ahead > 0 ? "in " + span(ahead) : "due since " + span(-ahead);
  }
}
setInterval(() => { if (!document.hidden) document.querySelectorAll("time").forEach(tick); }, 1000);
const dated = ms => make("span", {}, moment(ms), " (", ago(ms), ")");

function outcome(value) {
  if (!value) return "";
  if (value.kind === "failed") return make("span", { class: "bad" }, "failed" + (value.message ? ": " + value.message : ""));
  return make("span", { class: value.kind === "succeeded" ? "good" : "soft" }, value.kind);
}
function bytesOf(base64) {
  const text = atob(base64);
  return Uint8Array.from(text, c => c.charCodeAt(0));
}
function readable(base64) {
  const bytes = bytesOf(base64);
  if (bytes.length === 0) return soft("none");
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    if (!/[\u0000-\u0008\u000e-\u001f\u007f]/.test(text)) return make("pre", { class: "mono" }, text);
  } catch (error) { /* not text: shown as hexadecimal */ }
  const shown = Array.from(bytes.slice(0, 2048), b => b.toString(16).padStart(2, "0")).join("");
  return make("pre", { class: "mono" }, "0x" + shown + (bytes.length > 2048 ? "…" : ""));
}
const percent = micro => (Number(micro) / 10000).toFixed(2) + " %";

function table(title, columns, rows, none) {
  const head = make("tr", {}, columns.map(c =>
    make("th", { scope: "col", class: c[0] === "#" ? "number" : "" }, c.replace("#", ""))));
  const body = make("tbody", {}, rows.map(cells => row(columns, cells)));
  return make("section", { class: "card" }, title ? make("h2", {}, title) : null, rows.length || none === undefined
    ? make("table", {}, make("thead", {}, head), body) : make("div", { class: "empty" }, none));
}
const row = (columns, cells) => make("tr", {}, cells.map((cell, i) =>
  make("td", { class: columns[i][0] === "#" ? "number" : "", "data-name": columns[i].replace("#", "") },
    cell instanceof Node && cell.nodeType === 1 ? cell : make("span", {}, cell))));
function facts(title, pairs) {
  return make("section", { class: "card" }, title ? make("h2", {}, title) : null, make("dl", {},
    pairs.filter(pair => pair).map(([name, value]) => [make("dt", {}, name), make("dd", {}, value)])));
}
const tile = (name, value, note) => make("div", { class: "tile" }, make("span", {}, name), make("b", {}, value),
  note === undefined ? null : make("small", {}, note));
// Links to the pages before and after; what there is not stays visible, so that nothing moves.
const steps = (...pairs) => make("p", { class: "steps" }, pairs.map(([path, text]) =>
  path === null ? make("span", { class: "gone" }, text) : make("a", { href: "#/" + path }, text)));

// ---- Requests -------------------------------------------------------------------------------------------------------

async function get(path) {
  const answer = await fetch(path[0] === "/" ? path : "/v1/" + path);
  const document = await answer.json();
  if (!answer.ok && answer.status !== 503) throw Object.assign(new Error(document.error.reason), { status: answer.status });
  if (!answer.ok && document.error) throw Object.assign(new Error(document.error.reason), { status: answer.status });
  return document;
}

// The masternodes by place in this epoch's set: blocks name their proposers and signers so. Sets change only with
// epochs; a block of another epoch is shown by places.
let setOf = { epoch: null, at: 0, byPlace: new Map(), all: null };
async function masternodes() {
  if (Date.now() - setOf.at > 5000) {
    const all = await get("masternodes");
    setOf = { epoch: all.epoch, at: Date.now(), byPlace: new Map(), all };
    for (const m of all.masternodes) if (m.index !== undefined) setOf.byPlace.set(m.index, m);
  }
  return setOf;
}
function member(set, epoch, place) {
  const m = set.epoch === String(epoch) ? set.byPlace.get(place) : undefined;
  return m ? link("masternode/" + m.consensusKey, m.name, m.consensusKey) : make("span", {}, "masternode " + place);
}
const listed = elements => elements.flatMap((element, i) => i === 0 ? [element] : [", ", element]);

// ---- Pages: the start and the lists ---------------------------------------------------------------------------------

const views = {};
// Whether a block makes the page shown stale; some pages never change.
let isStale = () => false;
// What the start page keeps true while blocks come.
let home = null;
const recent = new Map();

// Blocks without transactions come by the clock: a run of them is one line.
function folded(blocks) {
  const lines = [];
  for (const block of blocks) {
    const last = lines[lines.length - 1];
    if (block.count > 0) lines.push({ block });
    else if (last && last.empty && Number(last.to) === Number(block.height) + 1) last.to = block.height, last.count += 1;
    else lines.push({ empty: true, from: block.height, to: block.height, count: 1, time: block.time });
  }
  return lines;
}
const blockColumns = ["#Height", "Time", "#Transactions"];
function blockRow(line) {
  if (!line.empty) return row(blockColumns, [blockLink(line.block.height), ago(line.block.time), grouped(line.block.count)]);
  const heights = line.count === 1 ? blockLink(line.from)
    : make("span", {}, blockLink(line.to), " to ", blockLink(line.from));
  const element = row(blockColumns, [heights, ago(line.time), line.count === 1 ? "heartbeat" : line.count + " heartbeats"]);
  element.className = "fold";
  return element;
}
function drawBlocks() {
  if (!home) return;
  const known = new Map(home.older.map(b => [b.height, { height: b.height, time: b.time, count: b.transactions }]));
  for (const b of recent.values()) known.set(b.height, { height: b.height, time: b.time, count: b.transactions.length });
  const shown = [...known.values()].sort((a, b) => Number(b.height) - Number(a.height));
  home.blocks.replaceChildren(...folded(shown).slice(0, 12).map(blockRow));
}

const sentence = t => t.meaning ? t.meaning.sentence : t.transaction.action;
const transactionColumns = ["Time", "Who", "What it did", "Service", "Outcome"];
const transactionCells = t => [ago(t.time), accountLink(t.transaction.sender),
  make("a", { href: "#/tx/" + t.transaction.id, title: t.transaction.id }, sentence(t)), serviceOf(t.transaction.serviceId, t.outcome), outcome(t.outcome)];

async function drawTransactions() {
  if (!home) return;
  const mine = home, page = await get("transactions?limit=12");
  if (home !== mine) return;
  mine.transactions.replaceChildren(...(page.transactions.length
    ? page.transactions.map(t => row(transactionColumns, transactionCells(t)))
    : [make("tr", {}, make("td", { colspan: "5" }, soft("No transaction yet in the newest blocks.")))]));
}

async function showStatus(into) {
  const s = await get("status");
  document.getElementById("chain").textContent = s.chain;
  document.getElementById("node").textContent =
    s.node + " (" + s.role + ", " + s.version + "), up " + span(s.uptimeMs) + (s.catchingUp ? ", catching up" : "");
  const alarm = document.getElementById("alarm"), l = s.liveness;
  alarm.hidden = !(l && l.stalled);
  if (l && l.stalled) {
    const missing = l.quorum - l.reachable;
    alarm.textContent = "The chain stands still: no block for " + span(l.sinceBlockMs) + "; " + l.reachable + " of "
      + l.masternodes + " masternodes reachable, quorum " + l.quorum + ". "
      + (missing > 0 ? "It goes on by itself when " + missing + " more " + (missing === 1 ? "is" : "are") + " back."
        : "A quorum is reachable: look at the masternodes' logs and clocks.");
  }
  if (into) into.replaceChildren(
    tile("Finalised height", grouped(s.head.height), make("span", {}, ago(s.head.time))),
    tile("Finality, recent", s.finalityMs ? s.finalityMs.p50 + " ms" : "–",
      s.finalityMs ? "95 % within " + s.finalityMs.p95 + " ms" : "nothing submitted here yet"),
    tile("Waiting transactions", grouped(s.mempool.transactions), grouped(s.mempool.bytes) + " bytes"),
    tile("Masternodes", l ? l.reachable + " of " + l.masternodes : String(s.peers),
      l ? "reachable, quorum " + l.quorum : "connected"),
    tile("Epoch", s.epoch, "view " + s.view));
  return s;
}

views[""] = async (_, paint) => {
  const tiles = make("div", { class: "tiles" });
  await showStatus(tiles);
  const [services, older] = await Promise.all([get("services?kind=job&limit=20"), get("blocks?limit=100")]);
  const blocks = table("Latest blocks", blockColumns, []);
  const transactions = table("Latest transactions", transactionColumns, []);
  if (paint(tiles, make("div", { class: "columns" },
    make("div", {}, transactions, make("p", {}, make("a", { href: "#/transactions" }, "All transactions"))),
    make("div", {}, services.services.length
      ? table("Training jobs", ["Name", "#Since block"], services.services.map(v => [serviceLink(v.id), blockLink(v.registeredAt)])) : "",
      blocks, make("p", {}, make("a", { href: "#/blocks" }, "All blocks")))))) {
    home = { older: older.blocks, blocks: blocks.querySelector("tbody"), transactions: transactions.querySelector("tbody"), tiles };
    drawBlocks();
    await drawTransactions();
  }
};

views.blocks = async (before, paint) => {
  const page = await get("blocks?limit=50" + (before ? "&before=" + part(before) : ""));
  if (!before) isStale = () => true;
  const lines = folded(page.blocks.map(b => ({ height: b.height, time: b.time, count: b.transactions })));
  const list = table(null, blockColumns, [], undefined);
  list.querySelector("tbody").append(...lines.map(blockRow));
  paint(make("h1", {}, "Blocks"), list,
    steps([before ? "blocks" : null, "newest"], [page.next ? "blocks/" + page.next : null, "older"]));
};

views.transactions = async (before, paint) => {
  const page = await get("transactions?limit=50" + (before ? "&before=" + part(before) : ""));
  if (!before) isStale = block => block.transactions.length > 0;
  paint(make("h1", {}, "Transactions"),
    table(null, transactionColumns, page.transactions.map(transactionCells),
      page.next ? "None in these blocks; older ones may have some." : "None yet."),
    steps([before ? "transactions" : null, "newest"], [page.next ? "transactions/" + page.next : null, "older"]));
};

views.accounts = async (after, paint) => {
  const page = await get("accounts?limit=50" + (after ? "&after=" + part(after) : ""));
  paint(make("h1", {}, "Accounts"),
    table(null, ["Account", "#Balance", "#Sent", "#Entries"], page.accounts.map(a => [
      link("account/" + a.account, short(a.account, 20, 8), a.account), money(a.balance), grouped(a.sequence), grouped(a.entries)]),
      "No accounts."),
    steps([after ? "accounts" : null, "first"], [page.next ? "accounts/" + page.next : null, "more"]));
};

views.services = async (after, paint) => {
  const page = await get("services?limit=50" + (after ? "&after=" + part(after) : ""));
  paint(make("h1", {}, "Services"),
    table(null, ["Name", "Kind", "Owner", "#Balance", "#Since block"], page.services.map(v => [
      serviceLink(v.id), v.kind, accountLink(v.owner), money(v.balance), blockLink(v.registeredAt)]),
      "No service is registered yet. 'chain-cli job register' makes one."),
    steps([after ? "services" : null, "first"], [page.next ? "services/" + part(page.next) : null, "more"]));
};

const standing = m => make("span", { class: { active: "good", waiting: "soft" }[m.status.kind] || "bad" },
  m.status.kind + ({ active: " since epoch ", waiting: " for epoch " }[m.status.kind] || " in epoch ") + m.status.epoch);
const connection = m => m.isSelf ? soft("this node")
  : make("span", { class: m.connected ? "good" : "bad" }, m.connected ? "connected" : "not connected");
views.masternodes = async (_, paint) => {
  const set = (await masternodes()).all;
  isStale = () => true;
  paint(make("h1", {}, "Masternodes"), make("p", { class: "sentence" }, "Epoch " + set.epoch + ": "
      + plural(set.masternodes.filter(m => m.index !== undefined).length, "masternode") + " agree, " + set.quorum + " of them are a quorum."),
    table(null, ["Name", "Owner", "Status", "#Collateral", "Connection"], set.masternodes.map(m => [
      link("masternode/" + m.consensusKey, m.name, m.consensusKey), accountLink(m.owner),
      make("span", {}, standing(m), m.isLeader ? ", leads" : ""), money(m.collateral), connection(m)])));
};

const brief = c => c.consensusKey ? "remove masternode " + short(c.consensusKey) : c.description;
views.proposals = async (before, paint) => {
  const page = await get("proposals?limit=50" + (before ? "&before=" + part(before) : ""));
  paint(make("h1", {}, "Proposals"),
    table(null, ["#No.", "Change", "#From epoch", "State", "#For", "#Against"], page.proposals.map(p => [
      p.number, make("span", { title: p.change.description }, brief(p.change)), p.from, p.outcome,
      String(p.approvals.length), String(p.rejections.length)]),
      "Nothing was proposed yet. Masternodes change parameters with 'chain-cli governance propose'."),
    steps([before ? "proposals" : null, "newest"], [page.next ? "proposals/" + page.next : null, "older"]));
};

// ---- Pages: one thing -----------------------------------------------------------------------------------------------

views.block = async (height, paint) => {
  const [block, receipts, set] = await Promise.all(
    [get("blocks/" + part(height)), get("blocks/" + part(height) + "/receipts"), masternodes()]);
  const outcomes = new Map(receipts.receipts.filter(r => r.transaction).map(r => [r.transaction, r]));
  const scheduled = receipts.receipts.filter(r => r.scheduled);
  const here = Number(block.height), head = Number((await get("status")).head.height);
  if (here === head) isStale = () => true;
  paint(make("h1", {}, "Block " + grouped(block.height)),
    steps([here > 1 ? "block/" + (here - 1) : null, "← previous"], [here < head ? "block/" + (here + 1) : null, "next →"]),
    facts(null, [
      ["Time", dated(block.time)], ["Digest", copied(block.digest)],
      ["Parent", make("span", {}, hash(block.parent), " ", blockLink(String(here - 1)))],
      ["Proposer", make("span", {}, member(set, block.epoch, block.proposer), ", epoch " + block.epoch + ", view " + block.view)],
      ["Finalised by", block.finalizedBy ? make("span", {}, listed(block.finalizedBy.map(i => member(set, block.epoch, i)))) : "a later block"],
      ["Size", grouped(block.bytes) + " bytes"],
      ["State root before", hash(block.stateRoot)], ["Transactions root", hash(block.transactionsRoot)],
      ["Randomness", hash(block.randomness)],
      ["Check it yourself", make("span", {}, make("a", { href: "/v1/blocks/" + here + "/raw", download: "block-" + here }, "bytes"),
        ", ", make("a", { href: "/v1/blocks/" + here + "/finality" }, "finality proof"))]]),
    table("Transactions", ["Id", "Sender", "Action", "Service", "Post", "Outcome"], block.transactions.map(t => [
      txLink(t.id), accountLink(t.sender), t.action, serviceOf(t.serviceId, (outcomes.get(t.id) || {}).outcome), t.postId,
      outcomes.has(t.id) ? outcome(outcomes.get(t.id).outcome) : ""]), "None: a heartbeat, which shows that the chain is alive."),
    scheduled.length ? table("Scheduled calls", ["Contract", "#Number", "#Gas", "#Events", "Outcome"], scheduled.map(r => [
      accountLink(r.scheduled.contract), r.scheduled.number, grouped(r.gasUsed), String(r.events.length),
      outcome(r.outcome)])) : "");
};

function fieldValue(field) {
  switch (field.kind) {
    case "account": return accountLink(field.value);
    case "service": return serviceLink(field.value);
    case "masternode": return link("masternode/" + field.value, short(field.value), field.value);
    case "hash": return hash(field.value);
    case "number": return grouped(field.value);
    case "micro": return (Number(field.value) / 1e6).toFixed(6);
    case "time": return dated(field.value);
    default: return field.value;
  }
}
views.tx = async (id, paint) => {
  const found = await get("transactions/" + part(id)), t = found.transaction, i = found.inclusion;
  if (!i) isStale = () => true;
  const meaning = found.meaning;
  paint(make("h1", {}, "Transaction"),
    make("p", { class: "sentence" }, accountLink(t.sender), " ", meaning ? meaning.sentence : "sent the action " + t.action,
      t.serviceId === "chain" ? "" : [" in ", serviceOf(t.serviceId, i && i.receipt.outcome)], ": ", i ? outcome(i.receipt.outcome) : soft("waiting")),
    meaning && meaning.fields.length ? facts("What it says", meaning.fields.map(f => [f.name, fieldValue(f)])) : "",
    facts("Transaction", [
      ["Id", copied(t.id)],
      ["State", i ? make("span", {}, "final in block ", blockLink(i.height), ", ", dated(i.time)) : "waiting for a block"],
      ["Sender", copied(t.sender, link("account/" + t.sender, t.sender))], ["Sequence", t.sequence],
      ["Service", serviceOf(t.serviceId, i && i.receipt.outcome)], ["Post", t.postId || soft("none")],
      ["Action", t.actionId + " " + t.action], ["Value", money(t.value)],
      ["Gas", (i ? grouped(i.receipt.gasUsed) + " of " : "at most ") + grouped(t.gasLimit)],
      ["Valid until", moment(t.validUntil)],
      ["Data, " + plural(t.dataBytes, "byte"), readable(t.data || "")]]),
    i && i.receipt.events.length ? table("Events", ["Contract", "Topic", "What it says"], i.receipt.events.map(e =>
      [accountLink(e.contract), e.topic, e.meaning
        ? make("span", {}, e.meaning.sentence, e.meaning.fields.length ? make("dl", {}, e.meaning.fields.map(f =>
          [make("dt", {}, f.name), make("dd", {}, fieldValue(f))])) : "") : readable(e.data)])) : "");
};

const entryColumns = ["#Entry", "#Block", "Time", "What", "Service", "Post or role", "Outcome or weight"];
function entryCells(e) {
  if (e.finding) return [e.index, blockLink(e.height), ago(e.time), "finding: " + e.finding.kind,
    serviceLink(e.finding.service), "as " + e.finding.role,
    (Number(e.finding.weight) / 1048576).toFixed(2) + (e.finding.note ? " (" + e.finding.note + ")" : "")];
  const t = e.action.transaction;
  return [e.index, blockLink(e.height), ago(e.time), link("tx/" + t.id, t.action, t.id),
    serviceOf(t.serviceId, e.action.outcome), t.postId, outcome(e.action.outcome)];
}
views.account = async (address, paint) => {
  const [id, place] = address.split("/");
  const a = await get("accounts/" + part(id));
  const size = Number(a.history.size), page = 50;
  const from = place === undefined ? Math.max(0, size - page) : Math.max(0, Math.min(Number(place) || 0, Math.max(0, size - 1)));
  const [reputation, history] = await Promise.all([
    get("accounts/" + part(id) + "/reputation"), get("accounts/" + part(id) + "/history?limit=" + page + "&from=" + from)]);
  const last = from + history.entries.length;
  paint(make("h1", {}, "Account"), facts(null, [
    ["Address", copied(a.account)], ["Balance", money(a.balance)],
    a.locked !== "0" && ["Locked collateral", money(a.locked)],
    a.deposit !== "0" && ["Locked for state", money(a.deposit)],
    a.sponsor && ["Sponsor", a.sponsor.service], ["Next sequence", a.sequence],
    ["Credits", grouped(a.credits.available) + " of " + grouped(a.credits.capacity)],
    ["History", make("span", {}, plural(a.history.size, "entry").replace("entrys", "entries") + ", root ", hash(a.history.root))],
    ["Audit file", make("span", {}, make("a", { href: "/v1/accounts/" + part(id) + "/audit", download: a.account + ".audit" }, "download"),
      soft(" and check it with 'chain-cli audit verify'"))]]),
    table("Reputation", ["Role", "#Score", "#For", "#Against"], reputation.roles.map(r => [r.role,
      (Number(r.score) / 1048576).toFixed(4), (Number(r.positive) / 1048576).toFixed(2),
      (Number(r.negative) / 1048576).toFixed(2)]), "No evidence in any role."),
    table(size > page ? "History, entries " + grouped(from) + " to " + grouped(Math.max(from, last - 1)) : "History",
      entryColumns, history.entries.reverse().map(entryCells), "No entries."),
    size > page ? steps([last < size ? "account/" + id + "/" + Math.min(size - page, last) : null, "← newer"],
      [from > 0 ? "account/" + id + "/" + Math.max(0, from - page) : null, "older →"]) : "");
};

views.masternode = async (key, paint) => {
  const [m, set] = await Promise.all([get("masternodes/" + part(key)), get("masternodes")]);
  const place = (index, epoch) => (index === undefined ? "not in that of epoch " : "place " + index + " in epoch ") + epoch;
  paint(make("h1", {}, "Masternode " + m.name), facts(null, [
    ["Consensus key", copied(m.consensusKey)], ["Owner", link("account/" + m.owner, m.owner)], ["Status", standing(m)],
    m.status.unlocksAt && ["Collateral locked until", moment(m.status.unlocksAt) + " at least"],
    ["Collateral", money(m.collateral)],
    ["Set", place(m.index, set.epoch) + ", " + place(m.nextIndex, String(BigInt(set.epoch) + 1n))],
    ["Last seen", m.seenThisEpoch ? "in this epoch" : "in epoch " + m.lastSeen],
    ["Registered in block", blockLink(m.registeredAt)], ["Connection", connection(m)]]));
};

// A curve over the rounds, drawn here: a point for each, red where the round was not accepted.
function chart(title, points, shown, bounds) {
  const width = 360, height = 130, edge = { left: 8, right: 8, top: 10, bottom: 18 };
  const values = points.map(p => p.value);
  let low = Math.min(...values), high = Math.max(...values);
  if (bounds) [low, high] = [Math.max(bounds[0], low - (high - low) * .1), Math.min(bounds[1], high + (high - low) * .1)];
  if (high - low < 1e-9) [low, high] = [low - Math.abs(low) * .1 - 1e-6, high + Math.abs(high) * .1 + 1e-6];
  const x = i => points.length < 2 ? width / 2 : edge.left + (width - edge.left - edge.right) * i / (points.length - 1);
  const y = v => edge.top + (height - edge.top - edge.bottom) * (1 - (v - low) / (high - low));
  const label = points.map(p => "round " + p.round + ": " + shown(p.value)).join("; ");
  const svg = draw("svg", { viewBox: "0 0 " + width + " " + height, role: "img", "aria-label": title + ", " + label });
  for (const v of [low, high]) svg.append(draw("line", { class: "grid", x1: edge.left, x2: width - edge.right, y1: y(v), y2: y(v) }));
  const text = (at, top, anchor, value) => {
    const element = draw("text", { x: at, y: top, "text-anchor": anchor });
    element.textContent = value;
    svg.append(element);
  };
  if (points.length > 1) {
    svg.append(draw("path", { class: "line", d: points.map((p, i) => (i ? "L" : "M") + x(i).toFixed(1) + " " + y(p.value).toFixed(1)).join("") }));
  }
  points.forEach((p, i) => {
    const dot = draw("circle", { class: p.good ? "dot" : "dot bad", cx: x(i).toFixed(1), cy: y(p.value).toFixed(1), r: points.length > 40 ? 2 : 3.5 });
    const name = draw("title", {});
    name.textContent = "round " + p.round + ": " + shown(p.value);
    dot.append(name);
    svg.append(dot);
  });
  // What the two lines stand for, at the side where the curve is not.
  const ends = points.length < 2 || values[0] > values[values.length - 1] ? [width - edge.right, "end"] : [edge.left, "start"];
  text(ends[0], y(high) + 11, ends[1], shown(high));
  text(ends[1] === "end" ? edge.left : width - edge.right, y(low) - 4, ends[1] === "end" ? "start" : "end", shown(low));
  text(edge.left, height - 4, "start", "round " + points[0].round);
  if (points.length > 1) text(width - edge.right, height - 4, "end", "round " + points[points.length - 1].round);
  return make("section", { class: "chart" },
    make("h2", {}, title, make("b", {}, shown(values[values.length - 1]))), svg);
}

const rests = new Set(["aborted", "finished", "paused", "starved"]);
function jobParts(j, service) {
  const done = j.phase === "finished" ? j.rounds : Math.min(j.round, j.rounds);
  const clouds = j.workers.filter(w => w.role === "cloud");
  const card = facts("Training job", [
    ["Title", j.title || soft("none")],
    ["Phase", make("span", {}, make("span", { class: j.phase === "aborted" || j.phase === "starved" ? "badge bad" : "badge" }, j.phase),
      rests.has(j.phase) ? "" : " of round " + j.round + " (last: " + (j.rounds - 1) + ")", j.reason ? " (" + j.reason + ")" : "", " since ", ago(j.phaseSince))],
    j.deadline && !rests.has(j.phase) && ["Ends", make("span", {}, left(j.deadline), ", " + moment(j.deadline) + " at the latest")],
    ["Rounds", done + " of " + j.rounds + " closed: " + j.acceptedRounds + " accepted, " + j.rejectedRounds + " not"],
    ["Accuracy", percent(j.metricMicro) + ", best " + percent(j.bestMetricMicro)],
    ["Loss", (Number(j.lossMicro) / 1e6).toFixed(4)],
    ["Model", /^0*$/.test(j.checkpoint) ? soft("none yet: it appears with the first accepted round")
      : make("span", {}, copied(j.checkpoint), soft(" is its digest; the file is with "),
        ...(clouds.length ? listed(clouds.map(w => make("span", {}, "the cloud ", accountLink(w.account)))) : [soft("the workers that made it")]),
        soft(", which wrote it where its --model said"))],
    ["Money", make("span", {}, money(j.escrow) + " in escrow for rounds to come, "
      + money(j.history.reduce((sum, r) => sum + BigInt(r.paid), 0n)) + " spent on the rounds below, "
      + money(j.owed) + " of it not yet taken; " + money(service.balance) + " on the contract's account")]]);
  card.append(make("progress", { value: String(done), max: String(j.rounds), "aria-label": "closed rounds" }));
  const points = (value, list = j.history) => list.map(r => ({ round: r.round, value: value(r), good: r.outcome === "accepted" }));
  const timed = j.history.map((r, i) => ({ r, before: i ? j.history[i - 1] : null })).filter(p => p.before && p.before.round + 1 === p.r.round)
    .map(p => ({ round: p.r.round, value: (Number(p.r.closedAt) - Number(p.before.closedAt)) / 1000, good: p.r.outcome === "accepted" }));
  return [card,
    j.history.length ? make("div", { class: "charts" },
      chart("Accuracy", points(r => Number(r.metricMicro) / 10000), v => v.toFixed(2) + " %", [0, 100]),
      chart("Loss", points(r => Number(r.lossMicro) / 1e6), v => v.toFixed(4), [0, Infinity]),
      timed.length ? chart("Seconds a round", timed, v => v.toFixed(1) + " s", [0, Infinity]) : "") : "",
    table("Workers", ["Role", "Account", "Standing", "This round", "#Rounds done", "#Owed", "#Missed in a row", "#Samples", "Reached at"],
      j.workers.map(w => [w.role + " " + w.index, accountLink(w.account), w.standing,
        w.revealed ? "revealed" : w.committed ? "committed" : "–", String(w.acceptedRounds), money(w.owed || "0"),
        String(w.misses), grouped(w.samples), w.endpoint || soft("unknown")]), "No worker has applied yet."),
    table("Rounds", ["#Round", "Outcome", "#Accuracy", "#Loss", "#Delivered", "#Paid", "Closed", "Checkpoint"],
      [...j.history].reverse().map(r => [String(r.round),
        make("span", { class: r.outcome === "accepted" ? "good" : "bad" }, r.outcome), percent(r.metricMicro),
        (Number(r.lossMicro) / 1e6).toFixed(4), String(r.participants), grouped(r.paid), ago(r.closedAt),
        make("code", { title: r.checkpoint }, short(r.checkpoint))]), "No round is closed yet.")];
}
views.service = async (id, paint) => {
  const s = await get("services/" + part(id));
  isStale = block => block.events.some(event => event.contract === s.contract);
  const parts = s.kind === "job" ? await get("services/" + part(id) + "/job").then(j => jobParts(j, s),
    error => [make("p", { class: "alarm" }, "This job is broken: " + error.message)]) : [];
  paint(make("h1", {}, (s.kind === "job" ? "Job " : "Service ") + s.id), ...parts, facts(s.kind === "job" ? "Contract" : null, [
    ["Kind", s.kind], ["Contract", copied(s.contract, link("account/" + s.contract, s.contract))],
    ["Owner", link("account/" + s.owner, s.owner)],
    s.validator && ["Validator", link("account/" + s.validator, s.validator)], ["Code", hash(s.codeHash)],
    ["Registered in block", blockLink(s.registeredAt)], ["Balance", money(s.balance)],
    s.notice && ["Announced", make("span", {}, s.notice.kind === "upgrade" ? "new code " : "its end, ",
      s.notice.codeHash ? hash(s.notice.codeHash) : "", " from ", moment(s.notice.from), " to ", moment(s.notice.until))],
    s.offeredTo && ["Offered to", link("account/" + s.offeredTo, s.offeredTo)],
    s.retiredAt && ["Ended in block", blockLink(s.retiredAt)]]));
};

// ---- The start ------------------------------------------------------------------------------------------------------

// What an address or a search that leads nowhere may have meant.
function advice(kind, what, status) {
  const lines = [];
  if (kind === "account") lines.push("An address has 63 characters and starts with edge1; a mistyped one is refused.",
    "An account that nothing on this chain has touched has no page.");
  else if (kind === "tx") lines.push("A transaction that expired before it got into a block is forgotten.",
    "One that was just sent may need a moment: try again.");
  else if (kind === "block") lines.push("Heights start with 1; the newest block is on the start page.");
  else if (kind === "service") lines.push("Names are exact, with upper and lower case: the list of services shows them.");
  else lines.push("The pages are in the line above.");
  if (status === 410) lines.push("This node joined by a snapshot: a node that has the whole chain has it.");
  return make("ul", {}, lines.map(line => make("li", {}, line)));
}

let showing = 0;
async function show() {
  const [kind, ...rest] = location.hash.replace(/^#\/?/, "").split("/");
  const mine = ++showing;
  home = null;
  isStale = () => false;
  document.querySelectorAll("nav a").forEach(a => a.classList.toggle("here", a.getAttribute("href") === "#/" + kind));
  const view = Object.hasOwn(views, kind) ? views[kind] : null;
  let what = "";
  try {
    what = decodeURIComponent(rest.join("/"));
    if (!view) throw new Error("There is no page '" + kind + "'.");
    await view(what, (...children) => {
      if (mine === showing) main.replaceChildren(...children.filter(c => c !== "" && c !== null && c !== undefined));
      return mine === showing;
    });
    if (mine !== showing) return;
    document.title = (kind ? kind + " " + short(what, 16, 4) + " – " : "") + "Edgeproof explorer";
  } catch (error) {
    if (mine !== showing) return;
    document.title = "Not found – Edgeproof explorer";
    main.replaceChildren(make("h1", {}, error.status === 404 || !view ? "Not found" : "This cannot be shown"),
      make("p", {}, error.message), advice(kind, what, error.status), make("p", {}, make("a", { href: "#/" }, "Back to the start")));
  }
}
document.getElementById("search").addEventListener("submit", async event => {
  event.preventDefault();
  const text = document.getElementById("query").value.trim();
  if (!text) return;
  const digits = text.replace(/[,_\s]/g, "");
  let target = "service/" + part(text);
  if (/^\d+$/.test(digits) || text === "latest") target = "block/" + digits;
  else if (/^edge1/i.test(text)) target = "account/" + part(text.toLowerCase());
  else if (/^[0-9a-fA-F]{64}$/.test(text)) {
    // A transaction, or a masternode's key.
    const id = text.toLowerCase();
    const known = await fetch("/v1/transactions/" + id).then(a => a.ok, () => false);
    const isKey = !known && await fetch("/v1/masternodes/" + id).then(a => a.ok, () => false);
    target = (isKey ? "masternode/" : "tx/") + id;
  } else if (!await fetch("/v1/services/" + part(text)).then(a => a.ok, () => false)) {
    const named = (await masternodes()).all.masternodes.find(m => m.name === text);
    if (named) target = "masternode/" + named.consensusKey;
  }
  if (location.hash === "#/" + target) show(); else location.hash = "#/" + target;
});
addEventListener("hashchange", () => { scrollTo(0, 0); show(); });

const live = document.getElementById("live");
function say(state, text) { live.className = "live " + state; live.textContent = text; }
// Browsers allow six connections to a host: a page that nobody looks at gives its stream back.
let events = null, statusAt = 0;
async function listen() {
  if (events || document.hidden) return;
  const mine = events = { close() {} };
  const again = () => { events = null; say("off", "no connection, trying again"); setTimeout(listen, 2000); };
  const head = await get("status").then(s => Number(s.head.height), () => -1);
  if (events !== mine) return;
  if (head < 0) return again();
  live.dataset.from = String(head);
  events = new EventSource("/v1/events?from=" + Math.max(1, head - 29));
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
    const isNew = Number(block.height) > Number(live.dataset.from);
    if (isNew && home && block.transactions.length) drawTransactions().catch(() => {});
    if (isNew && isStale(block)) {
      isStale = () => false;
      setTimeout(show, 300);
    }
    if (home && Date.now() - statusAt > 900) {
      statusAt = Date.now();
      showStatus(home.tiles).catch(() => {});
    }
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
// Without blocks no event comes: a chain that stands still is found by asking.
setInterval(() => { if (!document.hidden) showStatus(home ? home.tiles : null).catch(() => {}); }, 5000);
listen();
show();
showStatus(null).catch(() => {});
