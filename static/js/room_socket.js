// The line to a live room: a socket, and where sockets do not work, asking every few seconds.
//
// Both bring the same frames, so nobody above knows which one it is. After a break the line asks
// for what came behind the last message that it has, so nothing is missed and nothing comes twice.

import { csrfToken } from "./events.js";

// A socket that does not answer the greeting within that is no socket.
const ANSWER_MS = 8000;
const ACK_MS = 6000;
const SHORTEST_WAIT_MS = 800;
const LONGEST_WAIT_MS = 30_000;
const POLL_MS = 3000;
const POLL_UNSEEN_MS = 20_000;
const POST_TRIES = 4;
// What the server says when it closes a socket.
const BAD_FRAME = 4400;
const BANNED = 4403;
const UNKNOWN = 4404;

export class Line {
  // `api`: address of the session in the API; `visit`: {key, source}; `last`: id of the last
  // message known, or null. `onFrame(frame)`; `onState(state)`: open, lost, banned or gone.
  constructor({ api, room, visit, last, onFrame, onState }) {
    Object.assign(this, { api, room, visit, last, onFrame, onState });
    this.socket = null;
    this.nFailures = 0;
    this.isOver = false;
    this.isPolling = false;
    this.socketsWork = true;
    this.waiting = new Map();
    addEventListener("online", () => this.again());
  }

  open() {
    this.isOver = false;
    this.connect();
  }

  // Leaves the room; `open` comes back.
  close() {
    this.isOver = true;
    this.stopPolling();
    clearTimeout(this.timer);
    this.socket?.close(1000);
  }

  again() {
    if (this.isOver || this.isOpen) return;
    clearTimeout(this.timer);
    this.nFailures = 0;
    if (this.socketsWork) this.connect();
    if (this.isPolling) this.poll();
  }

  get isOpen() {
    return this.socket?.readyState === WebSocket.OPEN && this.isGreeted;
  }

  connect() {
    if (this.socket && this.socket.readyState <= WebSocket.OPEN) return;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    let socket;
    try {
      socket = new WebSocket(`${scheme}://${location.host}/ws/live/${this.room}/`);
    } catch {
      this.socketsWork = false;
      this.startPolling();
      return;
    }
    this.socket = socket;
    this.isGreeted = false;
    const tooLate = setTimeout(() => socket.close(), ANSWER_MS);
    socket.onopen = () =>
      this.send({ type: "hello", visit: this.visit.key, last: this.last, source: this.visit.source });
    socket.onmessage = ({ data }) => {
      if (socket !== this.socket) return;
      const frame = JSON.parse(data);
      if (!this.isGreeted) {
        clearTimeout(tooLate);
        this.isGreeted = true;
        this.nFailures = 0;
        this.stopPolling();
        this.onState("open");
        this.resend();
      }
      this.take(frame);
    };
    socket.onclose = ({ code }) => {
      clearTimeout(tooLate);
      if (socket !== this.socket) return;
      const wasGreeted = this.isGreeted;
      this.isGreeted = false;
      if (this.isOver) return;
      if (code === BANNED) return this.end("banned");
      if (code === UNKNOWN) return this.end("gone");
      if (code === BAD_FRAME) this.socketsWork = false;
      this.nFailures += 1;
      if (wasGreeted) this.onState("lost");
      // A first failure may be a server that starts anew; a second one is no accident.
      if (this.nFailures > 1 || !this.socketsWork) this.startPolling();
      if (this.socketsWork) this.connectLater();
    };
  }

  connectLater() {
    const wait = Math.min(SHORTEST_WAIT_MS * 2 ** (this.nFailures - 1), LONGEST_WAIT_MS);
    clearTimeout(this.timer);
    // Not all at once: a server that comes back would go away again.
    this.timer = setTimeout(() => this.connect(), wait * (0.5 + Math.random()));
  }

  end(state) {
    this.close();
    for (const { resolve } of this.waiting.values()) resolve({ type: "refused", code: state });
    this.waiting.clear();
    this.onState(state);
  }

  send(frame) {
    this.socket.send(JSON.stringify(frame));
  }

  take(frame) {
    if (frame.type === "ack" || frame.type === "refused") {
      this.answer(frame.key, frame);
    } else if (frame.type === "room") {
      for (const { id } of frame.messages ?? []) this.last = Math.max(this.last ?? 0, id);
      this.onFrame(frame);
    }
  }

