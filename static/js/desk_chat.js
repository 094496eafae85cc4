// The chat of the desk: what viewers write, answers, and keeping order by one menu.

import { csrfToken, uuid } from "./events.js";
import { line, onLine } from "./desk_line.js";

const { api } = document.body.dataset;
const words = document.getElementById("desk-words").dataset;
const log = document.querySelector("[data-log]");
const newer = document.querySelector("[data-newer]");
const empty = log.querySelector("[data-empty]");
const template = document.getElementById("desk-line").content.firstElementChild;
const MOST_LINES = 500;
const NEAR_END_PX = 80;
const DONE_MS = 7000;
const known = new Set();
let hidden = new Set();
let myTag = null;

function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
}

// --- Lines ---

const isAtEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_END_PX;

function follow() {
  log.scrollTop = log.scrollHeight;
  newer.hidden = true;
}

function makeLine(message) {
  const made = template.cloneNode(true);
  made.dataset.message = message.id;
  made.dataset.tag = message.tag;
  made.dataset.author = message.author;
  if (message.role === "seller") made.classList.add("desk-line--seller");
  for (const mark of made.querySelectorAll("[data-role]")) mark.hidden = mark.dataset.role !== message.role;
  made.querySelector(".desk-line__who").textContent = message.author;
  made.querySelector(".desk-line__words").textContent = message.text;
  made.title = new Date(message.sent_at).toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });
  dress(made);
  return made;
}

// What depends on who looks and on what is hidden now.
function dress(made) {
  const isHidden = hidden.has(Number(made.dataset.message));
  made.classList.toggle("desk-line--hidden", isHidden);
  made.querySelector("[data-hidden-mark]").hidden = !isHidden;
  made.querySelector('[data-act="hide"]').hidden = isHidden;
  made.querySelector('[data-act="show"]').hidden = !isHidden;
  const isOwn = made.dataset.tag === myTag || made.classList.contains("desk-line--seller");
  for (const button of made.querySelectorAll("[data-act]")) {
    if (!["hide", "show"].includes(button.dataset.act)) button.hidden = isOwn;
  }
}

function add(messages) {
  const fresh = messages.filter(({ id }) => !known.has(id));
  if (!fresh.length) return;
  const follows = isAtEnd();
  const isFirst = known.size === 0;
  for (const { id } of fresh) known.add(id);
  log.append(...fresh.slice(-MOST_LINES).map(makeLine));
  empty.hidden = true;
  for (const old of [...log.querySelectorAll("[data-message]")].slice(0, -MOST_LINES)) old.remove();
  if (follows || isFirst) follow();
  else newer.hidden = false;
  if (!isFirst) document.dispatchEvent(new CustomEvent("desk:said", { detail: fresh.length }));
}

log.addEventListener("scroll", () => isAtEnd() && (newer.hidden = true), { passive: true });
newer.addEventListener("click", follow);
// A log that was not in sight had no height to scroll in.
document.addEventListener("desk:shown", ({ detail }) => detail === "chat" && follow());

onLine({
  messages: add,
  me(me) {
    myTag = me.tag;
    for (const made of log.querySelectorAll("[data-message]")) dress(made);
  },
  state(state) {
    if ("hidden" in state) {
      hidden = new Set(state.hidden);
      for (const made of log.querySelectorAll("[data-message]")) dress(made);
    }
    if ("chat" in state) say.text.maxLength = state.chat.longest;
  },
});

// --- Answering ---

const say = document.querySelector("[data-say]");
const note = document.querySelector("[data-say-note]");

say.addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = say.text.value.trim();
  const button = say.querySelector("button");
  if (!text || button.disabled) return;
  button.disabled = true;
  note.textContent = "";
  const answer = await line.say(uuid(), text);
  button.disabled = false;
  if (answer.type === "ack") {
    if (say.text.value.trim() === text) say.text.value = "";
    follow();
  } else {
    const again = answer.retry_after ? fill(words.againIn, { n: answer.retry_after }) : "";
    note.textContent = [answer.detail ?? (answer.code === "offline" ? words.notSent : words.failed), again].filter(Boolean).join(" ");
  }
});

// --- Keeping order ---

