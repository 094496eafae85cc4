// The least that a room costs: a bare WebSocket server that hands what one socket says to all.
//
// Listens on a port of loopback of its own and prints {"port"}. Speaks the frames of the live
// room, with messages of the same size; keeps nothing, checks nobody, knows no rules.
// GET /flood?n=N sends all sockets N frames, as fast as they take them (bench/fanout_app.py).

import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const AHEAD = 20;
const FLOOD_TEXT = `How long does the lesson on pouring take, and what do I need at home? ${"-".repeat(10)}`;
const pages = createServer(flood);
const server = new WebSocketServer({ server: pages, perMessageDeflate: false });
const everything = JSON.stringify({ type: "room", state: {}, messages: [] });
let lastId = 1000;
let likes = 0;

function messageOf(id, text) {
  const sent_at = "2026-01-01T00:00:00.000000+00:00";
  return { id, tag: "0123456789ab", author: "Seller", role: "seller", text, sent_at };
}

function toAll(frame) {
  for (const socket of server.clients) socket.send(frame);
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

async function flood(request, response) {
  const n = Number(new URL(request.url, "http://127.0.0.1").searchParams.get("n"));
  const frame = JSON.stringify({ type: "room", state: {}, messages: [messageOf(1000, FLOOD_TEXT)] });
  for (let sent = 0; sent < n; sent += 1) {
    toAll(frame);
    await turn();
    while (sent % AHEAD === 0 && [...server.clients].some((socket) => socket.bufferedAmount)) await turn();
  }
  response.end("done");
}

const answers = {
  hello(socket) {
    socket.send(everything);
  },
  chat(socket, { key, text }) {
    lastId += 1;
    socket.send(JSON.stringify({ type: "ack", key, id: lastId }));
    toAll(JSON.stringify({ type: "room", state: {}, messages: [messageOf(lastId, text)] }));
  },
  like(_socket, { n }) {
    likes += n;
    toAll(JSON.stringify({ type: "room", state: { likes }, messages: [] }));
  },
  beat() {},
};

server.on("connection", (socket) => {
  socket.on("message", (data) => {
    const said = JSON.parse(data);
    answers[said.type](socket, said);
  });
});
pages.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: pages.address().port })));
