// Computes the winners of a lucky draw anew from what the page shows, and nothing else.

const LOOK_AGAIN_MS = 5000;
const text = new TextEncoder();
const draw = document.querySelector("[data-draw]");
const button = draw.querySelector("[data-check]");
const result = draw.querySelector("[data-result]");

const words = (selector) => [...draw.querySelectorAll(selector)].map((one) => one.textContent.trim());
const hexadecimal = (bytes) => [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");

async function winnersOf(secret, tickets, nWinners) {
  const hash = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", text.encode(secret), hash, false, ["sign"]);
  const ranked = await Promise.all(
    tickets.map(async (ticket) => [hexadecimal(await crypto.subtle.sign("HMAC", key, text.encode(ticket))), ticket]),
  );
  ranked.sort(([one], [other]) => (one < other ? -1 : 1));
  return ranked.slice(0, nWinners).map(([, ticket]) => ticket);
}

function say(isRight, sentence) {
  const line = document.createElement("li");
  line.className = isRight ? "checks__right" : "checks__wrong";
  line.textContent = `${isRight ? "✓" : "✗"} ${sentence}`;
  result.append(line);
}

async function check() {
  result.replaceChildren();
  if (!globalThis.crypto?.subtle) return say(false, result.dataset.cannot);
  const [secret] = words("[data-secret]");
  const [commitment] = words("[data-commitment]");
  const isBound = hexadecimal(await crypto.subtle.digest("SHA-256", text.encode(secret))) === commitment;
  say(isBound, isBound ? result.dataset.secretRight : result.dataset.secretWrong);
  const computed = await winnersOf(secret, words("[data-tickets] li"), Number(words("[data-n-winners]")[0]));
  const isSame = computed.join() === words("[data-winners] [data-ticket]").join();
  say(isSame, isSame ? result.dataset.winnersRight : result.dataset.winnersWrong);
}

if (button) {
  button.addEventListener("click", check);
  draw.querySelector("[data-check-row]").hidden = false;
}
if ("closing" in draw.dataset) setTimeout(() => location.reload(), LOOK_AGAIN_MS);
