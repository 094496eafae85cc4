// The showcase of the desk: dragged by finger or mouse, moved by keys, pinned with one press.

const box = () => document.getElementById("desk-showcase");
const list = () => box().querySelector(".desk-shelf");
const orderOf = () => [...list().children].map((item) => item.dataset.course).join(" ");
// Keys pressed in a row make one change.
const KEYS_MS = 400;
const EDGE_PX = 80;
const SCROLL_PX = 12;

function send() {
  box().querySelector("[data-arrangeable]").dispatchEvent(new Event("arranged"));
}

function say(item) {
  const told = document.querySelector("[data-moved]");
  const items = [...list().children];
  const values = { title: item.dataset.title, n: items.indexOf(item) + 1, all: items.length };
  told.textContent = told.dataset.moved.replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
}

// --- Dragging ---

let drag = null;
let timer = null;
let isBehind = false;

function begin(event) {
  const grip = event.target.closest?.("[data-grip]");
  if (!grip || event.button > 0) return;
  const item = grip.closest("li");
  event.preventDefault();
  grip.setPointerCapture(event.pointerId);
  drag = { grip, item, id: event.pointerId, before: orderOf(), next: item.nextElementSibling, y: event.clientY, offset: event.clientY - item.getBoundingClientRect().top };
  item.classList.add("is-dragged");
  list().classList.add("is-sorting");
  requestAnimationFrame(scrollAtEdge);
}

function place() {
  const { item } = drag;
  item.style.transform = "";
  const middle = drag.y - drag.offset + item.offsetHeight / 2;
  for (const other of list().children) {
    if (other === item) continue;
    const { top, height } = other.getBoundingClientRect();
    const isBefore = item.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_PRECEDING;
    if (isBefore && middle < top + height / 2) {
      list().insertBefore(item, other);
      break;
    }
    if (!isBefore && middle > top + height / 2) {
      let after = other;
      while (after.nextElementSibling && after.nextElementSibling !== item && middle > centre(after.nextElementSibling)) after = after.nextElementSibling;
      list().insertBefore(item, after.nextElementSibling);
      break;
    }
  }
  const at = item.getBoundingClientRect().top;
  item.style.transform = `translateY(${drag.y - drag.offset - at}px)`;
}

function centre(element) {
  const { top, height } = element.getBoundingClientRect();
  return top + height / 2;
}

function scrollAtEdge() {
  if (!drag) return;
  const bottom = innerHeight - EDGE_PX;
  if (drag.isMoved && (drag.y < EDGE_PX * 1.5 || drag.y > bottom)) {
    scrollBy(0, drag.y > bottom ? SCROLL_PX : -SCROLL_PX);
    place();
  }
  requestAnimationFrame(scrollAtEdge);
}

function end(isKept) {
  if (!drag) return;
  const { item, before, next } = drag;
  item.classList.remove("is-dragged");
  item.style.transform = "";
  list().classList.remove("is-sorting");
  drag = null;
  if (!isKept) list().insertBefore(item, next);
  if (orderOf() !== before) {
    say(item);
    send();
  } else if (isBehind) {
    box().dispatchEvent(new Event("showcasemoved"));
  }
  isBehind = false;
}

document.addEventListener("pointerdown", begin);
document.addEventListener("pointermove", (event) => {
  if (event.pointerId !== drag?.id) return;
  drag.y = event.clientY;
  drag.isMoved = true;
  place();
});
document.addEventListener("pointerup", (event) => event.pointerId === drag?.id && end(true));
document.addEventListener("pointercancel", (event) => event.pointerId === drag?.id && end(false));

// An answer that comes while something is held in the hand, or moved by keys and not yet sent,
// knows nothing of it and would put it back.
document.addEventListener("htmx:before:swap", (event) => {
  if ((!drag && timer === null) || event.detail.ctx.target !== box()) return;
  event.preventDefault();
  isBehind = true;
});

// --- Keys and buttons ---

function step(item, by) {
  const other = by < 0 ? item.previousElementSibling : item.nextElementSibling;
  if (!other) return false;
  if (by < 0) other.before(item);
  else other.after(item);
  say(item);
  clearTimeout(timer);
  timer = setTimeout(() => {
    timer = null;
    send();
  }, KEYS_MS);
  return true;
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") end(false);
  const grip = event.target.closest?.("[data-grip]");
  const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (!grip || !by) return;
  event.preventDefault();
  step(grip.closest("li"), by);
  grip.focus();
});

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-step]");
  if (!button) return;
  event.preventDefault();
  step(button.closest("li"), Number(button.dataset.step));
  button.focus();
});

// --- Pinning is seen before the server has said so ---

let pinnedBefore = null;

document.addEventListener("htmx:before:request", (event) => {
  const action = event.detail.ctx.request.action;
  const isPin = action.endsWith("/desk/pin/");
  if (!isPin && !action.endsWith("/desk/unpin/")) return;
  const course = isPin ? event.detail.ctx.request.body.get("course") : null;
  pinnedBefore = list()?.querySelector(".desk-item--pinned")?.dataset.course ?? null;
  mark(course);
});

function mark(course) {
  for (const item of list()?.children ?? []) {
    const isPinned = item.dataset.course === course;
    item.classList.toggle("desk-item--pinned", isPinned);
    item.querySelector(".desk-item__pin")?.setAttribute("aria-pressed", String(isPinned));
  }
}

document.addEventListener("htmx:error", (event) => {
  if (event.detail.ctx?.request.action.endsWith("pin/")) mark(pinnedBefore);
});

// --- An offer for a course of the showcase ---

const chosen = document.querySelector("[data-offer-course]");
const was = document.querySelector("[data-offer-was]");

function showWas() {
  const price = chosen?.selectedOptions[0]?.dataset.was;
  if (was) was.textContent = price ? `${was.dataset.label} ${price}` : "";
}

// The form stays while the showcase changes beside it, so that nothing typed is lost.
function listCourses() {
  if (!chosen) return;
  const before = chosen.value;
  const options = [...box().querySelectorAll("[data-on-sale]")].map((item) => {
    const option = new Option(item.dataset.title, item.dataset.course);
    option.dataset.was = item.dataset.was;
    return option;
  });
  chosen.replaceChildren(...options);
  if (options.some((option) => option.value === before)) chosen.value = before;
  showWas();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("[data-offer]");
  if (!link) return;
  event.preventDefault();
  link.closest("details").open = false;
  document.querySelector('[data-shows="offers"]').click();
  document.querySelector('[data-makes="promotion"]').open = true;
  chosen.value = link.dataset.offer;
  showWas();
  document.getElementById("offer-price").focus();
});

chosen?.addEventListener("change", showWas);
document.addEventListener("htmx:after:swap", listCourses);
listCourses();
