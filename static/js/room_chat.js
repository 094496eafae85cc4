// The chat of a live room: lines as they come, the box to write in, and keeping order.

import { uuid } from "./events.js";
import { clone, now, show, words } from "./room_words.js";

// An old phone lays out no more lines than that without stutter.
const MOST_LINES = 300;
// As close to its end as that, the log follows what is said.
const NEAR_END_PX = 60;
const NOTE_MS = 4000;

export class Chat {
  constructor({ root, isSignedIn, say, moderate }) {
    Object.assign(this, { isSignedIn, say, moderate });
    this.log = root.querySelector("[data-log]");
    this.empty = root.querySelector("[data-empty]");
    this.newer = root.querySelector("[data-newer]");
    this.note = root.querySelector("[data-note]");
    this.pause = root.querySelector("[data-held]");
    this.form = root.querySelector("[data-composer]");
    this.me = { tag: null, can_write: isSignedIn, is_muted: false, muted_until: null, is_moderator: false };
    this.rules = null;
    this.hidden = new Set();
    this.heldUntil = 0;
    this.isSending = false;
    this.over = "";
    const newest = [...this.log.querySelectorAll("[data-message]")].at(-1);
    // The id of the newest message known, or null: they come in the order of their ids.
    this.last = newest ? Number(newest.dataset.message) : null;
    this.log.scrollTop = this.log.scrollHeight;
    this.follows = true;
    this.log.addEventListener("scroll", () => this.look(), { passive: true });
    // The keyboard, a poll or a note takes room: whoever followed goes on following.
    if (window.ResizeObserver) new ResizeObserver(() => this.follows && this.follow()).observe(this.log);
    this.newer.addEventListener("click", () => this.follow());
    this.log.addEventListener("click", (event) => this.act(event));
    if (this.form) {
      this.box = this.form.querySelector("input");
      this.button = this.form.querySelector("button");
      show(this.form, true);
      this.form.addEventListener("submit", (event) => this.submit(event));
      this.box.addEventListener("input", () => this.update());
    }
    this.update();
  }

  // --- Lines ----------------------------------------------------------------------------------

  add(messages) {
    const fresh = messages.filter(({ id }) => id > (this.last ?? 0) && !this.hidden.has(id));
    if (!fresh.length) return;
    this.last = fresh.at(-1).id;
    const follows = this.follows;
    const lines = document.createDocumentFragment();
    for (const message of fresh.slice(-MOST_LINES)) lines.append(this.line(message));
    this.log.append(lines);
    show(this.empty, false);
    this.trim(follows);
    if (follows) this.follow();
    else show(this.newer, true);
  }

  line(message) {
    const line = clone("line");
    line.dataset.message = message.id;
    line.dataset.tag = message.tag;
    if (message.role) line.classList.add(`line--${message.role === "seller" ? "seller" : "moderator"}`);
    for (const mark of line.querySelectorAll("[data-role]")) show(mark, mark.dataset.role === message.role);
    line.querySelector(".line__who").textContent = message.author;
    line.querySelector(".line__text").textContent = message.text;
    this.dress(line);
    return line;
  }

  // What depends on who looks: one's own lines, and the menu of whoever keeps order.
  dress(line) {
    const isMine = Boolean(this.me.tag) && line.dataset.tag === this.me.tag;
    line.classList.toggle("line--mine", isMine);
    show(line.querySelector(".line__me"), isMine);
    const menu = line.querySelector(".line__menu");
    const canModerate = this.me.is_moderator && !isMine;
    if (canModerate && !menu) line.append(clone("line-menu"));
    if (!canModerate && menu) menu.remove();
  }

  trim(follows) {
    const lines = this.log.querySelectorAll("[data-message]");
    const surplus = lines.length - MOST_LINES;
    if (surplus <= 0) return;
    const before = this.log.scrollHeight;
    for (const line of [...lines].slice(0, surplus)) line.remove();
    // Whoever reads back stays where they are.
    if (!follows && !CSS.supports("overflow-anchor", "auto")) this.log.scrollTop -= before - this.log.scrollHeight;
  }

  hide(ids) {
    this.hidden = new Set(ids);
    for (const id of ids) this.log.querySelector(`[data-message="${Number(id)}"]`)?.remove();
  }

  isAtEnd() {
    return this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < NEAR_END_PX;
  }

  look() {
    this.follows = this.isAtEnd();
    if (this.follows) show(this.newer, false);
  }

  follow() {
    this.follows = true;
    this.log.scrollTop = this.log.scrollHeight;
    show(this.newer, false);
  }

