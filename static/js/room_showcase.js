// What a live room sells: the pinned course, the showcase, coupons, and who has just bought.

import { csrfToken } from "./events.js";
import { clone, money, now, put, show, showCountdowns, slots, words } from "./room_words.js";

const BOUGHT_MS = 6000;
const BOUGHT_WITHIN_MS = 60_000;
const TOLD_MS = 4000;
const FEW_SEATS = 20;

export class Showcase {
  constructor(root) {
    this.root = root;
    this.pinned = root.querySelector("[data-pinned]");
    this.shelf = root.querySelector("[data-shelf]");
    this.coupons = root.querySelector("[data-coupons]");
    this.bought = root.querySelector("[data-bought]");
    this.told = root.querySelector("[data-told]");
    this.owned = ids(root.dataset.owned);
    this.own = ids(root.dataset.own);
    this.lastBought = null;
    root.addEventListener("submit", (event) => this.submit(event));
    showCountdowns(root);
    setInterval(() => this.tick(), 1000);
  }

  tick() {
    if (!document.hidden) showCountdowns(this.root);
  }

  // --- Courses --------------------------------------------------------------------------------

  set(items) {
    const cards = new Map();
    for (const card of this.shelf.children) cards.set(card.dataset.course, card);
    // What is shown right now stands first, as where the page is made.
    const ordered = [...items].sort((one, other) => other.is_pinned - one.is_pinned);
    ordered.forEach((item, place) => {
      const key = String(item.course);
      const card = this.fill(cards.get(key) ?? this.card("good", item), item);
      cards.delete(key);
      if (this.shelf.children[place] !== card) this.shelf.insertBefore(card, this.shelf.children[place] ?? null);
    });
    for (const card of cards.values()) card.remove();
    show(this.root.querySelector("[data-no-goods]"), !items.length);
    this.root.querySelector("[data-n-goods]").textContent = items.length;
    this.pin(items.find((item) => item.is_pinned));
  }

  pin(item) {
    const shown = this.pinned.firstElementChild;
    if (!item) {
      shown?.remove();
    } else if (shown?.dataset.course === String(item.course)) {
      this.fill(shown, item);
    } else {
      // Another course is another card: seeing it counts anew.
      this.pinned.replaceChildren(this.fill(this.card("good-pin", item), item));
    }
  }

  // A new card, with the one way to get the course that this viewer has.
  card(template, item) {
    const card = clone(template);
    card.dataset.course = item.course;
    if (template === "good") card.id = `shown-${item.course}`;
    const way = this.owned.has(item.course) ? "owned" : this.own.has(item.course) ? "own" : "buy";
    for (const act of card.querySelectorAll("[data-when]")) if (act.dataset.when !== way) act.remove();
    const form = card.querySelector("form");
    if (form) {
      form.dataset.adds = item.course;
      form.elements.course.value = item.course;
      form.elements.next.value = `${this.root.dataset.page}#shown-${item.course}`;
    }
    const lessons = card.querySelector("[data-when=owned]");
    if (lessons) lessons.href = `${this.root.dataset.learn}${encodeURIComponent(item.slug)}/`;
    const [cover] = slots(card, "cover");
    cover.src = localAddress(item.cover);
    return card;
  }

  fill(card, item) {
    const isFree = Number(item.price) === 0;
    const isReduced = Number(item.price) < Number(item.list_price);
    const [link] = slots(card, "link");
    link.textContent = item.title;
    link.href = `${this.root.dataset.courses}${encodeURIComponent(item.slug)}/?live=${this.root.dataset.room}`;
    put(card, "title", item.title);
    put(card, "price", money(item.price, item.currency));
    put(card, "list-price", money(item.list_price, item.currency));
    put(card, "buy", isFree ? words("getFree") : words("buyFor", { price: money(item.price, item.currency) }));
    card.querySelector(".price").classList.toggle("price--reduced", isReduced);
    for (const list of slots(card, "list")) show(list, isReduced);
    for (const mark of slots(card, "mark")) show(mark, item.is_pinned);
    const [seats] = slots(card, "seats");
    show(seats, item.seats_left !== null);
    seats.textContent = item.seats_left === null ? "" : words("seats", { n: item.seats_left });
    seats.classList.toggle("good__seats--few", item.seats_left !== null && item.seats_left <= FEW_SEATS);
    const [until] = slots(card, "until");
    if (item.offer_ends_at) until.dataset.until = item.offer_ends_at;
    else delete until.dataset.until;
    show(until, false);
    showCountdowns(card);
    return card;
  }

  // --- Coupons --------------------------------------------------------------------------------

