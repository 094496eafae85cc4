// The desk's line to its room, for all of its modules: whoever comes late is told what was said.

import { uuid } from "./events.js";
import { Line } from "./room_socket.js";

const { desk, api, status } = document.body.dataset;
const takers = [];
const known = { state: {}, messages: [], me: null, connection: "connecting" };
const STATES = { open: "online", lost: "offline", banned: "offline", gone: "offline" };
// The log of the desk holds no more.
const MOST_KEPT = 500;

export const line =
  status === "live"
    ? new Line({
        api,
        room: desk,
        visit: { key: uuid(), source: "direct" },
        last: null,
        onFrame: take,
        onState: (name) => connection(STATES[name]),
      })
    : null;

// Takes part in what comes: `state(parts)`, `messages(list)`, `me(me)`, `connection(name)`.
export function onLine(taker) {
  takers.push(taker);
  taker.connection?.(known.connection);
  taker.state?.(known.state);
  if (known.me) taker.me?.(known.me);
  if (known.messages.length) taker.messages?.(known.messages);
}

function tellAll(what, value) {
  for (const taker of takers) taker[what]?.(value);
}

function connection(name) {
  known.connection = name;
  tellAll("connection", name);
}

function take({ state = {}, messages = [], me }) {
  Object.assign(known.state, state);
  known.messages = [...known.messages, ...messages].slice(-MOST_KEPT);
  if (me) known.me = me;
  tellAll("state", state);
  if (me) tellAll("me", me);
  if (messages.length) tellAll("messages", messages);
}

// The browser knows at once; the socket notices later, or never when the break was short.
addEventListener("offline", () => line && connection("offline"));
addEventListener("online", () => line?.isOpen && connection("online"));
line?.open();
