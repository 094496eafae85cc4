// The room of a live session: what comes over the line goes to its parts, what the viewer does
// goes back over it.

import { csrfToken, uuid } from "./events.js";
import { Chat } from "./room_chat.js";
import { DrawBox, PollBox } from "./room_games.js";
import { reasonOf, Showcase } from "./room_showcase.js";
import { Line } from "./room_socket.js";
import { show, shortNumber, words } from "./room_words.js";
import "./share.js";

const BEAT_MS = 15_000;
const LIKES_MS = 1000;
// As many as the server takes at once.
const MOST_LIKES = 50;
const MOST_HEARTS = 12;
const HEART_MS = 1600;
const MUTE_MINUTES = 10;
// Nobody has touched anything for so long: they are elsewhere, and no longer watch.
const IDLE_MS = 30 * 60 * 1000;
// A longer step is no watching: the machine slept.
const LONGEST_STEP_SECONDS = 5;
// A stay ends when the page was gone for so long.
const AWAY_MS = 30 * 60 * 1000;
// Everybody's page learns of the end at once; their next pages are spread over a minute.
const RELOAD_AFTER_MS = 15_000;
const RELOAD_WITHIN_MS = 60_000;

const root = document.querySelector("[data-room]");
const { room, api } = root.dataset;
const isSignedIn = "signedIn" in root.dataset;
const find = (name) => root.querySelector(`[data-${name}]`);

// --- The stay: one visit of one viewer, also over a reload ------------------------------------

const SEARCH_ENGINES = /(^|\.)(google|bing|baidu|sogou|so|duckduckgo|yandex|yahoo|sm|toutiao)\./;
const SOURCES = ["home", "list", "course", "reminder", "share", "search", "app", "other"];

function sourceOfVisit() {
  const asked = new URLSearchParams(location.search).get("from");
  if (SOURCES.includes(asked)) return asked;
  if (!document.referrer) return "direct";
  const from = new URL(document.referrer);
  if (from.host !== location.host) return SEARCH_ENGINES.test(from.hostname) ? "search" : "other";
  if (from.pathname === "/") return "home";
  if (from.pathname.startsWith(root.dataset.courses)) return "course";
  return from.pathname.startsWith("/live/") ? "list" : "direct";
}

function stayInStorage() {
  try {
    const stay = JSON.parse(sessionStorage.getItem(`livecourse.visit.${room}`));
    const isThis = stay?.isSignedIn === isSignedIn && Date.now() - stay.seenAt < AWAY_MS;
    return isThis ? stay : null;
  } catch {
    return null;
  }
}

const visit = stayInStorage() ?? { key: uuid(), source: sourceOfVisit(), seconds: 0, isSignedIn };

function keepVisit() {
  try {
    sessionStorage.setItem(`livecourse.visit.${room}`, JSON.stringify({ ...visit, seenAt: Date.now() }));
  } catch {
    // A browser that refuses storage begins a new stay with each page.
  }
}

keepVisit();
if (new URLSearchParams(location.search).has("from")) {
  // Whoever copies the address from here did not come from there.
  const address = new URL(location.href);
  address.searchParams.delete("from");
  history.replaceState(history.state, "", address);
}

// --- Parts of the room ------------------------------------------------------------------------

const chat = new Chat({ root, isSignedIn, say: (key, text) => line.say(key, text), moderate });
const showcase = new Showcase(root);
const poll = new PollBox({ root, isSignedIn });
const draw = new DrawBox({ root, isSignedIn });
const line = new Line({ api, room, visit, last: chat.last, onFrame, onState });

const parts = {
  status: (status) => status !== "live" && end(),
  video: (video) => document.dispatchEvent(new CustomEvent("room:video", { detail: video })),
  viewers: (n) => (find("viewers").textContent = shortNumber(n)),
  likes: setLikes,
  showcase: (items) => showcase.set(items),
  coupons: (coupons) => showcase.setCoupons(coupons),
  poll: (part) => poll.set(part),
  draw: (part) => draw.set(part),
  chat: (rules) => chat.setRules(rules),
  bought: (orders) => showcase.setBought(orders),
  hidden: (ids) => chat.hide(ids),
};

function onFrame({ state = {}, messages = [], me }) {
  for (const [name, part] of Object.entries(state)) parts[name]?.(part);
  if (me) {
    chat.setMe(me);
    poll.setVote(me.vote ?? null);
    draw.setEntry(me.entry ?? null);
  }
  chat.add(messages);
}