  setCoupons(coupons) {
    const tickets = new Map();
    for (const ticket of this.coupons.children) tickets.set(ticket.dataset.coupon, ticket);
    for (const coupon of coupons) {
      const key = String(coupon.id);
      let ticket = tickets.get(key);
      if (!ticket) {
        ticket = clone("coupon");
        ticket.dataset.coupon = coupon.id;
        put(ticket, "code", coupon.code);
        put(ticket, "terms", terms(coupon));
        this.coupons.append(ticket);
      }
      slots(ticket, "until")[0].dataset.until = coupon.ends_at;
      tickets.delete(key);
    }
    for (const ticket of tickets.values()) ticket.remove();
    show(this.coupons, coupons.length > 0);
    showCountdowns(this.coupons);
  }

  async claim(form) {
    const ticket = form.closest("[data-coupon]");
    const response = await fetch(`${this.root.dataset.api}coupons/${Number(ticket.dataset.coupon)}/`, {
      method: "PUT",
      headers: { "X-CSRFToken": csrfToken() },
      credentials: "same-origin",
    });
    if (!response.ok) {
      this.tell(await reasonOf(response));
      return;
    }
    show(form, false);
    show(ticket.querySelector("[data-when=claimed]"), true);
  }

  // --- The way to the cart --------------------------------------------------------------------

  submit(event) {
    const form = event.target;
    const isClaim = form.dataset.when === "claim";
    const staysHere = form.dataset.adds && event.submitter?.value === "stay";
    // Buying leads to the cart as it does without script; the rest leaves the viewer in the room.
    if (!isClaim && !staysHere) return;
    event.preventDefault();
    const button = event.submitter ?? form.querySelector("button");
    button.disabled = true;
    const done = isClaim ? this.claim(form) : this.add(form);
    done.catch(() => this.tell(words("failed"))).finally(() => (button.disabled = false));
  }

  async add(form) {
    const fields = new URLSearchParams(new FormData(form));
    fields.set("then", "stay");
    // The cart says what became of it, and how many are in it now.
    fields.set("next", this.root.dataset.cart);
    const response = await fetch(form.action, { method: "POST", body: fields, credentials: "same-origin" });
    if (!response.ok) throw new Error(String(response.status));
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const said = page.querySelector(".notices .notice");
    const cart = document.querySelector(".site-cart");
    const cartNow = page.querySelector(".site-cart");
    const n = cartNow?.querySelector(".site-cart__n")?.textContent;
    if (cart && n) {
      cart.setAttribute("aria-label", cartNow.getAttribute("aria-label"));
      const mark = cart.querySelector(".site-cart__n") ?? cart.appendChild(document.createElement("span"));
      mark.className = "site-cart__n";
      mark.setAttribute("aria-hidden", "true");
      mark.textContent = n;
    }
    for (const link of said?.querySelectorAll("a") ?? []) link.remove();
    this.tell(said?.textContent.trim() || words("inCart"));
  }

  tell(text) {
    clearTimeout(this.toldTimer);
    this.told.textContent = text;
    show(this.told, true);
    this.toldTimer = setTimeout(() => show(this.told, false), TOLD_MS);
  }

  // --- Just bought ----------------------------------------------------------------------------

  setBought(orders) {
    const [newest] = orders;
    if (!newest || newest.id === this.lastBought) return;
    this.lastBought = newest.id;
    // What was bought before one came is no news.
    if (now() - Date.parse(newest.at) > BOUGHT_WITHIN_MS) return;
    this.bought.querySelector("span").textContent = words("bought", { name: newest.name, course: newest.title });
    show(this.bought, true);
    clearTimeout(this.boughtTimer);
    this.boughtTimer = setTimeout(() => show(this.bought, false), BOUGHT_MS);
  }
}

function ids(text) {
  return new Set((text ?? "").split(" ").filter(Boolean).map(Number));
}

// Covers are ours or those of our storage: nothing but an address of a picture may come of it.
function localAddress(address) {
  const url = new URL(address, location.href);
  return ["http:", "https:"].includes(url.protocol) ? url.href : "";
}

function terms(coupon) {
  const off =
    coupon.kind === "percent"
      ? words("percentOff", { percent: `${coupon.percent}%` })
      : words("amountOff", { amount: money(coupon.amount, coupon.currency) });
  if (!(Number(coupon.minimum_spend) > 0)) return off;
  return words("fromSum", { off, least: money(coupon.minimum_spend, coupon.currency) });
}

export async function reasonOf(response) {
  try {
    return (await response.json()).errors?.[0]?.detail ?? words("failed");
  } catch {
    return words("failed");
  }
}
