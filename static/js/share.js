// Shares the address of a live session: with the phone's own menu, or by copying it.

import { record } from "./events.js";

const SHOWN_MS = 3000;

async function share(button) {
  const { share: path, title, copied, session } = button.dataset;
  const url = new URL(path, location.href).href;
  if (navigator.share) {
    await navigator.share({ title, url });
  } else {
    await copy(url);
    const says = button.querySelector("[data-share-says]");
    const before = says.textContent;
    says.textContent = copied;
    setTimeout(() => (says.textContent = before), SHOWN_MS);
  }
  record("share", null, session);
}

async function copy(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  // Pages without TLS have no clipboard.
  const box = document.createElement("textarea");
  box.value = text;
  box.className = "visually-hidden";
  document.body.append(box);
  box.select();
  document.execCommand("copy");
  box.remove();
}

for (const button of document.querySelectorAll("[data-share]")) {
  button.hidden = false;
  // Turned away, nothing was shared.
  button.addEventListener("click", () => share(button).catch(() => {}));
}