function onState(state) {
  const place = find("connection");
  const text = { lost: words("connecting"), banned: words("banned"), gone: words("over") }[state] ?? "";
  place.textContent = text;
  show(place, text !== "");
  root.dataset.line = state;
  if (state === "banned" || state === "gone") chat.end(text);
}

async function moderate(act, message) {
  const isHide = act === "hide";
  const path = isHide ? "hidden/" : "author/restriction/";
  const body = isHide ? {} : act === "mute" ? { kind: act, minutes: MUTE_MINUTES } : { kind: act };
  try {
    const response = await fetch(`${api}messages/${message}/${path}`, {
      method: "PUT",
      headers: { "Content-Type": "application/json", "X-CSRFToken": csrfToken() },
      body: JSON.stringify(body),
      credentials: "same-origin",
    });
    return response.ok ? null : await reasonOf(response);
  } catch {
    return words("failed");
  }
}

let isEnded = false;

function end() {
  if (isEnded) return;
  isEnded = true;
  chat.end(words("over"));
  find("like").disabled = true;
  show(find("over"), true);
  setTimeout(reloadWhenFree, RELOAD_AFTER_MS + Math.random() * RELOAD_WITHIN_MS);
}

// Nobody loses a text that they have begun, or the place that they read at.
function reloadWhenFree() {
  const isBusy = document.hidden || root.querySelector("input[name=text]")?.value || scrollY > innerHeight / 2;
  if (isBusy) setTimeout(reloadWhenFree, RELOAD_AFTER_MS);
  else location.reload();
}

// --- Likes ------------------------------------------------------------------------------------

const isCalm = matchMedia("(prefers-reduced-motion: reduce)");
let likes = 0;
let unsent = 0;
let likesTimer = null;

function setLikes(n) {
  const before = likes;
  // What was just pressed here may not be counted there yet.
  likes = Math.max(likes, n + unsent);
  find("likes").textContent = shortNumber(likes);
  if (before && likes > before) floatHearts(Math.min(likes - before, 3));
}

function floatHearts(n) {
  const sky = find("hearts");
  if (isCalm.matches || document.hidden) return;
  for (let i = 0; i < n && sky.childElementCount < MOST_HEARTS; i += 1) {
    const heart = find("like").querySelector(".icon").cloneNode(true);
    heart.classList.add("heart", `heart--${Math.floor(Math.random() * 4)}`);
    sky.append(heart);
    setTimeout(() => heart.remove(), HEART_MS);
  }
}

find("like").addEventListener("click", () => {
  unsent += 1;
  likes += 1;
  find("likes").textContent = shortNumber(likes);
  floatHearts(1);
  likesTimer ??= setTimeout(() => {
    line.like(Math.min(unsent, MOST_LIKES));
    unsent = 0;
    likesTimer = null;
  }, LIKES_MS);
});
show(find("like"), true);
show(find("without-script"), false);

// --- Watching: only what is in sight counts, of somebody who is there -------------------------

let touchedAt = Date.now();
let countedAt = performance.now();
let wasWatching = isWatching();
let sent = Math.floor(visit.seconds);

for (const kind of ["pointerdown", "pointermove", "keydown", "scroll", "touchstart"]) {
  addEventListener(kind, () => (touchedAt = Date.now()), { passive: true, capture: true });
}

function isWatching() {
  return !document.hidden && Date.now() - touchedAt < IDLE_MS && !isEnded;
}

function count() {
  const at = performance.now();
  if (wasWatching) visit.seconds += Math.min((at - countedAt) / 1000, LONGEST_STEP_SECONDS);
  countedAt = at;
  wasWatching = isWatching();
}

function beat(options) {
  count();
  const seconds = Math.floor(visit.seconds);
  if (seconds <= sent) return;
  sent = seconds;
  keepVisit();
  line.beat(seconds, options);
}

setInterval(count, 1000);
setInterval(beat, BEAT_MS);
document.addEventListener("visibilitychange", () => {
  beat();
  if (!document.hidden) line.again();
});
addEventListener("pagehide", () => {
  beat({ isLast: true });
  keepVisit();
  line.close();
});
addEventListener("pageshow", ({ persisted }) => persisted && line.open());

line.open();
