// What the parts of the room share: texts and prices in the viewer's language, templates, the time.

const language = document.documentElement.lang;
const said = document.getElementById("room-words")?.dataset ?? {};
const room = document.querySelector("[data-room]");

// A phone's clock may be minutes off: the page says what time it was when it was made.
const madeAt = performance.timeOrigin + (performance.getEntriesByType("navigation")[0]?.responseStart ?? 0);
const skew = Date.parse(room?.dataset.now ?? "") - madeAt;
const clockIsWrong = Math.abs(skew) > 20_000;

export function now() {
  return Date.now() + (clockIsWrong ? skew : 0);
}

// The text of that name, with what stands in braces filled in.
export function words(name, values = {}) {
  return (said[name] ?? "").replace(/\{(\w+)\}/g, (whole, key) => String(values[key] ?? whole));
}

export function number(n) {
  return new Intl.NumberFormat(language).format(n);
}

// Large numbers are read at a glance: 12.3K, 1.2万.
export function shortNumber(n) {
  if (n < 10_000) return number(n);
  return new Intl.NumberFormat(language, { notation: "compact", maximumFractionDigits: 1 }).format(n);
}

export function money(amount, currency) {
  const value = Number(amount);
  if (value === 0) return words("free");
  const digits = Number.isInteger(value) ? 0 : 2;
  const form = { style: "currency", currency, minimumFractionDigits: digits, maximumFractionDigits: 2 };
  try {
    return new Intl.NumberFormat(language, { ...form, currencyDisplay: "narrowSymbol" }).format(value);
  } catch {
    // Older browsers know no narrow symbols.
    return new Intl.NumberFormat(language, form).format(value);
  }
}

// How long until that moment: 4:05, 1:02:03, 2 d 03:04:05; an empty text once it has come.
export function left(until) {
  const seconds = Math.ceil((Date.parse(until) - now()) / 1000);
  if (!(seconds > 0)) return "";
  const two = (n) => String(n).padStart(2, "0");
  const days = Math.floor(seconds / 86_400);
  const hours = Math.floor(seconds / 3600) % 24;
  const rest = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  if (days) return words("days", { n: days, time: `${two(hours)}:${rest}` });
  return hours ? `${hours}:${rest}` : rest;
}

export function clone(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

// The places of that name within an element.
export function slots(root, name) {
  return root.querySelectorAll(`[data-slot="${name}"]`);
}

export function put(root, name, text) {
  for (const slot of slots(root, name)) slot.textContent = text;
}

export function show(element, isShown) {
  if (element) element.hidden = !isShown;
}

// One clock for all countdowns of the page.
export function showCountdowns(root) {
  for (const place of root.querySelectorAll("[data-until]")) {
    const time = left(place.dataset.until);
    show(place, time !== "");
    if (time) place.textContent = words("endsIn", { time });
  }
}
