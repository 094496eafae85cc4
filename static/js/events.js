// Records what a viewer sees and clicks, and sends it in batches.
//
// An impression is a card of which half was in view for a second, once per page view; a view
// is the page of a course or of a live session; a click is a followed card, or one bought from
// where it stands; an addition is a form that puts a course into the cart. What could not be sent
// waits in localStorage for the next page. The server stores each id once, so a repeat does no
// harm.

const ADDRESS = "/api/v1/events/";
const KEPT = "livecourse.events";
const MOST_KEPT = 400;
const MOST_SENT = 100;
const SEND_AFTER_MS = 4000;
const SEEN_AFTER_MS = 1000;

let queue = [];
let timer = null;

export function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  // Pages without TLS have no randomUUID.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

export function csrfToken() {
  return document.querySelector("[name=csrfmiddlewaretoken]")?.value ?? "";
}

function kept() {
  try {
    const events = JSON.parse(localStorage.getItem(KEPT) ?? "[]");
    return Array.isArray(events) ? events : [];
  } catch {
    return [];
  }
}

function keep(events) {
  try {
    if (events.length) localStorage.setItem(KEPT, JSON.stringify(events.slice(-MOST_KEPT)));
    else localStorage.removeItem(KEPT);
  } catch {
    // A browser that refuses storage loses only what it could not send.
  }
}

export function record(kind, course, session) {
  queue.push({
    id: uuid(),
    kind,
    occurred_at: new Date().toISOString(),
    course: course ? Number(course) : null,
    live_session: session ? Number(session) : null,
    value: null,
  });
  timer ??= setTimeout(send, SEND_AFTER_MS);
}

async function send() {
  clearTimeout(timer);
  timer = null;
  const events = [...kept(), ...queue];
  queue = [];
  // Kept until the server has answered: closing the page now loses nothing.
  keep(events);
  let size = MOST_SENT;
  while (events.length) {
    const batch = events.slice(0, size);
    const answer = await post(batch);
    if (answer === "later") return;
    if (answer === "refused" && batch.length > 1) {
      // One wrong event refuses its whole batch: halve it until that one stands alone.
      size = batch.length >> 1;
      continue;
    }
    size = MOST_SENT;
    events.splice(0, batch.length);
    keep(events);
  }
}

async function post(events) {
  try {
    const response = await fetch(ADDRESS, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRFToken": csrfToken() },
      body: JSON.stringify({ events }),
      credentials: "same-origin",
      keepalive: true,
    });
    // What the server refuses as wrong will not become right; what it is too busy for may.
    if (response.ok) return "stored";
    return response.status === 400 || response.status === 422 ? "refused" : "later";
  } catch {
    return "later";
  }
}

const waiting = new Map();
const watcher = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) {
        clearTimeout(waiting.get(target));
        waiting.delete(target);
      } else if (!waiting.has(target)) {
        waiting.set(target, setTimeout(() => seen(target), SEEN_AFTER_MS));
      }
    }
  },
  { threshold: 0.5 },
);

const counted = new Set();

function seen(card) {
  watcher.unobserve(card);
  const { course, session } = card.dataset;
  const key = `${course}/${session ?? ""}`;
  if (counted.has(key) || document.hidden) return;
  counted.add(key);
  record("impression", course, session);
}

function watchCards(root) {
  if (root.matches?.("[data-course]")) watcher.observe(root);
  for (const card of root.querySelectorAll("[data-course]")) watcher.observe(card);
}

document.addEventListener("click", (event) => {
  const card = event.target.closest("a")?.closest("[data-course]");
  if (card) record("click", card.dataset.course, card.dataset.session);
});
document.addEventListener("submit", (event) => {
  const { adds, inSession } = event.target.dataset;
  if (!adds) return;
  const card = event.target.closest("[data-course]");
  if (card) record("click", card.dataset.course, card.dataset.session);
  record("add_to_cart", adds, inSession);
});
addEventListener("pagehide", () => {
  if (queue.length) send();
});
new MutationObserver((changes) => {
  for (const change of changes) {
    for (const node of change.addedNodes) if (node.nodeType === Node.ELEMENT_NODE) watchCards(node);
  }
}).observe(document.getElementById("main"), { childList: true, subtree: true });

const { viewedCourse, sessionPage } = document.body.dataset;
if (viewedCourse) record("view", viewedCourse);
if (sessionPage) record("view", null, sessionPage);
watchCards(document);
if (kept().length) timer ??= setTimeout(send, SEND_AFTER_MS);