  // --- Writing --------------------------------------------------------------------------------

  setRules(rules) {
    this.rules = rules;
    if (this.box) this.box.maxLength = rules.longest;
    this.update();
  }

  setMe(me) {
    const isOther = me.tag !== this.me.tag || me.is_moderator !== this.me.is_moderator;
    this.me = me;
    if (me.muted_until) this.heldUntil = Math.max(this.heldUntil, Date.parse(me.muted_until));
    else if (!me.is_muted && this.wasMuted) this.heldUntil = 0;
    if (me.is_muted && !this.wasMuted) this.tell(words("muted"));
    this.wasMuted = me.is_muted;
    if (isOther) for (const line of this.log.querySelectorAll("[data-message]")) this.dress(line);
    this.update();
  }

  // Nobody writes here any more, for that reason.
  end(reason) {
    this.over ||= reason;
    this.update();
  }

  // Whole seconds until one may write again.
  held() {
    return Math.max(0, Math.ceil((this.heldUntil - now()) / 1000));
  }

  async submit(event) {
    event.preventDefault();
    const text = this.box.value.trim();
    if (!text || this.isSending || this.mayNot() || this.held()) return;
    this.isSending = true;
    this.tell("");
    this.update();
    const answer = await this.say(uuid(), text);
    this.isSending = false;
    if (answer.type === "ack") this.sent(text);
    else this.refused(answer);
    this.update();
  }

  sent(text) {
    const rest = this.box.value.trim();
    // What was typed meanwhile stays.
    this.box.value = rest.startsWith(text) ? rest.slice(text.length).trimStart() : rest;
    this.follow();
    const pause = this.rules?.slow_seconds ?? 0;
    if (pause && !this.me.is_moderator) this.hold(pause);
  }

  refused({ code, detail, retry_after: seconds }) {
    const reasons = { offline: words("notSent"), failed: words("failed"), banned: words("banned"), gone: words("over") };
    this.tell(detail ?? reasons[code] ?? words("failed"));
    if (seconds) this.hold(seconds);
  }

  hold(seconds) {
    this.heldUntil = now() + seconds * 1000;
    this.update();
  }

  // Why nothing can be written at all, or an empty text.
  mayNot() {
    if (this.over) return this.over;
    if (this.me.is_muted && !this.me.muted_until) return words("muted");
    if (this.rules && !this.rules.is_open && !this.me.is_moderator) return words("closed");
    return "";
  }

  // Once a second while somebody waits, and whenever something changes.
  update() {
    if (!this.form) {
      this.tell(this.over);
      return;
    }
    const reason = this.mayNot();
    const seconds = reason ? 0 : this.held();
    const [icon, count] = this.button.children;
    this.button.disabled = Boolean(reason) || seconds > 0 || this.isSending;
    this.box.disabled = this.over !== "";
    show(icon, !seconds);
    show(count, seconds > 0);
    count.textContent = seconds;
    // Beside the note, not in it: it is read aloud once, not every second.
    show(this.pause, seconds > 0);
    this.pause.textContent = seconds ? words("againIn", { n: seconds }) : "";
    clearTimeout(this.timer);
    if (seconds) this.timer = setTimeout(() => this.update(), 250);
    if (reason) this.tell(reason);
    else if (this.wasHeld && !seconds) this.tell(words("canWrite"), true);
    else if (this.hadReason) this.tell("");
    this.wasHeld = seconds > 0;
    this.hadReason = Boolean(reason);
  }

  tell(text, isShort = false) {
    clearTimeout(this.noteTimer);
    this.note.textContent = text;
    if (isShort) this.noteTimer = setTimeout(() => (this.note.textContent = ""), NOTE_MS);
  }

  // --- Keeping order --------------------------------------------------------------------------

  async act(event) {
    const line = event.target.closest("[data-message]");
    const menu = event.target.closest(".line__menu");
    const act = event.target.closest("[data-act]");
    if (!line) return;
    if (menu) {
      const open = line.querySelector(".line__acts");
      for (const other of this.log.querySelectorAll(".line__acts")) other.remove();
      for (const other of this.log.querySelectorAll(".line__menu")) other.setAttribute("aria-expanded", "false");
      if (open) return;
      menu.setAttribute("aria-expanded", "true");
      const acts = clone("moderation");
      line.append(acts);
      acts.querySelector("button").focus();
    } else if (act) {
      const id = Number(line.dataset.message);
      const refusal = await this.moderate(act.dataset.act, id);
      this.tell(refusal ?? words("done"), refusal === null);
      if (refusal === null) line.querySelector(".line__acts")?.remove();
    }
  }
}
