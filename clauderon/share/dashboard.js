// The dashboard's page: shows what the server says. Text is set as text, never as markup; nothing is asked of elsewhere.
"use strict";

const PARTS = ["timeline", "requests", "diff", "output", "commits", "prompt"];
const LIST = [
  ["state", "State", ""], ["cpu", "CPU %", "number"], ["memory", "Memory", "number"], ["traffic", "Traffic", "spark"],
  ["requests", "Requests", "number"], ["refusals", "Refused", "number"], ["tokens", "Tokens", "number"],
  ["cost", "Cost", "number"], ["used", "Of budget", "number"], ["ahead", "Commits", "number"], ["last", "Last", "number"],
];
const SVG = "http://www.w3.org/2000/svg";
const main = document.getElementById("main");
let list = { sessions: [], summary: "", problem: "" };
let close = null; // what is known of the session that is open
let asked = 0;
let metric = "cost";

// An element with attributes and children; a child that is no element is text.
function make(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) node.setAttribute(key, value);
  node.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return node;
}

function draw(name, attributes, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

function route() {
  const [, kind, name, part] = location.hash.split("/");
  if (kind === "usage") return { view: "usage" };
  if (kind === "s" && name) {
    return { view: "session", name: decodeURIComponent(name), part: PARTS.includes(part) ? part : PARTS[0] };
  }
  return { view: "sessions" };
}

function address(name, part) {
  return "#/s/" + encodeURIComponent(name) + "/" + (part || PARTS[0]);
}

// Put new children in, and leave the focus where it was.
function show(...nodes) {
  const held = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.key : null;
  const scrolled = [...main.querySelectorAll("pre")].map((node) => [node.scrollLeft, node.scrollTop]);
  main.replaceChildren(...nodes);
  [...main.querySelectorAll("pre")].forEach((node, index) => {
    if (scrolled[index]) [node.scrollLeft, node.scrollTop] = scrolled[index];
  });
  if (held) {
    const again = [...main.querySelectorAll("[data-key]")].find((node) => node.dataset.key === held);
    if (again) again.focus({ preventScroll: true });
  }
}

function spark(values) {
  const last = values.slice(-30);
  const most = Math.max(1, ...last);
  const picture = draw("svg", { class: "spark", viewBox: "0 0 60 12", preserveAspectRatio: "none", "aria-hidden": "true" });
  last.forEach((value, index) => {
    if (value <= 0) return;
    const height = Math.max(1, (12 * value) / most);
    picture.append(draw("rect", { class: "bar", x: index * 2, y: 12 - height, width: 1.6, height }));
  });
  return picture;
}

function stateOf(one) {
  const word = one.status === one.state ? one.word : one.status;
  return one.text.for ? word + " (" + one.text.for + ")" : word;
}

function showSessions() {
  if (!list.sessions.length) {
    show(make("p", {}, "No sessions. Begin one: "), make("pre", {}, 'clauderon create --repo . --prompt "Fix the bug"'));
    return;
  }
  const head = make("tr", {}, make("th", { scope: "col" }, "Session"));
  for (const [, title, kind] of LIST) head.append(make("th", { scope: "col", class: kind }, title));
  const body = make("tbody", {});
  for (const one of list.sessions) {
    const link = make("a", { href: address(one.name), "data-key": one.id }, one.name);
    const row = make("tr", {}, make("td", {}, link));
    for (const [key, title, kind] of LIST) {
      const cell = make("td", { class: kind, "data-title": title });
      if (key === "traffic") { if (one.traffic.some((value) => value > 0)) cell.append(spark(one.traffic)); }
      else if (key === "state") cell.append(make("span", { class: "state " + one.word }, stateOf(one)));
      else if (key === "used" && one.budget_used >= 0.8) cell.append(make("strong", { class: "state" + (one.budget_used >= 1 ? " failed" : " waiting") }, one.text.used));
      else cell.append(one.text[key]);
      row.append(cell);
    }
    body.append(row);
  }
  show(make("table", { class: "list" }, make("thead", {}, head), body));
}

function table(titles, rows, kinds) {
  const head = make("tr", {}, ...titles.map((title, index) => make("th", { scope: "col", class: (kinds || [])[index] || "" }, title)));
  const body = make("tbody", {});
  for (const row of rows) {
    body.append(make("tr", {}, ...row.map((cell, index) => make("td", { class: (kinds || [])[index] || "" }, cell))));
  }
  return make("table", {}, make("thead", {}, head), body);
}

function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (bytes >= 1000 && unit < units.length - 1) { bytes /= 1024; unit += 1; }
  return (unit && bytes < 10 ? bytes.toFixed(1) : Math.round(bytes)) + " " + units[unit];
}

