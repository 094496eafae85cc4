// The control desk: clocks, tabs on a phone, what asks first, and what is told when a press failed.

import { onLine } from "./desk_line.js";

const body = document.body;
const ahead = Date.parse(body.dataset.now) - Date.now();
const now = () => Date.now() + ahead;
const pad = (n) => String(n).padStart(2, "0");

function clock(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const hours = Math.floor(seconds / 3600);
  const rest = `${pad(Math.floor(seconds / 60) % 60)}:${pad(seconds % 60)}`;
  return hours ? `${hours}:${rest}` : rest;
}

const DAY_MS = 86400000;
const CLOSE_MS = 60000;

function tick() {
  for (const since of document.querySelectorAll("[data-since]")) {
    since.textContent = clock(now() - Date.parse(since.dataset.since));
  }
  for (const one of document.querySelectorAll("[data-ends]")) {
    const left = Date.parse(one.dataset.ends) - now();
    // What runs for days is told by its date, which the page says already.
    if (left > DAY_MS) continue;
    one.textContent = clock(Math.ceil(left / 1000) * 1000);
    one.classList.toggle("is-close", left < CLOSE_MS);
    if (left <= 0 && one.dataset.then) {
      const box = one.closest("[hx-get]");
      const then = one.dataset.then;
      delete one.dataset.then;
      box?.dispatchEvent(new Event(then));
    }
  }
}

tick();
setInterval(tick, 500);

// --- Tabs: on a phone one part of the desk at a time ---

const tabs = [...document.querySelectorAll("[data-shows]")];

function show(name) {
  body.dataset.shown = name;
  for (const part of document.querySelectorAll("[data-tab]")) part.classList.toggle("is-shown", part.dataset.tab === name);
  for (const tab of tabs) {
    if (tab.dataset.shows === name) tab.setAttribute("aria-current", "true");
    else tab.removeAttribute("aria-current");
  }
  if (name === "chat") unread(0);
  document.dispatchEvent(new CustomEvent("desk:shown", { detail: name }));
}

let nUnread = 0;
const mark = document.querySelector("[data-unread]");

function unread(n) {
  nUnread = n;
  mark.hidden = n === 0;
  mark.textContent = n > 99 ? "99+" : String(n);
}

document.addEventListener("desk:said", (event) => {
  if (body.dataset.shown !== "chat") unread(nUnread + event.detail);
});

for (const tab of tabs) {
  tab.addEventListener("click", (event) => {
    event.preventDefault();
    show(tab.dataset.shows);
    scrollTo(0, 0);
  });
}
body.classList.add("has-tabs");
show(document.querySelector("[data-shown-first]")?.dataset.shownFirst ?? "sell");

// --- Menus close when one presses elsewhere, or Escape ---

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details[data-popup][open]")) {
    if (!menu.contains(event.target) || event.target.closest("[data-close]")) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details[data-popup][open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// --- What ends something is pressed twice ---

const SURE_MS = 4000;

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-sure]");
  if (!button || button.dataset.armed) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  const before = [...button.childNodes];
  button.dataset.armed = "1";
  button.classList.add("button--danger");
  button.replaceChildren(button.dataset.sure);
  setTimeout(() => {
    if (!button.isConnected) return;
    delete button.dataset.armed;
    button.classList.remove("button--danger");
    button.replaceChildren(...before);
  }, SURE_MS);
}, true);

// --- HTMX: fragments keep open menus open, forms empty themselves, failures are told ---

const fault = document.querySelector("[data-fault]");
const words = document.getElementById("desk-words")?.dataset ?? {};

export function tell(text) {
  fault.textContent = text;
  fault.hidden = !text;
}

window.addEventListener("DOMContentLoaded", () => htmx.config.morphIgnore.push("open"));

document.addEventListener("htmx:before:request", () => tell(""));
document.addEventListener("htmx:error", (event) => {
  if (event.detail.ctx) tell(words.notDone);
});
document.addEventListener("htmx:before:swap", (event) => {
  const { ctx } = event.detail;
  // Signed out meanwhile, or the server is in trouble: what it says is no part of the desk.
  if (ctx.response && ctx.response.status !== 409 && ctx.response.status !== 422 && ctx.response.status >= 400) {
    event.preventDefault();
    if (ctx.request.method !== "GET") tell(words.failed);
  }
});
document.addEventListener("htmx:after:swap", (event) => {
  const { ctx } = event.detail;
  const form = ctx.sourceElement;
  if (ctx.response?.status === 200 && form.matches?.("form[data-resets]")) {
    form.reset();
    form.closest("details").open = false;
  }
  document.querySelector("#desk-running > [role=alert], #desk-showcase > [role=alert]")?.scrollIntoView({ block: "nearest" });
  tick();
});

// --- What the room says ---

const line = document.querySelector("[data-connection]");
const offline = document.querySelector("[data-away]");

function connection(state) {
  if (!line) return;
  line.dataset.connection = state;
  const text = line.querySelector("[data-connection-text]");
  text.textContent = text.dataset[state];
  offline.hidden = state !== "offline";
}

let shownParts = {};

// A part of the desk is fetched anew when what the room tells of it has changed since the last time.
function changed(name, value) {
  const text = JSON.stringify(value);
  const isNew = name in shownParts && shownParts[name] !== text;
  shownParts[name] = text;
  return isNew;
}

onLine({
  connection,
  state(state) {
    if ("viewers" in state) document.querySelector("[data-viewers]").textContent = state.viewers;
    if ("status" in state && state.status !== body.dataset.status) location.reload();
    if ("showcase" in state && changed("showcase", state.showcase)) {
      document.getElementById("desk-showcase").dispatchEvent(new Event("showcasemoved"));
      document.getElementById("desk-running").dispatchEvent(new Event("offersmoved"));
    } else if ("coupons" in state && changed("coupons", state.coupons)) {
      document.getElementById("desk-running").dispatchEvent(new Event("offersmoved"));
    }
    // A sale is counted at once, not at the next round.
    if ("bought" in state && changed("bought", state.bought)) {
      for (const box of document.querySelectorAll("[data-refresh]")) box.dispatchEvent(new Event("refresh"));
    }
  },
});
