// Polls and lucky draws of a live room.

import { csrfToken } from "./events.js";
import { reasonOf } from "./room_showcase.js";
import { clone, number, put, show, showCountdowns, slots, words } from "./room_words.js";

async function tellServer(address, body) {
  return fetch(address, {
    method: "PUT",
    headers: { "Content-Type": "application/json", "X-CSRFToken": csrfToken() },
    body: JSON.stringify(body),
    credentials: "same-origin",
  });
}

export class PollBox {
  constructor({ root, isSignedIn }) {
    this.box = root.querySelector("[data-poll]");
    this.api = root.dataset.api;
    this.isSignedIn = isSignedIn;
    this.poll = null;
    this.mine = null;
  }

  set(poll) {
    if (poll?.id !== this.poll?.id) {
      this.mine = null;
      put(this.box, "note", "");
      slots(this.box, "options")[0].replaceChildren();
    }
    this.poll = poll;
    this.render();
  }

  // The viewer's vote as the server knows it: an option of the poll that is shown, or another's.
  setVote(option) {
    if (option !== null) this.mine = option;
    this.render();
  }

  render() {
    const poll = this.poll;
    show(this.box, poll !== null);
    if (!poll) return;
    put(this.box, "question", poll.question);
    put(this.box, "state", words(poll.is_open ? "open" : "closedPoll"));
    const list = slots(this.box, "options")[0];
    const voted = poll.options.some(({ id }) => id === this.mine);
    // Counts before one's own vote would lead it.
    const isCounted = voted || !poll.is_open || !this.isSignedIn;
    for (const option of poll.options) {
      let row = list.querySelector(`[data-option="${Number(option.id)}"]`);
      if (!row) {
        row = clone("poll-option");
        row.dataset.option = option.id;
        put(row, "text", option.text);
        slots(row, "choice")[0].addEventListener("click", () => this.vote(option.id));
        list.append(row);
      }
      const share = poll.n_votes ? option.n_votes / poll.n_votes : 0;
      const [n] = slots(row, "n");
      const [bar] = slots(row, "bar");
      n.textContent = `${Math.round(share * 100)}% · ${number(option.n_votes)}`;
      bar.value = share;
      show(n, isCounted);
      show(bar, isCounted);
      show(slots(row, "mine")[0], option.id === this.mine);
      slots(row, "choice")[0].disabled = !poll.is_open || voted || !this.isSignedIn || this.isSending;
    }
    if (isCounted) put(this.box, "note", words("votes", { n: number(poll.n_votes) }));
    show(this.box.querySelector("[data-when=stranger]"), poll.is_open);
  }

  async vote(option) {
    const poll = this.poll.id;
    this.isSending = true;
    this.render();
    let problem = null;
    try {
      const response = await tellServer(`${this.api}polls/${poll}/vote/`, { option });
      if (response.ok) this.mine = option;
      else problem = await reasonOf(response);
    } catch {
      problem = words("failed");
    }
    this.isSending = false;
    this.render();
    if (problem) put(this.box, "note", problem);
  }
}

export class DrawBox {
  constructor({ root, isSignedIn }) {
    this.box = root.querySelector("[data-draw]");
    this.api = root.dataset.api;
    this.page = root.dataset.page;
    this.isSignedIn = isSignedIn;
    this.draw = null;
    this.ticket = null;
    slots(this.box, "enter")[0]?.addEventListener("click", () => this.enter());
  }

  set(draw) {
    if (draw?.id !== this.draw?.id) {
      this.ticket = null;
      put(this.box, "note", "");
    }
    this.draw = draw;
    this.render();
  }

  setEntry(ticket) {
    if (ticket !== null) this.ticket = ticket;
    this.render();
  }

  render() {
    const draw = this.draw;
    show(this.box, draw !== null);
    if (!draw) return;
    put(this.box, "prize", draw.prize);
    put(this.box, "winners-n", words("winners", { n: number(draw.n_winners) }));
    put(this.box, "entries", words("entries", { n: number(draw.n_entries) }));
    slots(this.box, "check")[0].href = `${this.page}draws/${draw.id}/`;
    const [until] = slots(this.box, "until");
    if (draw.is_drawn) delete until.dataset.until;
    else until.dataset.until = draw.closes_at;
    show(until, false);
    showCountdowns(this.box);
    const isOpen = !draw.is_drawn && !until.hidden;
    put(this.box, "state", words(draw.is_drawn ? "drawn" : isOpen ? "open" : "drawing"));
    const [enter] = slots(this.box, "enter");
    show(enter, isOpen && !this.ticket);
    show(this.box.querySelector("[data-when=stranger]"), isOpen);
    this.renderWinners(draw);
    clearTimeout(this.timer);
    // When its time is up, nobody tells so: the button goes by itself.
    if (isOpen) this.timer = setTimeout(() => this.render(), 1000);
  }

  renderWinners(draw) {
    const [list] = slots(this.box, "winners");
    const rows = draw.winners.map(({ ticket, name }) => {
      const row = document.createElement("li");
      row.textContent = `${name} ${ticket}`.trim();
      row.classList.toggle("game__winner--me", ticket === this.ticket);
      return row;
    });
    list.replaceChildren(...rows);
    show(list, rows.length > 0);
    const hasWon = draw.winners.some(({ ticket }) => ticket === this.ticket);
    if (this.ticket) {
      const outcome = !draw.is_drawn ? "ticket" : hasWon ? "won" : "notWon";
      put(this.box, "note", words(outcome, { ticket: this.ticket }));
    } else if (draw.is_drawn) {
      put(this.box, "note", rows.length ? "" : words("noWinner"));
    }
    this.box.classList.toggle("game--won", hasWon);
  }

  async enter() {
    const [button] = slots(this.box, "enter");
    button.disabled = true;
    try {
      const response = await tellServer(`${this.api}draws/${this.draw.id}/entry/`, {});
      if (response.ok) this.ticket = (await response.json()).ticket;
      else put(this.box, "note", await reasonOf(response));
    } catch {
      put(this.box, "note", words("failed"));
    }
    button.disabled = false;
    this.render();
  }
}