function partOf(known, part) {
  if (part === "timeline") {
    const rows = known.timeline.map(([at, kind, text]) => [at, make("span", { class: kind }, kind), text]).reverse();
    return [table(["Time", "What", ""], rows)];
  }
  if (part === "requests") {
    return [
      make("h3", {}, "By host"),
      table(["Host", "Requests", "Refused", "Passed"],
        known.hosts.map((one) => [one.host, one.requests, one.refusals, size(one.bytes)]), ["", "number", "number", "number"]),
      make("h3", {}, "Refused"),
      table(["Rule", "Request", "Times"],
        known.refusals.map((one) => [one.rule, one.method + " " + one.target, one.times]), ["", "", "number"]),
      make("h3", {}, "Lent by the proxy"),
      table(["Credential", "To"], known.lent),
    ];
  }
  if (part === "diff") {
    if (known.problem) return [make("p", {}, "The diff is not known: " + known.problem)];
    if (!known.diff.length) return [make("p", {}, "Nothing was changed.")];
    const text = make("pre", { tabindex: "0", "data-key": "diff" });
    for (const [line, kind] of known.diff) text.append(make("span", { class: kind }, line + "\n"));
    const more = known.diff_left_out ? [make("p", {}, known.diff_left_out + " more lines: clauderon diff " + known.name)] : [];
    return [text, ...more];
  }
  if (part === "output") return [make("pre", { tabindex: "0", "data-key": "output" }, known.output.join("\n") || "no output yet")];
  if (part === "commits") return [table(["Commit", "Subject", "Author", "Time"], known.commits)];
  return [make("pre", { tabindex: "0", "data-key": "prompt" }, known.prompt.join("\n") || "no prompt")];
}

function showSession(name, part) {
  const tabs = make("p", { class: "tabs" });
  PARTS.forEach((one) => {
    const link = make("a", { href: address(name, one), "data-key": "tab-" + one }, one);
    if (one === part) link.setAttribute("aria-current", "page");
    tabs.append(link);
  });
  const head = make("h2", {}, name + " ");
  if (!close || close.name !== name) {
    show(head, tabs, make("p", { class: "mute" }, "..."));
    return;
  }
  head.append(make("span", { class: "state " + close.state }, close.state));
  const facts = make("table", {}, make("tbody", {},
    ...close.facts.map(([label, value]) => make("tr", {}, make("th", { scope: "row" }, label), make("td", {}, value)))));
  const models = close.models.length ? [make("h3", {}, "Models"), table(["Model", ""], close.models)] : [];
  show(head, tabs, ...partOf(close, part), make("h3", {}, "Facts"), facts, ...models);
}

function sums(rows, key) {
  const found = new Map();
  for (const row of rows) found.set(row[key], (found.get(row[key]) || 0) + row[metric]);
  return found;
}

function amount(value) {
  if (metric === "cost") return "$" + (value >= 0.01 || !value ? value.toFixed(2) : value.toFixed(4));
  return value >= 1e6 ? (value / 1e6).toFixed(1) + "M" : value >= 1e3 ? (value / 1e3).toFixed(1) + "k" : String(value);
}

function byHour(rows) {
  const found = sums(rows, "hour");
  const hours = [...found.keys()].sort((one, other) => one - other);
  const picture = draw("svg", { viewBox: "0 0 720 160", role: "img", "aria-label": "by hour" });
  if (!hours.length) return picture;
  const first = hours[0];
  const count = Math.max(24, (hours[hours.length - 1] - first) / 3600 + 1);
  const most = Math.max(...found.values()) || 1;
  for (const hour of hours) {
    const height = (130 * found.get(hour)) / most;
    const bar = draw("rect", {
      class: "bar", x: (700 * (hour - first)) / 3600 / count, y: 140 - height, width: Math.max(1, 700 / count - 1), height,
    });
    bar.append(draw("title", {}, new Date(hour * 1000).toLocaleString() + ": " + amount(found.get(hour))));
    picture.append(bar);
  }
  picture.append(draw("line", { class: "axis", x1: 0, x2: 700, y1: 140.5, y2: 140.5 }));
  picture.append(draw("text", { x: 0, y: 155 }, new Date(first * 1000).toLocaleString()));
  picture.append(draw("text", { x: 0, y: 10 }, amount(most)));
  return picture;
}