async function ask(method, path, body) {
  let response;
  try {
    response = await fetch(api + path, {
      method,
      credentials: "same-origin",
      headers: { "Content-Type": "application/json", "X-CSRFToken": csrfToken() },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Error(words.notDone);
  }
  if (response.ok) return response.status === 204 ? null : response.json();
  let detail = null;
  try {
    detail = (await response.json()).errors?.[0]?.detail;
  } catch {
    // Not ours: a proxy's page.
  }
  throw new Error(detail ?? words.failed);
}

// What each act asks for, and what takes it back.
const acts = {
  hide: (id) => ({ ask: ["PUT", `messages/${id}/hidden/`], undo: ["DELETE", `messages/${id}/hidden/`] }),
  show: (id) => ({ ask: ["DELETE", `messages/${id}/hidden/`], undo: ["PUT", `messages/${id}/hidden/`] }),
  mute: (id, { minutes }) => ({
    ask: ["PUT", `messages/${id}/author/restriction/`, { kind: "mute", minutes: minutes ? Number(minutes) : null }],
    undo: ["DELETE", `messages/${id}/author/restriction/`],
  }),
  ban: (id, { everywhere }) => ({
    ask: ["PUT", `messages/${id}/author/restriction/`, { kind: "ban", everywhere: everywhere !== undefined }],
    undo: ["DELETE", `messages/${id}/author/restriction/`],
  }),
  lift: (id) => ({ ask: ["DELETE", `messages/${id}/author/restriction/`] }),
  moderator: (id) => ({ ask: ["POST", "moderators/", { message: id }] }),
};

const done = document.querySelector("[data-done]");
const undo = done.querySelector("[data-undo]");
let takeBack = null;
let timer = null;

function told(text, back = null) {
  done.querySelector("span").textContent = text;
  undo.hidden = back === null;
  takeBack = back;
  done.hidden = false;
  clearTimeout(timer);
  timer = setTimeout(() => (done.hidden = true), DONE_MS);
}

undo.addEventListener("click", async () => {
  try {
    await ask(...takeBack);
    done.hidden = true;
  } catch (error) {
    told(error.message);
  }
});

log.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-act]");
  if (!button) return;
  const made = button.closest("[data-message]");
  made.querySelector("details").open = false;
  const { author } = made.dataset;
  if (button.dataset.act === "answer") {
    say.text.value = `@${author} ${say.text.value.replace(/^@\S+ /, "")}`;
    say.text.focus();
    return;
  }
  const act = acts[button.dataset.act](Number(made.dataset.message), button.dataset);
  try {
    await ask(...act.ask);
    told(fill(words[button.dataset.act], { name: author }), act.undo ?? null);
    if (button.dataset.act === "moderator") listModerators();
  } catch (error) {
    told(error.message);
  }
});

// A menu near the foot of the log opens upwards.
log.addEventListener("toggle", (event) => {
  const menu = event.target;
  if (!menu.open) return;
  const { bottom } = menu.getBoundingClientRect();
  const sheet = menu.querySelector("[role=group]");
  sheet.classList.toggle("is-above", bottom + sheet.offsetHeight > log.getBoundingClientRect().bottom);
}, true);

// --- Rules and moderators ---

const rules = document.querySelector("[data-chat-rules]");
const saved = rules.querySelector("[data-saved]");

rules.addEventListener("submit", async (event) => {
  event.preventDefault();
  const changes = {
    is_open: rules.is_open.checked,
    allows_links: rules.allows_links.checked,
    slow_seconds: Number(rules.slow_seconds.value),
    longest: Number(rules.longest.value),
    blocked_words: rules.blocked_words.value,
  };
  saved.hidden = true;
  try {
    await ask("PATCH", "chat-rules/", changes);
    saved.hidden = false;
  } catch (error) {
    told(error.message);
  }
});

const moderators = document.querySelector("[data-moderators]");

async function listModerators() {
  try {
    const { results } = await ask("GET", "moderators/");
    const none = moderators.querySelector("[data-none]");
    moderators.replaceChildren(...results.map(moderatorLine), ...(none ? [none] : []));
    if (none) none.hidden = results.length > 0;
  } catch {
    // The list that the page came with stands.
  }
}

function moderatorLine({ id, name }) {
  const row = document.createElement("li");
  const drop = document.createElement("button");
  drop.type = "button";
  drop.className = "link";
  drop.textContent = moderators.dataset.drop;
  drop.addEventListener("click", async () => {
    try {
      await ask("DELETE", `moderators/${id}/`);
    } catch (error) {
      told(error.message);
    }
    listModerators();
  });
  row.append(name, drop);
  return row;
}

document.querySelector(".desk-chat__settings").addEventListener("toggle", (event) => event.target.open && listModerators());