  answer(key, frame) {
    const asked = this.waiting.get(key);
    if (!asked) return;
    clearTimeout(asked.timer);
    this.waiting.delete(key);
    asked.resolve(frame);
  }

  // --- Asking instead -------------------------------------------------------------------------

  startPolling() {
    if (this.isPolling || this.isOver) return;
    this.isPolling = true;
    this.poll();
  }

  stopPolling() {
    this.isPolling = false;
    clearTimeout(this.pollTimer);
  }

  async poll() {
    clearTimeout(this.pollTimer);
    let wait = document.hidden ? POLL_UNSEEN_MS : POLL_MS;
    try {
      const after = this.last === null ? "" : `?after=${this.last}`;
      const response = await fetch(`${this.api}room/${after}`, { credentials: "same-origin" });
      if (!this.isPolling) return;
      if (response.ok) {
        this.onState("open");
        this.take({ type: "room", ...(await response.json()) });
      } else if (response.status === 403) {
        this.end("banned");
        return;
      } else if (response.status === 404) {
        this.end("gone");
        return;
      } else {
        wait = Math.max(wait * 2, 1000 * Number(response.headers.get("Retry-After") ?? 0));
      }
    } catch {
      this.onState("lost");
      wait *= 2;
    }
    if (this.isPolling) this.pollTimer = setTimeout(() => this.poll(), wait * (0.75 + Math.random() / 2));
  }

  async post(path, body, { keepalive = false } = {}) {
    return fetch(this.api + path, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRFToken": csrfToken() },
      body: JSON.stringify(body),
      credentials: "same-origin",
      keepalive,
    });
  }

  // --- What the viewer does -------------------------------------------------------------------

  // Says a text; the answer is an ack or a refusal. Sent twice with one key, it is said once.
  say(key, text) {
    return new Promise((resolve) => {
      this.waiting.set(key, { text, resolve, timer: null });
      this.sayOn(key);
    });
  }

  sayOn(key) {
    const asked = this.waiting.get(key);
    if (!asked) return;
    clearTimeout(asked.timer);
    if (!this.isOpen) {
      this.sayByPost(key);
      return;
    }
    this.send({ type: "chat", key, text: asked.text });
    asked.timer = setTimeout(() => this.sayByPost(key), ACK_MS);
  }

  resend() {
    for (const key of this.waiting.keys()) this.sayOn(key);
  }

  async sayByPost(key) {
    const asked = this.waiting.get(key);
    if (!asked || asked.isPosting) return;
    asked.isPosting = true;
    for (let tries = 0; tries < POST_TRIES && this.waiting.has(key); tries += 1) {
      try {
        const response = await this.post("messages/", { key, text: asked.text });
        if (response.ok) {
          this.answer(key, { type: "ack", key });
          if (this.isPolling) this.poll();
          return;
        }
        if (response.status < 500) {
          this.answer(key, await refusalOf(key, response));
          return;
        }
      } catch {
        // No network: tried again below.
      }
      await new Promise((done) => setTimeout(done, 1000 * 2 ** tries));
    }
    this.answer(key, { type: "refused", key, code: "offline" });
  }

  like(n) {
    if (this.isOpen) this.send({ type: "like", n });
    else if (!this.isOver) this.post("likes/", { n }).catch(() => {});
  }

  // The seconds watched in this visit so far: what is lost or comes twice does no harm.
  beat(seconds, { isLast = false } = {}) {
    if (this.isOpen) {
      this.send({ type: "beat", seconds });
    } else if (this.isPolling || isLast) {
      const body = { visit: this.visit.key, seconds, source: this.visit.source };
      this.post("beats/", body, { keepalive: isLast }).catch(() => {});
    }
  }
}

async function refusalOf(key, response) {
  const retryAfter = Number(response.headers.get("Retry-After"));
  let error = null;
  try {
    error = (await response.json()).errors?.[0];
  } catch {
    // Not ours: a proxy's page.
  }
  return {
    type: "refused",
    key,
    code: error?.code ?? "failed",
    detail: error?.detail ?? null,
    retry_after: retryAfter > 0 ? retryAfter : null,
  };
}