function byName(rows, key) {
  const found = [...sums(rows, key)].sort((one, other) => other[1] - one[1]).slice(0, 20);
  const most = found.length ? found[0][1] || 1 : 1;
  const picture = draw("svg", { viewBox: "0 0 360 " + Math.max(20, found.length * 34), role: "img", "aria-label": "by " + key });
  found.forEach(([name, value], index) => {
    picture.append(draw("text", { x: 0, y: index * 34 + 12 }, (name.length > 44 ? name.slice(0, 43) + "…" : name) + "  " + amount(value)));
    picture.append(draw("rect", { class: "bar", x: 0, y: index * 34 + 16, width: Math.max(1, (350 * value) / most), height: 10 }));
  });
  return picture;
}

async function showUsage() {
  const known = await ask("/api/usage");
  if (!known || route().view !== "usage") return;
  const choose = make("p", {});
  for (const one of ["cost", "tokens"]) {
    const button = make("button", { type: "button", "aria-pressed": String(metric === one), "data-key": "metric-" + one }, one);
    button.addEventListener("click", () => { metric = one; showUsage(); });
    choose.append(button, " ");
  }
  const unpriced = known.rows.some((row) => row.unpriced);
  const parts = known.rows.length
    ? [make("div", { class: "charts" },
      make("section", { class: "wide" }, make("h3", {}, "By hour"), byHour(known.rows)),
      make("section", {}, make("h3", {}, "By model"), byName(known.rows, "model")),
      make("section", {}, make("h3", {}, "By session"), byName(known.rows, "session")))]
    : [make("p", {}, "No model was asked in the last month.")];
  const note = unpriced ? [make("p", { class: "mute" }, "Some models have no known price: their cost is not in these sums.")] : [];
  show(make("h2", {}, "Usage of the last month"), choose, ...parts, ...note);
}

async function ask(path) {
  const mine = ++asked;
  try {
    const answer = await fetch(path, { cache: "no-store" });
    if (mine !== asked) return null;
    if (answer.ok) return await answer.json();
    say((await answer.text()).split("\n")[0]);
  } catch (_error) {
    say("clauderon dashboard has ended");
  }
  return null;
}

function say(problem) {
  const place = document.getElementById("problem");
  place.textContent = problem;
  place.hidden = !problem;
}

async function refreshSession() {
  const { view, name } = route();
  if (view !== "session") return;
  const known = await ask("/api/session/" + encodeURIComponent(name));
  const now = route();
  if (known && now.view === "session" && now.name === name) {
    const same = JSON.stringify(known) === JSON.stringify(close);
    close = known;
    if (!same) showSession(name, now.part);
  }
}

function turn() {
  const now = route();
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === now.view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = now.view === "session" ? now.name + " - clauderon" : "clauderon";
  if (now.view === "sessions") showSessions();
  else if (now.view === "usage") showUsage();
  else {
    const fresh = !close || close.name !== now.name;
    showSession(now.name, now.part);
    if (fresh) refreshSession();
  }
}

function step(by) {
  const links = [...main.querySelectorAll("a[data-key]")];
  if (!links.length) return;
  const at = links.indexOf(document.activeElement);
  links[Math.min(links.length - 1, Math.max(0, at < 0 ? 0 : at + by))].focus();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const now = route();
  if (event.key === "j") step(1);
  else if (event.key === "k") step(-1);
  else if (event.key === "u") location.hash = "#/usage";
  else if (event.key === "Escape") location.hash = "#/";
  else if (now.view === "session" && PARTS[Number(event.key) - 1]) location.hash = address(now.name, PARTS[Number(event.key) - 1]);
  else return;
  event.preventDefault();
});
window.addEventListener("hashchange", () => {
  turn();
  if (document.activeElement === document.body) main.focus({ preventScroll: true });
});

const events = new EventSource("/events");
events.onmessage = (event) => {
  list = JSON.parse(event.data);
  document.getElementById("summary").textContent = list.summary;
  say(list.problem);
  if (route().view === "sessions") showSessions();
};
events.onerror = () => say("clauderon dashboard does not answer");
// A long audit takes long to read: the longer an answer took, the later is the next question.
async function keepAsking() {
  const began = Date.now();
  if (!document.hidden) await refreshSession();
  setTimeout(keepAsking, Math.max(3000, 5 * (Date.now() - began)));
}
setTimeout(keepAsking, 3000);
setInterval(() => { if (!document.hidden && route().view === "usage") showUsage(); }, 15000);
turn();
